"""Drawing a graph: a box for each node, what it says is what the plan holds, and what is missing is named."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g

graphviz = pytest.importorskip("graphviz", reason="graphviz is not installed")

BOX = re.compile(r'^\t(n\d+) \[label="?(.*?)"? ((?:fillcolor|peripheries|shape).*)\]$', re.MULTILINE)
ARROW = re.compile(r'^\t(n\d+) -> (n\d+)(?: \[label="?(.*?)"?\])?$', re.MULTILINE)
HAS_DOT = shutil.which("dot") is not None


def boxes(picture):
    """[(lines, attributes)] in order; attributes as a dict."""
    found = BOX.findall(picture.source)
    assert [name for name, _, _ in found] == [f"n{i}" for i in range(len(found))]
    return [(text.split(r"\n"), dict(re.findall(r'(\w+)="?([^" ]+)', style))) for _, text, style in found]


def arrows(picture):
    return [(int(a[1:]), int(b[1:]), label) for a, b, label in ARROW.findall(picture.source)]


@pytest.fixture
def neuron():
    """(sigmoid(w a + b) - y)^2 at w = 0.5, a = 2, b = -1, y = 1, where every number can be worked out by hand."""
    a, y = g.inputs("a", "y")
    w, b = g.parameter("w", (), 0.5), g.parameter("b", (), -1.0)
    return g.mean((g.sigmoid(w * a + b) - y) ** 2), {"a": [2.0], "y": [1.0]}


def test_a_neuron_by_hand(neuron):
    loss, data = neuron
    picture = g.draw(loss, **data)
    assert [lines for lines, _ in boxes(picture)] == [
        ["parameter w", "value 0.5", "grad -0.5"],
        ["input a", "(batch, 1)", "value 2", "grad -0.125"],
        ["multiply", "(batch, 1)", "value 1", "grad -0.25"],
        ["parameter b", "value -1", "grad -0.25"],
        ["add", "(batch, 1)", "value 0", "grad -0.25"],
        ["sigmoid", "(batch, 1)", "value 0.5", "grad -1"],
        ["input y", "(batch, 1)", "value 1", "grad 1"],
        ["subtract", "(batch, 1)", "value -0.5", "grad -1"],
        ["square", "(batch, 1)", "value 0.25", "grad 1"],
        ["total", "value 0.25", "grad 1"],
    ]
    assert arrows(picture) == [(0, 2, ""), (1, 2, ""), (2, 4, ""), (3, 4, ""), (4, 5, ""), (5, 7, ""), (6, 7, ""),
                               (7, 8, ""), (8, 9, "")]


def test_kinds_of_nodes_differ_in_outline():
    x, w = g.input("x"), g.parameter("w", (), 1.0)
    picture = g.draw(g.mse(w * x + 3.5, x))
    outline = {lines[0]: (style["shape"], style.get("peripheries")) for lines, style in boxes(picture)}
    assert outline == {"parameter w": ("ellipse", None), "input x": ("note", None), "3.5": ("plaintext", None),
                       "multiply": ("box", None), "add": ("box", None), "mse": ("box", "2")}
    inner = g.draw(2 * g.mse(w * x, x))  # the loss is the last node, not every node of a loss function
    assert [lines[0] for lines, style in boxes(inner) if "peripheries" in style] == ["multiply"]


def test_without_data_there_is_structure_alone(neuron):
    picture = g.draw(neuron[0])
    assert "value" not in picture.source and "grad" not in picture.source
    assert len(boxes(picture)) == 10 and len(arrows(picture)) == 9


def test_where_branches_meet_the_arrows_say_what_they_add():
    w = g.parameter("w", (), 3.0)
    picture = g.draw(w * w + 5 * w + g.exp(g.freeze(w)))
    lines = [line for line, _ in boxes(picture)]
    assert lines[0] == ["parameter w", "value 3", "grad 11"]
    assert ["5", "grad 3"] in lines  # a constant is its value
    from_w = [(lines[b][0], label) for a, b, label in arrows(picture) if a == 0]
    assert from_w == [("multiply", "3"), ("multiply", "3"), ("multiply", "5"), ("freeze", "")]
    assert all(not label for a, _, label in arrows(picture) if a)


def test_labels_of_arrows_add_up_to_the_gradient(rng):
    """Of a network applied twice, with penalties in between."""
    net = fb.mlp(3, 4, 2, activation="tanh", dtype="float64")
    x, t = g.input("x", 3), g.input("t", 2)
    plan = g.compile(g.mse(net(x), t) + g.mean(g.abs(net(x) * t)), dtype="float64")
    plan.loss_and_grad(x=rng.random((5, 3)), t=rng.random((5, 2)))
    paths = plan.paths()
    for node in plan.nodes()[:-1]:
        terms = [term for (user, i), term in paths.items() if user.inputs[i] is node]
        assert terms
        np.testing.assert_allclose(sum(terms), plan.grad(node), rtol=1e-13, atol=1e-16)


def test_a_plan_is_drawn_as_it_stands(neuron):
    loss, data = neuron
    plan = g.compile(loss, dtype="float64")
    assert "value" not in g.draw(plan).source
    plan.loss_and_grad(**data)
    assert g.draw(plan).source == g.draw(loss, **data).source
    with pytest.raises(ValueError, match=r"inputs a, y with a Plan, expected none; call plan\.loss_and_grad"):
        g.draw(plan, **data)


def test_every_operation_of_a_step_is_drawn_as_it_is_shown(rng):
    x, i = g.input("x", 3), g.input("label", integer=True)
    k, table = g.parameter("k", 6, rng.random(6)), g.parameter("table", (4, 3), rng.random((4, 3)))
    loss = g.cross_entropy(x * k[1:4] + g.gather(table, i) ** 3 * table[1], i)
    data = {"x": rng.random((5, 3)), "label": rng.integers(0, 3, 5)}
    texts = [lines for lines, _ in boxes(g.draw(loss, **data))]
    shown = g.show(loss, **data).replace("\n ", " ").splitlines()  # what stands beneath a line belongs to it
    assert len(texts) == len(shown)
    for lines, line in zip(texts, shown, strict=True):
        assert f"= {lines[0]}" in line
        assert all(text in line for text in lines[1:] if text.startswith(("value", "grad")))
    assert [t[0] for t in texts if t[0].startswith(("slice", "power"))] == ["slice [1:4]", "power 3", "slice [1, 0:3]"]
    assert ["input label", "(batch, 1)"] in texts  # integers have neither


def test_zeros_have_no_sign():
    v, w = g.parameter("v", (), 2.0), g.parameter("w", (), 0.0)
    assert ["parameter v", "value 2", "grad 0"] in [lines for lines, _ in boxes(g.draw(-(v * w)))]


def test_names_are_text_and_no_markup():
    name = 'a "quoted" \\N <b> name'
    w = g.parameter(name, (), 1.0)
    source = g.draw(w * w).source
    assert r'label="parameter a \"quoted\" \\N <b> name\nvalue 1\ngrad 2"' in source


def test_parameters_of_layers_have_the_names_of_the_plan():
    net = fb.mlp(3, 4, 2)
    labels = [lines[0] for lines, _ in boxes(g.draw(g.mean(net(g.input("x", 3)))))]
    assert [name for name in labels if name.startswith("parameter")] == [
        "parameter layer0.W", "parameter layer0.b", "parameter layer1.W", "parameter layer1.b"]


@pytest.mark.parametrize("name", ["graph", "graph.jpeg", "graph.dot"])
def test_another_ending_is_refused(neuron, tmp_path, name):
    with pytest.raises(ValueError, match=r"expected an ending \.svg, \.png, \.pdf; choose one of them"):
        g.draw(neuron[0], tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_without_dot_there_is_the_source_and_a_file_says_what_to_install(neuron, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert g.draw(neuron[0]).source.startswith("digraph")
    with pytest.raises(RuntimeError, match=r"graph\.svg needs the program dot, .*\(apt install graphviz"):
        g.draw(neuron[0], tmp_path / "graph.svg")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not HAS_DOT, reason="the program dot is not installed")
@pytest.mark.parametrize("name, begins", [("g.svg", b"<?xml"), ("g.PNG", b"\x89PNG"), ("g.pdf", b"%PDF")])
def test_a_file_is_written(neuron, tmp_path, name, begins):
    loss, data = neuron
    g.draw(loss, tmp_path / name, **data)
    written = (tmp_path / name).read_bytes()
    assert written.startswith(begins)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name == "g.svg":
        assert [text in written.decode() for text in ("parameter w", "grad &#45;0.125", "sigmoid")] == [True] * 3


def test_without_the_package_it_says_what_to_install():
    program = (
        "import sys; sys.modules['graphviz'] = None\n"
        "from fastbp import graph as g\n"
        "w = g.parameter('w'); g.show(w * w)\n"
        "try: g.draw(w * w)\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == 'drawing graphs needs graphviz, which is not installed; pip install "fastbp[draw]"\n'
