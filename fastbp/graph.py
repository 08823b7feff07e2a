"""The computational graph: nodes, and differentiation as a rewrite of it.

A node is an operation applied to nodes; its value is a matrix with a row for each sample, a range of the parameter
vector, or one number. Gradients are nodes like any other: `differentiate` adds them to the graph, once, before anything
runs. `fastbp.lowering` then puts the graph in order for the compiled plan. An operation is a function that writes its
node, the derivative beneath it, and a row in OPERATIONS.
"""


class Node:
    """op: a name in OPERATIONS; inputs: nodes; width: columns of its rows; attributes: whatever the operation needs."""

    __slots__ = ("attributes", "inputs", "op", "width")

    def __init__(self, op, inputs=(), width=0, **attributes):
        self.op, self.inputs, self.width, self.attributes = op, tuple(inputs), width, attributes

    def __getattr__(self, name):
        try:
            return self.attributes[name]
        except KeyError:
            raise AttributeError(f"a {self.op!r} node has no {name!r}") from None

    def __repr__(self):
        return f"<{self.op} {self.width}>"


# ---- operations: how each is written, and its derivative beneath it ------------------------------------------------


def data(name, width):
    """Rows given by the caller: inputs, targets, weights of samples, or a gradient to start backward from."""
    return Node("data", width=width, name=name)


def parameter(offset, shape):
    """Elements [offset, offset + prod(shape)) of the parameter vector."""
    return Node("parameter", width=shape[-1], offset=offset, shape=shape)


def dense(x, W, b, activation):
    """activation(x W + b). x (B, I), W (I, O), b (O,)."""
    return Node("dense", (x, W, b), width=W.width, activation=activation)


def _dense_derivative(node, dy):
    x, W, b = node.inputs
    # dZ: the linear activation copies its gradient, so it needs no node
    dz = dy if node.activation == "linear" else Node("activation_gradient", (dy, node), width=node.width)
    yield x, lambda: Node("input_gradient", (dz, W), width=x.width)
    yield W, lambda: Node("weight_gradient", (x, dz, W), width=W.width)
    yield b, lambda: Node("bias_gradient", (dz, b), width=b.width)


def dropout(x, rate, number):
    """x with each element zeroed with probability `rate`, the others divided by 1 - rate; `number` names its masks."""
    return Node("dropout", (x,), width=x.width, rate=rate, number=number)


def _dropout_derivative(node, dy):
    yield node.inputs[0], lambda: Node("dropout", (dy,), width=node.width, rate=node.rate, number=node.number)


def loss(y, target, function):
    """The scalar loss of outputs y (B, O) for targets; function is a fastbp.losses.Loss."""
    return Node("loss", (y, target), width=0, function=function)


def _loss_derivative(node, seed):
    # the loss and its gradient come from one pass over the rows, which starts from dLoss/dLoss = 1
    y = node.inputs[0]
    yield y, lambda: Node("loss_gradient", (node,), width=y.width)


def penalty(W, l1, l2):
    """l1 * sum |W| + l2 * sum W^2."""
    return Node("penalty", (W,), width=0, l1=l1, l2=l2)


def _penalty_derivative(node, seed):
    W = node.inputs[0]
    yield W, lambda: Node("penalty_gradient", (W,), width=W.width, l1=node.l1, l2=node.l2)


def add(*terms):
    """The sum of nodes of one shape."""
    return terms[0] if len(terms) == 1 else Node("add", terms, width=terms[0].width)


def _add_derivative(node, dy):
    for term in node.inputs:
        yield term, lambda: dy


OPERATIONS = {
    "data": None,
    "parameter": None,
    "dense": _dense_derivative,
    "dropout": _dropout_derivative,
    "loss": _loss_derivative,
    "penalty": _penalty_derivative,
    "add": _add_derivative,
}


# ---- differentiation -----------------------------------------------------------------------------------------------


def ordered(roots):
    """All nodes that `roots` need, each after its inputs: depth first, without recursion."""
    order, seen, stack = [], set(), [(root, False) for root in reversed(roots)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(node.inputs))
    return order


def differentiate(root, seed, wanted):
    """{wanted node: the node of d root / d it}; `seed` is the gradient of the root itself (None for a loss: 1).

    Only what leads to a wanted node is made: the gradient of the first layer's input is not, unless it is asked for.
    """
    order = ordered([root])
    leads = {id(node) for node in wanted}
    for node in order:
        if any(id(child) in leads for child in node.inputs):
            leads.add(id(node))
    terms = {id(root): [seed]}
    for node in reversed(order):
        derivative = OPERATIONS[node.op]
        if derivative is None or id(node) not in leads or id(node) not in terms:
            continue
        for child, gradient in derivative(node, add(*terms[id(node)])):
            if id(child) in leads:
                terms.setdefault(id(child), []).append(gradient())
    return {node: add(*terms[id(node)]) for node in wanted if id(node) in terms}
