"""fastbp/_compiler/context.py: the state of a lowering, and its invariants when all rules have run."""

import pytest
from programs import NETWORKS, of_expression, of_network

from fastbp import graph as g
from fastbp._compiler import fusion, lowering
from fastbp._compiler.context import Context
from fastbp._ir.node import OPERATIONS


@pytest.fixture
def contexts(monkeypatch):
    """The Contexts of the programs that a test makes, as they are when all rules have run."""
    made, write = [], lowering._write_nodes

    def noted(c):
        write(c)
        made.append(c)

    monkeypatch.setattr(lowering, "_write_nodes", noted)
    return made


def check(c):
    """What Context says of itself."""
    silent = set(c.fused) | set(c.graph.destinations)
    pairs = [(node, *fusion.activation_of(node, c.graph)) for node in c.graph.order if node.op == "dense"]
    silent |= {node for node, activation, keeps in pairs if activation is not None and not keeps}
    for node in c.graph.order:
        if OPERATIONS[node.op].kind in ("penalty", "penalty_gradient") or node in silent:
            continue
        if node.op in ("total", "loss", "right"):
            assert c.sums[node] < c.program.sums
            assert (node in c.values) == c.graph.is_read(node)
        else:
            assert node in c.values, node
    assert not set(c.fused) & set(c.values)
    assert sorted(c.sums.values()) == list(range(c.program.sums))
    assert {node for node, gradient in c.losses.items() if gradient is not None} == c.graph.with_gradient
    assert set(c.callers) == {*c.request.data}
    assert set(c.split_columns) == {number for number, _, _ in c.partition.splits}
    by_shares = [name for name, value in c.callers.items() if value is None]
    assert by_shares == ([] if c.partition.split_product is None else [c.partition.split_product.inputs[0].name])
    if c.prefetch is not None:
        assert all(operation.prefetch for operation in c.readers[c.prefetch.name])
    assert len(c.rows_lists) == len(c.invariant_lists) == c.graph.levels == c.now + 1


@pytest.mark.parametrize("scheme", NETWORKS)
@pytest.mark.parametrize("options", [{}, {"dropout": 0.5}, {"gathered": True, "weighted": True}, {"kind": "keep"},
                                     {"l2": 0.1, "input_scale": 0.5}, {"labels": True, "loss": "cross_entropy"}],
                         ids=str)
def test_the_invariants_hold_for_networks(contexts, scheme, options):
    of_network(*NETWORKS[scheme], **options)
    assert len(contexts) == 1
    check(contexts[0])


def test_the_invariants_hold_for_expressions(contexts):
    x, k, t, i = g.input("x", 4), g.parameter("k", 4), g.parameter("t", (6, 4)), g.input("i", integer=True)
    y = x - g.mean(x * k, axis=0) + g.gather(t, i)
    loss = g.mean(g.square(y)) + g.sum(k**3) + g.squared_error(y, x)
    of_expression(loss)
    of_expression(loss, learns=False, results={y: "y", x: "x again"}, gathered=True)
    assert len(contexts) == 2
    for c in contexts:
        check(c)


def test_the_state_has_no_other_attributes():
    """A rule that needs another one has to say here what it means."""
    c = Context.__new__(Context)
    with pytest.raises(AttributeError):
        c.another = 1
    documented = Context.__doc__
    assert [name for name in Context.__slots__ if name not in documented] == []


def test_zeros_are_fixed_and_parts_lie_in_their_whole(contexts):
    x, k = g.input("x", 4), g.parameter("k", 7)
    program = of_expression(g.mean(x * k[2:6]), learns=False)
    c = contexts[0]
    part = next(value for value in program.values if value.base is not None)
    assert (part.mode, part.offset, part.width) == ("parameter", 2, 4)
    index = c.zero()
    assert (program.values[index].mode, program.values[index].initial) == ("invariant", 0.0)
    whole = c.part(index, 0, 1)
    assert program.root_of(whole) == index
