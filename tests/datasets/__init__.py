"""fastbp/datasets: digits and tables."""
