"""fastbp/reference: by hand, and by trying."""
