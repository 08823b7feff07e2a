"""How good predictions are, by examples worked by hand."""

import numpy as np
import pytest

from fastbp.cli import scores


def test_a_quantity():
    found = scores.quantity(np.array([1.0, 2, 4]), np.array([1, 2, 3]))
    assert found == pytest.approx((np.sqrt(1 / 3), 1 / 3, 0.5))                     # 1 - 1 / 2
    assert scores.quantity(np.array([1.0, 3]), np.array([2, 2])) == (1, 1, None)   # the targets do not differ
    assert scores.quantity(np.array([1.0, 0.1, 0.1]), np.full(3, 0.1)).r2 is None  # their mean is not 0.1
    assert scores.quantity(np.zeros(2), np.array([0.0, 1e-200])).r2 is None        # whose squares are 0


def test_classes():
    assert scores.classes(np.array([[0.2, 0.8], [0.6, 0.4]])).tolist() == [1, 0]
    assert scores.classes(np.array([[0.5], [0.51]])).tolist() == [0, 1]


def test_confusion():
    assert scores.confusion(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 2]), 3).tolist() == [
        [1, 1, 0], [0, 1, 0], [0, 0, 1]]
