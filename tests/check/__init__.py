"""fastbp/_check: what is refused, and what is read as it is."""
