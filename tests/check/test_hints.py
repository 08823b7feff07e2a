"""What messages advise, word by word where another input has another remedy."""

import numpy as np
import pytest
from refusals import refused

import fastbp as fb
from fastbp import _check as check
from fastbp import graph as g


@pytest.mark.parametrize(("labels", "remedy"), [
    ([1, 2, 3], "labels that begin at 1 want y - 1"), ([0, 1, 3], "correct the label"),
    ([0, 1, 4], "correct the label"), ([1, 2, -1], "correct the label"),
])
def test_labels_that_are_none(labels, remedy):
    net = fb.mlp(2, 3, loss="cross_entropy")
    parts = [f"expected labels 0 .. 2 for a network of 3 outputs; {remedy}, or make the last layer as wide"]
    refused(ValueError, parts, net.fit, np.zeros((3, 2)), labels)


@pytest.mark.parametrize(("dtype", "remedy"), [
    ("M8[s]", "make numbers of it, such as the days since the first: (X - X[0]) / np.timedelta64(1, 'D')"),
    ("m8[s]", "make numbers of it, such as the days since the first"), ("V4", "make numbers of it first"),
    ("complex64", "use X.real, or its real and imaginary parts as two columns"),
    ("U3", "use X.astype(float) where all are numbers, or encode the columns that are not"),
], ids=["date", "time", "bytes", "complex", "text"])
def test_what_is_no_number(dtype, remedy):
    parts = ["expected real numbers (float, int or bool); " + remedy]
    refused(TypeError, parts, check.numeric, np.zeros((2, 2), dtype), "X")


@pytest.mark.parametrize(("rows", "found"), [
    ([[1, 2], [1]], "row 0 has 2 items, row 1 has 1 item"), ([[1], [2], 3], "row 0 has 1 item, row 2 is no list"),
    ([[1, 2], [3, [4]]], "its rows hold lists of different lengths"),
])
def test_rows_of_different_lengths(rows, found):
    refused(ValueError, [f"X is not an array ({found}), expected real numbers in rows of equal length"],
            check.numeric, rows, "X")


@pytest.mark.parametrize("rows", [[[0, 1]], [], 1])
def test_numbers_of_rows_that_are_no_list(rows):
    parts = [f"rows has shape {np.shape(rows)}, expected (m,) with m >= 1 numbers of rows of X; pass these"]
    refused(ValueError, parts, check.rows, "rows", rows, 3)


@pytest.mark.parametrize("value", [3, ["mse"], None, {"mse": 1}])
def test_a_name_that_is_no_text(value):
    refused(TypeError, ["loss is ", "expected a name, one of: mse, mae; pass one of them"],
            check.choice, "loss", value, ("mse", "mae"))


def test_settings_that_are_missing_are_listed():
    refused(ValueError, ["schedule 'cosine' lacks the setting 'lr', expected: lr, steps, final; add it"],
            fb.schedules.from_config, {"name": "cosine"})


@pytest.mark.parametrize("node", [g.input("x", 2), g.parameter("p", 3), g.parameter("W", (3, 3))])
def test_a_layer_is_called_on_rows_of_its_width(node):
    refused(ValueError, ["is called on ", "expected a node of shape (batch, 3); pass an expression"],
            fb.Dense(3, 2), node)


def test_a_number_that_its_dtype_cannot_hold():
    refused(ValueError, ["expected a finite number that float32 can hold; pass another"],
            check.array, "init", 1e300, (), np.dtype("float32"))


def test_numbers_of_rows_are_those_from_0_to_the_last():
    assert check.rows("rows", [2, 0, 2], 3).tolist() == [2, 0, 2]
    for rows in ([0, 3], [-1]):
        refused(ValueError, ["expected", "0 .. 2"], check.rows, "rows", rows, 3)


@pytest.mark.parametrize("config", [3, None, "cosine", ["name"]])
def test_a_config_that_is_no_dict(config):
    refused(TypeError, ["schedule is ", "expected a dict such as the one config() gives; pass that"],
            fb.schedules.from_config, config)


def test_where_every_row_is_missing_none_is_a_class():
    rows = np.array([[0.0, 1.0], [np.nan, np.nan]])
    assert check.one_hot(rows, missing=True) and not check.one_hot(rows)
    assert not check.one_hot(rows[1:], missing=True)
