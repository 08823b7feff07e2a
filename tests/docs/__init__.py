"""The documents are true: they run."""
