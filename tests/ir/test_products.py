"""fastbp/_ir/products.py: @ of nodes has the shapes and numbers of NumPy's; that of two batched nodes is refused."""

import numpy as np
import pytest

from fastbp import graph as g

M, R, V = np.arange(6.0).reshape(2, 3), np.arange(3.0), np.array([1.0, -2.0])
PRODUCTS = {
    "matrices": (M, M.T), "a vector before a matrix": (V, M), "a vector behind a matrix": (M, R), "vectors": (R, R + 1),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_parameters_are_numpys(name):
    a, b = PRODUCTS[name]
    for made in (g.constant(a) @ g.constant(b), g.constant(a) @ b, a @ g.constant(b)):
        plan = g.compile(g.mean(g.parameter("p", 1)), {"made": made}, dtype="float64")
        np.testing.assert_array_equal(plan.forward()["made"], a @ b)


def test_a_batch_times_a_vector_is_a_column():
    x = g.input("x", 3)
    plan = g.compile(g.mean(x), {"made": x @ R}, dtype="float64")
    np.testing.assert_array_equal(plan.forward(x=M)["made"], (M @ R)[:, None])


def test_two_batched_nodes_are_refused():
    with pytest.raises(ValueError, match=r"@: shapes .* use sum\(a \* b, axis=-1\)"):
        g.input("x", 3) @ g.input("y", 3)
