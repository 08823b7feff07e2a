"""fastbp/_files: bytes in and out."""
