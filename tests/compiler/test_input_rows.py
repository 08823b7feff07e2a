"""fastbp/_compiler/input_rows.py: how the caller's rows come into a program, and which are prefetched."""

from programs import NETWORKS, named, names, of_converted, of_expression, of_network, products_of

from fastbp import graph as g
from fastbp._ir import leaves
from fastbp._ir.nn import weight_gradient

# ---- where they lie, gathered, or converted ------------------------------------------------------------------------


def test_rows_taken_in_an_order_of_their_own_are_gathered_first_but_for_those_that_products_read():
    program = of_network(*NETWORKS["slices"], gathered=True, weighted=True, dtype="float64")
    first = program.operations[:3]
    assert names(first) == ["ask", "gather", "gather"]
    assert [operation.n_out for operation in first] == [60 * 8, 10 * 8, 8]  # bytes of a row
    assert [program.data[name] for name in ("X", "targets", "weights")] == [operation.x for operation in first]
    loss = named(program, "loss")
    assert (loss.y, loss.w) == (first[1].out, first[2].out)
    assert {"ask", "gather"}.isdisjoint(names(of_network(*NETWORKS["slices"], weighted=True).operations))


def test_products_read_rows_in_any_order_where_nothing_else_does():
    """Long rows of the network's dtype that the products ask for a step ahead, in slices or shares."""
    x, W, y = leaves.rows("x", 60), g.parameter("W", (60, 10)), leaves.rows("y", 60)
    product = g.mean(g.square(x @ W))

    def of(loss, batch=64):
        return names(of_expression(loss, batch, gathered=True).operations)[:2]

    assert of(product)[0] == "ask"
    assert of(product + g.mean(x))[0] == "gather"
    assert set(of(product + g.mean(g.square(y @ g.parameter("V", (60, 10)))))) == {"ask", "gather"}  # one is asked for
    assert of(g.mean(g.square(leaves.rows("x", 16) @ g.parameter("W", (16, 10)))))[0] == "gather"
    assert of(g.mean(g.square(leaves.rows("x", 300) @ g.parameter("W", (300, 400)))))[0] == "gather"  # tiles
    assert names(of_network(*NETWORKS["slices"], gathered=True, input_scale=0.5).operations)[0] == "convert"
    assert names(of_expression(product, gathered=True, results={x: "rows"}).operations)[0] == "gather"
    short, dz = leaves.rows("short", 16), leaves.rows("dz", 60)
    assert of(g.mean(g.square(short @ weight_gradient(short, dz)))) == ["gather", "gather"]  # the right operand


def test_gathered_rows_that_two_sweeps_read_are_gathered_once():
    x = g.input("x", 4)
    program = of_expression(g.mean(g.square(x - g.mean(x, axis=0))), gathered=True)
    assert names(program.operations).count("gather") == 1
    assert program.values[named(program, "gather").out].mode == "shared"


def test_converted_shares_lie_apart_and_each_makes_its_rows_of_the_gradient():
    program = of_converted()
    copies = []
    for first, last in program.shares:
        convert, product = program.operations[first:last]
        assert (convert.name, product.name, convert.out) == ("convert", "dense", product.x)
        assert program.values[convert.x].offset == program.values[product.W].offset // 24
        copies.append((convert.out, convert.n_out))
    roots = {program.root_of(value) for value, _ in copies}
    assert len(roots) == len({program.values[root].slot for root in roots}) == 4
    made = {(operation.x, operation.n_in) for operation in program.gradients if operation.name == "weight_gradient"}
    assert made.issuperset(copies)


# ---- rows that the next step reads ---------------------------------------------------------------------------------


def asking(program):
    operations = (*program.operations, *program.gradients)
    return {operation.name for operation in operations if operation.ahead}


def of_rows(batch, units):
    """The Program of a linear layer on 784 numbers, whose rows are taken in an order of their own."""
    x, y = leaves.rows("x", 784), leaves.rows("y", units)
    loss = g.mean(g.square(x @ g.parameter("W", (784, units)) - y))
    return of_expression(loss, batch, gathered=True)


def test_the_products_that_read_gathered_rows_ask_for_the_next_ones():
    program = of_rows(100, 16)
    assert asking(program) == {"ask", "gather", "dense", "weight_gradient"}
    asks = [operation.ahead for operation in program.operations if operation.name == "ask"]
    assert asks == [True] * 4  # of each share
    gathers = [operation.ahead for operation in program.operations if operation.name == "gather"]
    assert gathers == [True]  # the targets are short


def test_short_rows_are_asked_for_without_products():
    """Rows of two cache lines at most: there is nothing between their ends."""
    program = of_network((16, 8, 3), gathered=True)
    assert asking(program) == {"gather"}
    assert asking(of_network((90, 300, 310, 64), gathered=True)) == set()
    assert asking(of_network((33, 8, 3), gathered=True)) == {"ask", "gather", "dense", "weight_gradient"}


def test_rows_where_they_lie_and_those_of_large_layers_are_not_asked_for():
    assert asking(products_of(784, 16, batch=100)) == set()
    assert asking(of_rows(100, 512)) == set()
