"""fastbp/plot: pictures."""
