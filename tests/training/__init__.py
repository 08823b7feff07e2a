"""fastbp/_training: the loop, and what it knows of models."""
