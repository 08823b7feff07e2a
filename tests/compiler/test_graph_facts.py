"""fastbp/_compiler/graph_facts.py: what is known of a graph before it is lowered."""

from fastbp import graph as g
from fastbp._compiler import graph_facts
from fastbp._ir import leaves
from fastbp._ir.elementwise import total_of
from fastbp._ir.node import constant, differentiate


def facts_of(loss=None, forward=(), *, learns=False, keep=False, results=None):
    parameters = [node for node in graph_facts.ordered([loss]) if node.op == "parameter"] if learns else []
    gradients = differentiate(loss, constant(1.0), parameters, add=total_of) if learns else {}
    return graph_facts.facts(list(forward), loss, gradients, keep=keep, results=results or {}, masks=None, correct=None)


def test_a_node_comes_after_those_it_reads_and_knows_who_reads_it():
    x, k = g.input("x", 4), g.parameter("k", 4)
    graph = facts_of(g.mean(g.square(x * k) + x), learns=True)
    place = {node: i for i, node in enumerate(graph.order)}
    for node in graph.order:
        assert all(place[child] < place[node] for child in node.inputs)
    found = {id(node): [] for node in graph.order}
    for node in graph.order:
        for child in node.inputs:
            found[id(child)].append(node)
    assert graph.consumers == found
    assert graph.inputs == [x]


def test_what_is_read_twice_by_one_node_has_it_twice():
    x = g.input("x", 4)
    graph = facts_of(g.mean(x * x))
    product = next(node for node in graph.order if node.op == "multiply")
    assert [one is product for one in graph.consumers[id(x)]] == [True, True]


def test_what_a_sum_over_the_batch_gives_is_there_a_sweep_later():
    x = g.input("x", 4)
    mean = g.mean(x, axis=0)
    centred = x - mean
    graph = facts_of(g.mean(g.square(centred)))
    assert [graph.level[node] for node in (x, mean, centred)] == [0, 1, 1]
    assert graph.levels == 3  # the loss is known in a third one, which has no rows


def test_wanted_is_what_the_caller_takes_and_what_ranges_add():
    x, k, once = g.input("x", 4), g.parameter("k", 4), g.parameter("once", 4)
    y = x * k
    graph = facts_of(g.mean(y) + g.sum(once**3), learns=True, results={y: "y"})
    assert graph.is_read(y) and y in graph.wanted
    values = graph.gradient_terms[once].values
    assert len(values) == 1 and values[0] in graph.wanted  # it does not depend on samples
    assert graph.gradient_terms[k].values == [] and len(graph.gradient_terms[k].sums) == 1
    assert graph.destinations[graph.gradient_terms[k].sums[0]].parameter is k


def test_forward_ends_at_the_outputs_where_backward_is_a_call_of_its_own():
    x, W, dy = leaves.rows("x", 3), leaves.parameter((3, 2)), leaves.rows("dy", 2)
    y = x @ W
    gradients = differentiate(y, dy, [W], add=total_of)
    for keep, expected in ((True, {x, W, y}), (False, set())):
        graph = graph_facts.facts([y], None, gradients, keep=keep, results={y: "Y"}, masks=None, correct=None)
        assert graph.last_forward == expected
