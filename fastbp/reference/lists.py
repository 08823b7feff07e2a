"""Backpropagation in plain Python lists: the whole algorithm on a page, with the symbols of a blackboard.

A network is a list of layers, and a layer is a pair (W, b):

    W[k][j]  the weight from neuron k of the layer before to neuron j of this one
    b[j]     the bias of neuron j

With a_before for the activations of the layer before, one neuron computes

    z = w * a_before + b,    a = s(z)        (with many neurons: a sum over the layer before)

and one example costs C = (a - y)^2, summed over the outputs. The chain rule multiplies the rates of these machines
in a row, from the cost back to each thing that can be nudged:

    dC/dw        = a_before * s'(z) * 2 (a - y)
    dC/db        =            s'(z) * 2 (a - y)
    dC/da_before =        w * s'(z) * 2 (a - y)        (with many neurons: a sum over this layer)

The last line is what propagates backward: it takes the place of 2 (a - y) one layer earlier.

    network = new_network([3, 2, 1], seed=0)
    train(network, examples, lr=0.5, batch_size=10, epochs=100)      # examples: a list of pairs (x, y) of lists
    forward(network, x)[-1]                                          # what it answers

Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
"""
import math
import random
from itertools import pairwise


def s(z):
    """The sigmoid 1 / (1 + exp(-z)), in a form that cannot overflow. Its slope is s'(z) = s(z) (1 - s(z))."""
    return (1 + math.tanh(z / 2)) / 2


def mean(numbers):
    return sum(numbers) / len(numbers)


def new_network(widths, seed=0):
    """Layers of the given widths (inputs first); random weights, smaller where more of them are added up; biases 0."""
    rng = random.Random(seed)
    return [([[rng.gauss(0, 1 / math.sqrt(inputs)) for _ in range(units)] for _ in range(inputs)], [0.0] * units)
            for inputs, units in pairwise(widths)]


def forward(network, x):
    """The activations of every layer, left to right; the first is the input itself and the last is the answer."""
    activations = [x]
    for W, b in network:
        a_before = activations[-1]
        z = [sum(a_before[k] * W[k][j] for k in range(len(W))) + b[j] for j in range(len(b))]
        activations.append([s(z_j) for z_j in z])
    return activations


def cost(a, y):
    """What one example costs: the sum of the squared distances between the outputs and the wanted ones."""
    return sum((a[j] - y[j]) ** 2 for j in range(len(a)))


def backward(network, activations, y):
    """The slope of one example's cost for every weight and bias: a list of pairs (dC/dW, dC/db) shaped like the
    network. The example wishes to move each of them the other way. `activations` is what forward returned."""
    gradient = []
    dC_da = [2 * (a_j - y[j]) for j, a_j in enumerate(activations[-1])]
    for i in reversed(range(len(network))):
        W, b = network[i]
        a_before, a = activations[i], activations[i + 1]
        dC_dz = [a[j] * (1 - a[j]) * dC_da[j] for j in range(len(b))]   # s'(z) times what came back
        dC_db = dC_dz                                                   # z grows exactly as b does
        dC_dW = [[a_before[k] * dC_dz[j] for j in range(len(b))]        # most where a_before is bright
                 for k in range(len(W))]
        dC_da = [sum(W[k][j] * dC_dz[j] for j in range(len(b)))         # the wishes of this whole layer, added up
                 for k in range(len(W))]
        gradient.insert(0, (dC_dW, dC_db))
    return gradient


def mean_cost(network, examples):
    return mean([cost(forward(network, x)[-1], y) for x, y in examples])


def mean_gradient(network, examples):
    """The mean over the examples of what backward gives for each: the gradient of mean_cost."""
    wishes = [backward(network, forward(network, x), y) for x, y in examples]
    gradient = []
    for i, (W, b) in enumerate(network):
        dW = [[mean([wish[i][0][k][j] for wish in wishes]) for j in range(len(b))] for k in range(len(W))]
        db = [mean([wish[i][1][j] for wish in wishes]) for j in range(len(b))]
        gradient.append((dW, db))
    return gradient


def step(network, gradient, lr):
    """Nudge every weight and bias downhill: against its slope, times the learning rate."""
    for (W, b), (dW, db) in zip(network, gradient, strict=True):
        for k in range(len(W)):
            for j in range(len(b)):
                W[k][j] -= lr * dW[k][j]
        for j in range(len(b)):
            b[j] -= lr * db[j]


def train(network, examples, lr, batch_size, epochs, seed=0):
    """Stochastic gradient descent: shuffle, cut into mini-batches, a step for each. Changes the network in place."""
    rng = random.Random(seed)
    for _ in range(epochs):
        shuffled = rng.sample(examples, len(examples))
        for start in range(0, len(shuffled), batch_size):
            step(network, mean_gradient(network, shuffled[start:start + batch_size]), lr)
