"""Backpropagation on single numbers: a graph of small nodes, written by plain arithmetic, and the chain rule over it.

    w, a, b, y = Value(0.5, "w"), Value(2.0, "a"), Value(-1.0, "b"), Value(1.0, "y")
    C = ((w * a + b).sigmoid() - y) ** 2        # forward: each operation makes a node and computes its number
    C.backward()                                # backward: every node's grad becomes dC/d(node)
    w.data -= 0.01 * w.grad                     # nudge, write C anew, repeat
    print(show(C))

What an operation computes and its local derivatives are a row of operations.py; `backward` knows none of them. What is
composed of operations, like gelu and softmax, states no derivative at all: the chain rule has it.

Source: Wengert, "A simple automatic derivative evaluation program", CACM 7(8), 1964; Karpathy's micrograd shows how
little code it takes.
"""
import math
from itertools import count

from fastbp.reference.operations import OPERATIONS


def number(x):
    return x.data if isinstance(x, Value) else float(x)


def apply(name, *inputs):
    """The node of the operation `name` of inputs, Values or plain numbers; the latter are constants without a node."""
    compute, differentiate = OPERATIONS[name]
    x = [number(value) for value in inputs]
    y = compute(*x)
    return Value(y, None, name, inputs, differentiate(y, *x))


def method(name, reflected=False):
    return lambda *inputs: apply(name, *(inputs[::-1] if reflected else inputs))


class Value:
    """A number `data`, and `grad`, the derivative for it of the node whose backward() ran last: 0.0 before.

    Every row of OPERATIONS is a method, x.exp() or a.maximum(b); operators write the common ones. a < b is a Value, 1.0
    or 0.0, and true or false in an `if`. a == b is Python's: whether both are one node; a.equal(b) compares numbers.
    """
    __slots__ = ("born", "data", "grad", "inputs", "name", "operation", "rates")
    births = count()

    def __init__(self, data, name=None, operation=None, inputs=(), rates=()):
        self.data, self.grad, self.name = float(data), 0.0, name
        self.operation, self.inputs, self.rates = operation, inputs, rates      # rates[i] = d self / d inputs[i]
        self.born = next(Value.births)

    def nodes(self):
        """Every node that self is computed from, and self: each once, in the order they were made, inputs first."""
        nodes, known = [self], {self}
        for node in nodes:                                      # the list grows under the loop
            for x in node.inputs:
                if isinstance(x, Value) and x not in known:
                    known.add(x)
                    nodes.append(x)
        return sorted(nodes, key=lambda node: node.born)

    def backward(self):
        """Sets grad of every node to d self / d node. Gradients of an earlier backward() no longer hold: those of the
        nodes in reach begin again at 0, others are left as they were."""
        nodes = self.nodes()
        for node in nodes:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(nodes):
            for x, rate in zip(node.inputs, node.rates, strict=True):
                if isinstance(x, Value):
                    x.grad += rate * node.grad                  # a node used in two places adds what comes back

    __add__ = __radd__ = method("add")
    __mul__ = __rmul__ = method("multiply")
    __sub__, __rsub__ = method("subtract"), method("subtract", reflected=True)
    __truediv__, __rtruediv__ = method("divide"), method("divide", reflected=True)
    __lt__, __gt__ = method("less"), method("less", reflected=True)
    __le__, __ge__ = method("less_equal"), method("less_equal", reflected=True)
    __neg__, __abs__ = method("negative"), method("abs")

    def __pow__(self, n):
        return self.power(n)

    def __rpow__(self, base):
        return Value(base) ** self

    def __bool__(self):
        return self.data != 0

    def __repr__(self):
        return f"Value({self.data!r}{f', {self.name!r}' if self.name else ''})"

    def clip(self, lo, hi):
        return self.maximum(lo).minimum(hi)

    def gelu(self):
        return self * self.normal_cdf()

    def gelu_tanh(self):
        return self * (2 * math.sqrt(2 / math.pi) * (self + 0.044715 * self ** 3)).sigmoid()

    def silu(self):
        return self * self.sigmoid()

    def mish(self):
        return self * self.softplus().tanh()


for _name in OPERATIONS:
    setattr(Value, _name, method(_name))
Value.exponential = Value.exp                                   # its name among the activations


def where(condition, a, b):
    """a where condition is not 0, else b. Back to the other one goes 0, times its slopes: nan where one is infinite."""
    return apply("where", condition, a, b)


def norm(xs):
    """The Euclidean norm; where it is 0, so is its slope."""
    squares = sum_([x * x for x in xs])
    return apply("sqrt", squares) if number(squares) else squares


def sum_(xs):
    return apply("add", *xs)


def mean(xs):
    return sum_(xs) / len(xs)


def max_(xs):
    return apply("maximum", *xs)


def exponentials(xs):
    """exp(x - top) of each, and top: the largest, which keeps them from overflowing, a constant since it cancels."""
    top = max(map(number, xs))
    top = top if math.isfinite(top) else 0.0
    return [apply("subtract", x, top).exp() for x in xs], top


def logsumexp(xs):
    e, top = exponentials(xs)
    return sum_(e).log() + top


def softmax(xs):
    e, _ = exponentials(xs)
    total = sum_(e)
    return [e_j / total for e_j in e]


def dense(xs, W, b, activation="linear"):
    """The outputs (units,) of one layer for the inputs xs (inputs,); W[k][j] is the weight from input k to unit j."""
    z = [sum_([x * row[j] for x, row in zip(xs, W, strict=True)]) + b_j for j, b_j in enumerate(b)]
    return softmax(z) if activation == "softmax" else [getattr(z_j, activation)() for z_j in z]


def show(value):
    """The graph as text, one line a node in the order of computing: its name, or #line; operation; number; gradient."""
    names = {node: node.name or f"#{line}" for line, node in enumerate(value.nodes(), 1)}
    rows = [("node", "operation", "value", "gradient")]
    for node, name in names.items():
        inputs = ", ".join(names[x] if isinstance(x, Value) else f"{x:g}" for x in node.inputs)
        rows.append((name, f"{node.operation}({inputs})" if node.operation else "",
                     f"{node.data:.6g}", f"{node.grad:.6g}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
