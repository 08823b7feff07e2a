"""fastbp/_ir: graphs and their derivatives."""
