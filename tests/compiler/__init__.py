"""fastbp/_compiler: from a graph to a program."""
