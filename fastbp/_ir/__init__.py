"""The graph, and its derivative: a graph again."""
