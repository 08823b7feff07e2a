"""fastbp/_models: what stands behind a network and a Plan."""
