"""fastbp/_core: the compiled core."""
