"""fastbp/_models/summary.py: the table of a network, counted by hand."""

from html.parser import HTMLParser

import numpy as np
import pytest

import fastbp as fb


def network():
    return fb.Sequential(fb.Dense(784, 16, "relu"), fb.LayerNorm(16), fb.Dropout(0.25), fb.Dense(16, 10),
                         loss="cross_entropy")


def test_counts_of_each_layer_and_of_all():
    summary = network().summary()
    assert [row.output for row in summary.rows] == ["(n, 16)", "(n, 16)", "(n, 16)", "(n, 10)"]
    assert [row.parameters for row in summary.rows] == [784 * 16 + 16, 32, 0, 16 * 10 + 10]
    assert [row.multiply_adds for row in summary.rows] == [784 * 16, 0, 0, 160]
    assert summary.parameters == network().params.size and summary.multiply_adds == 784 * 16 + 160


def test_the_text():
    assert str(network().summary()) == repr(network().summary()) == """\
Sequential: rows of 784 numbers, loss CrossEntropy(label_smoothing=0.0), float32
   layer                    output   parameters  multiply-adds
--------------------------------------------------------------
0  Dense(784, 16, 'relu')   (n, 16)      12,560         12,544
1  LayerNorm(16)            (n, 16)          32              0
2  Dropout(0.25)            (n, 16)           0              0
3  Dense(16, 10, 'linear')  (n, 10)         170            160
--------------------------------------------------------------
   all                                   12,762         12,704
49.9 KB of parameters, as much of gradients"""


def test_a_long_layer_is_cut_and_lines_fit_a_terminal():
    net = fb.mlp(10, 20, 3, l1=1.2345678901234567e-05, l2=9.876543210987654e-05)
    lines = str(net.summary()).split("\n")
    assert max(map(len, lines)) <= 79 and "..." in lines[3]
    assert "..." not in net.summary().rows[0].layer  # what it is made of is whole


@pytest.mark.parametrize(("widths", "dtype", "size"), [
    ((3, 2), "float32", "32 bytes"), ((1000, 1000, 10), "float64", "7.71 MB"),
])
def test_bytes_of_the_parameters(widths, dtype, size):
    assert str(fb.mlp(*widths, dtype=dtype).summary()).endswith(f"{size} of parameters, as much of gradients")


class Cells(HTMLParser):
    """The texts of a table's cells, and tags that were opened and not closed."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_a_notebook_shows_the_same_table():
    summary = fb.Sequential(fb.Dense(4, 3, init=np.ones((4, 3)))).summary()
    cells = Cells(summary._repr_html_())
    assert cells.open == [] and "Dense(4, 3, 'linear', init=<array (4, 3)>)" in cells.texts
    assert cells.texts[0] == summary.head and cells.texts[-1] == summary.foot
