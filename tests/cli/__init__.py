"""fastbp/cli: the command."""
