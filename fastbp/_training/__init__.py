"""Training: the loop, and what it knows of networks and of expressions."""
