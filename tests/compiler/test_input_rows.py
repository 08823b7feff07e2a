"""fastbp/_compiler/input_rows.py: how the caller's rows come into a program, and which are prefetched."""

from programs import NETWORKS, named, names, of_converted, of_expression, of_network, products_of

from fastbp import graph as g
from fastbp._ir import leaves
from fastbp._ir.nn import weight_gradient

# ---- where they lie, gathered, or converted ------------------------------------------------------------------------


def test_rows_taken_in_an_order_of_their_own_are_gathered_first_but_for_those_that_products_read():
    program = of_network(*NETWORKS["batch-parallel"], gathered=True, weighted=True, dtype="float64")
    first = program.operations[:3]
    assert names(first) == ["prefetch", "gather_rows", "gather_rows"]
    assert [operation.n_out for operation in first] == [60 * 8, 10 * 8, 8]  # bytes of a row
    assert [program.data[name] for name in ("X", "targets", "weights")] == [operation.x for operation in first]
    loss = named(program, "loss")
    assert (loss.y, loss.w) == (first[1].out, first[2].out)
    assert {"prefetch", "gather_rows"}.isdisjoint(
        names(of_network(*NETWORKS["batch-parallel"], weighted=True).operations)
    )


def test_products_read_rows_in_any_order_where_nothing_else_does():
    """Long rows of the network's dtype that GEMMs prefetch a step ahead, batch-parallel or input-split."""
    x, W, y = leaves.rows("x", 60), g.parameter("W", (60, 10)), leaves.rows("y", 60)
    product = g.mean(g.square(x @ W))

    def of(loss, batch=64):
        return names(of_expression(loss, batch, gathered=True).operations)[:2]

    assert of(product)[0] == "prefetch"
    assert of(product + g.mean(x))[0] == "gather_rows"
    assert set(of(product + g.mean(g.square(y @ g.parameter("V", (60, 10)))))) == {
        "prefetch",
        "gather_rows",
    }  # one is prefetched
    assert of(g.mean(g.square(leaves.rows("x", 16) @ g.parameter("W", (16, 10)))))[0] == "gather_rows"
    assert of(g.mean(g.square(leaves.rows("x", 300) @ g.parameter("W", (300, 400)))))[0] == "gather_rows"  # tiles
    assert names(of_network(*NETWORKS["batch-parallel"], gathered=True, input_scale=0.5).operations)[0] == "convert"
    assert names(of_expression(product, gathered=True, results={x: "rows"}).operations)[0] == "gather_rows"
    short, dz = leaves.rows("short", 16), leaves.rows("dz", 60)
    assert of(g.mean(g.square(short @ weight_gradient(short, dz)))) == [
        "gather_rows",
        "gather_rows",
    ]  # the right operand


def test_gathered_rows_that_two_sweeps_read_are_gathered_once():
    x = g.input("x", 4)
    program = of_expression(g.mean(g.square(x - g.mean(x, axis=0))), gathered=True)
    assert names(program.operations).count("gather_rows") == 1
    assert program.values[named(program, "gather_rows").out].mode == "shared"


def test_converted_splits_lie_apart_and_each_makes_its_rows_of_the_gradient():
    program = of_converted()
    copies = []
    for first, last in program.splits:
        convert, product = program.operations[first:last]
        assert (convert.name, product.name, convert.out) == ("convert", "dense", product.x)
        assert program.values[convert.x].offset == program.values[product.W].offset // 24
        copies.append((convert.out, convert.n_out))
    roots = {program.root_of(value) for value, _ in copies}
    assert len(roots) == len({program.values[root].slot for root in roots}) == 4
    made = {(operation.x, operation.n_in) for operation in program.gradients if operation.name == "weight_gradient"}
    assert made.issuperset(copies)


# ---- rows that the next step reads ---------------------------------------------------------------------------------


def prefetching(program):
    operations = (*program.operations, *program.gradients)
    return {operation.name for operation in operations if operation.prefetch}


def of_rows(batch, units):
    """The Program of a linear layer on 784 numbers, whose rows are taken in an order of their own."""
    x, y = leaves.rows("x", 784), leaves.rows("y", units)
    loss = g.mean(g.square(x @ g.parameter("W", (784, units)) - y))
    return of_expression(loss, batch, gathered=True)


def test_the_products_that_read_gathered_rows_prefetch_the_next_ones():
    program = of_rows(100, 16)
    assert prefetching(program) == {"prefetch", "gather_rows", "dense", "weight_gradient"}
    prefetches = [operation.prefetch for operation in program.operations if operation.name == "prefetch"]
    assert prefetches == [True] * 4  # of each split
    gathers = [operation.prefetch for operation in program.operations if operation.name == "gather_rows"]
    assert gathers == [True]  # the targets are short


def test_short_rows_are_prefetched_without_products():
    """Rows of two cache lines at most: there is nothing between their ends."""
    program = of_network((16, 8, 3), gathered=True)
    assert prefetching(program) == {"gather_rows"}
    assert prefetching(of_network((90, 300, 310, 64), gathered=True)) == set()
    assert prefetching(of_network((33, 8, 3), gathered=True)) == {"prefetch", "gather_rows", "dense", "weight_gradient"}


def test_rows_where_they_lie_and_those_of_large_layers_are_not_prefetched():
    assert prefetching(products_of(784, 16, batch=100)) == set()
    assert prefetching(of_rows(100, 512)) == set()
