"""fastbp/_check/formatting.py: lines that end at a word, and reprs of things with many parts."""

import pytest

import fastbp as fb
from fastbp import _check as check
from fastbp._check import formatting


def test_lines_end_at_a_word():
    made = formatting.filled("one two three four", 10, first="> ", then="  ")
    assert made == "> one two\n  three\n  four"
    assert formatting.filled("one two", None, first="> ", then="  ") == "> one two"
    assert formatting.filled("a b", 20, first="> ") == "> a b"


def test_a_word_longer_than_a_line_is_left_whole():
    path = "/a/very-long/path/" * 5
    assert formatting.filled(path, 20, first="model ", then="      ") == f"model {path}"
    assert formatting.filled(f"is {path}", 20, then=" ") == f"is\n {path}"


def test_a_call_is_one_line_where_it_fits():
    assert formatting.call("F", ["a", "b=2"]) == "F(a, b=2)"
    assert formatting.call("F", []) == "F()"
    line = formatting.call("F", ["x" * 30, "y" * 42])
    assert len(line) == 77 and "\n" not in line


def test_a_longer_call_ends_lines_between_its_parts():
    parts = [f"part{i}({i}, 'x')" for i in range(9)]
    made = formatting.call("Name", parts)
    lines = made.split("\n")
    assert len(lines) == 2 and max(map(len, lines)) <= formatting.WIDTH
    assert all(line.startswith("     part") for line in lines[1:]) and lines[0].startswith("Name(part0")
    assert all(line.endswith(",") for line in lines[:-1])
    assert " ".join(made.split()) == f"Name({', '.join(parts)})"


@pytest.mark.parametrize("size", range(60, 90))
def test_a_line_is_full_and_not_longer(size):
    """One character more than fits makes a second line, wherever the end of the line falls."""
    made = formatting.call("F", ["x" * (size - 6), "y"])
    assert ("\n" in made) == (size > formatting.WIDTH) and max(map(len, made.split("\n"))) <= max(
        formatting.WIDTH, size - 2
    )
    assert made.replace("\n  ", " ") == f"F({'x' * (size - 6)}, y)"


def test_a_part_longer_than_a_line_ends_at_its_words():
    made = formatting.call("Name", ["first", f"init=[{', '.join(['1234567'] * 20)}]", "last"])
    assert max(map(len, made.split("\n"))) <= formatting.WIDTH
    assert made.count("1234567") == 20 and " ".join(made.split()).startswith("Name(first, init=[1234567, 1234567")


# ---- what is shown at a prompt -------------------------------------------------------------------------------------


def test_a_deep_network_fits_the_screen_and_can_be_made_again():
    net = fb.mlp(784, *[128] * 6, 10, activation="leaky_relu", dropout=0.25, loss=fb.losses.Huber(0.5), input_scale=0.5)
    made = repr(net)
    assert max(map(len, made.split("\n"))) <= 79 and made.count("\n") > 3
    names = {**vars(fb), **vars(fb.losses)}
    assert repr(eval(made, names)) == made
    assert "\n" not in repr(fb.mlp(3, 1))


def test_a_message_is_one_line_whatever_it_shows():
    net = fb.Sequential(fb.Dense(2, 2), fb.Dense(2, 1, "leaky_relu", init=[[1.0], [2.0]], l1=0.125, l2=0.125))
    assert "\n" in repr(net)[:57] and "\n" not in check.shown(net) and check.shown(net).endswith("... (Sequential)")


def test_a_history_and_a_gradient_check_fit_the_screen():
    net = fb.mlp(3, 2, loss="cross_entropy")
    X, y = [[0.1, 0.2, 0.3]] * 4, [0, 1, 0, 1]
    history = net.fit(X, y, epochs=2, validation_data=(X, y))
    for what in (history, fb.gradcheck(net, X, y)):
        lines = repr(what).split("\n")
        assert len(lines) > 1 and max(map(len, lines)) <= 79, what
    assert eval(repr(fb.gradcheck(net, X, y)), vars(fb)) == fb.gradcheck(net, X, y)
