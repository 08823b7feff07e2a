"""fastbp/_ir/leaves.py: what a graph begins with."""

from fastbp._ir import leaves


def test_rows_are_batched_and_parameters_fixed():
    x, i, W = leaves.rows("x", 3), leaves.rows("i", 1, integer=True), leaves.parameter((3, 2), "W", init="zeros")
    assert [(node.op, node.batched, node.shape, node.name) for node in (x, i, W)] == [
        ("data", True, (3,), "x"), ("data", True, (1,), "i"), ("parameter", False, (3, 2), "W")]
    assert (x.integer, i.integer, W.init) == (False, True, "zeros")
