"""What stands behind a network and a `Plan`."""
