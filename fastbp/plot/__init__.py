"""A door: pictures of a training. Those of an expression are fastbp.graph.draw's."""

from fastbp.plot.training import history, mistakes, weights

__all__ = ["history", "mistakes", "weights"]
