"""The network of lists.py in NumPy, for a whole batch at once and with everything the engine offers: any activation,
loss and update of kernels.py, dropout, penalties, sample weights. The tests compare the compiled engine with it.

The sums over neurons have become products of matrices, and the mean over the examples is inside them. Shapes: B
samples, I inputs, U units; one row a sample. A gradient of the cost begins with d.

    forward    Z (B, U) = X (B, I) W (I, U) + b (U)        Y (B, U) = activation(Z)
    backward   dZ = dY * activation'(Z)                    the same product as in lists.py, for every sample
               dW = X^T dZ                                 summed over the samples: the loss has divided by B
               db = the sum of the rows of dZ
               dX = dZ W^T                                 the next dY, one layer earlier

    net = Network([Dense(3, 2, "sigmoid"), Dense(2, 1, "sigmoid")], loss="squared_error")
    net.params[:] = ...
    opt = Optimizer("adam", lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8)
    cost = net.loss_and_grad(X, y)          # fills net.grads
    opt.step(net)                           # reads net.grads, writes net.params
"""
import inspect
from typing import NamedTuple

import numpy as np

from fastbp.reference import kernels


class Dense(NamedTuple):
    inputs: int
    units: int
    activation: str = "linear"
    l1: float = 0.0     # l1 * sum |W| + l2 * sum W^2 is added to the loss; biases are free
    l2: float = 0.0


class Dropout(NamedTuple):
    rate: float


class LayerNorm(NamedTuple):
    """Y = gamma N + beta, N = (X - mean) / sqrt(variance + eps), both over the features of each sample."""
    width: int
    eps: float = 1e-5

    def forward(self, X, gamma, beta):
        """(Y, N, S), S (B, 1) the roots that were divided by."""
        centred = X - X.mean(axis=1, keepdims=True)
        S = np.sqrt((centred**2).mean(axis=1, keepdims=True) + self.eps)
        return gamma * centred / S + beta, centred / S, S

    def backward(self, dY, N, S, gamma):
        """(dX, dgamma, dbeta). Mean and root depend on every feature of the sample, hence the two terms taken away."""
        dN = dY * gamma
        dX = (dN - dN.mean(axis=1, keepdims=True) - N * (dN * N).mean(axis=1, keepdims=True)) / S
        return dX, (dY * N).sum(axis=0), dY.sum(axis=0)


class Loss(NamedTuple):
    kernel: str         # the loss of one sample, summed over its outputs: <kernel>_loss of kernels.py
    mean: str           # over "samples", or over samples "and outputs"
    param: float = 0.0  # its own number: delta, label smoothing, q


def of_kernel(name):
    param = (getattr(kernels, f"{name}_loss").__defaults__ or (0.0,))[0]
    return Loss(name, "samples" if name in kernels.OVER_SAMPLES else "and outputs", param)


LOSSES = {name: of_kernel(name) for name in kernels.LOSSES if name != "cross_entropy_labels"}
LOSSES["mse"] = LOSSES["squared_error"]._replace(mean="and outputs")


class Network:
    """layers: a list of Dense, Dropout and LayerNorm. params and grads are vectors (P,): layer by layer W row by row,
    then b; gamma, then beta."""

    def __init__(self, layers, loss="squared_error", param=None):
        self.layers = layers
        self.loss = LOSSES[loss] if param is None else LOSSES[loss]._replace(param=param)
        count = sum((layer.inputs + 1) * layer.units for layer in layers if isinstance(layer, Dense))
        count += sum(2 * layer.width for layer in layers if isinstance(layer, LayerNorm))
        self.params, self.grads = np.zeros(count), np.zeros(count)
        self.W, self.b, self.dW, self.db = {}, {}, {}, {}       # of layer number i: views, not copies
        self.gamma, self.beta, self.dgamma, self.dbeta = {}, {}, {}, {}
        start = 0
        for i, layer in enumerate(layers):
            if isinstance(layer, Dense):
                middle, end = start + layer.inputs * layer.units, start + (layer.inputs + 1) * layer.units
                self.W[i] = self.params[start:middle].reshape(layer.inputs, layer.units)
                self.dW[i] = self.grads[start:middle].reshape(layer.inputs, layer.units)
                self.b[i], self.db[i] = self.params[middle:end], self.grads[middle:end]
                start = end
            elif isinstance(layer, LayerNorm):
                middle, end = start + layer.width, start + 2 * layer.width
                self.gamma[i], self.beta[i] = self.params[start:middle], self.params[middle:end]
                self.dgamma[i], self.dbeta[i] = self.grads[start:middle], self.grads[middle:end]
                start = end

    def forward(self, X, keys=None):
        """Outputs (B, U) for X (B, I). Keeps what backward needs. keys: of the random stream, one for each layer (only
        those of the Dropout layers are used), as in training; without keys nothing is dropped, as in predicting."""
        self.kept = []
        Y = np.asarray(X, np.float64)
        for i, layer in enumerate(self.layers):
            X = Y
            if isinstance(layer, Dense):
                Z = X @ self.W[i] + self.b[i]
                Y = getattr(kernels, f"{layer.activation}_forward")(Z)
                self.kept.append({"X": X, "Z": Z, "Y": Y})
            elif isinstance(layer, LayerNorm):
                Y, N, S = layer.forward(X, self.gamma[i], self.beta[i])
                self.kept.append({"N": N, "S": S})
            else:
                mask = np.ones_like(X) if keys is None else kernels.dropout(np.ones_like(X), 0, keys[i], layer.rate)
                Y = X * mask
                self.kept.append({"mask": mask})
        return Y

    def backward(self, dY):
        """From the gradient dY (B, U) of some cost for the outputs, that for the inputs, dX (B, I); fills grads."""
        for i in reversed(range(len(self.layers))):
            layer, kept = self.layers[i], self.kept[i]
            if isinstance(layer, Dense):
                derivative = getattr(kernels, f"{layer.activation}_backward")
                source = list(inspect.signature(derivative).parameters)[1]      # "Z" or "Y", as its formula is written
                dZ = kept["dZ"] = derivative(dY, kept[source])
                self.dW[i][:] = kept["X"].T @ dZ
                self.db[i][:] = dZ.sum(axis=0)
                dY = dZ @ self.W[i].T
            elif isinstance(layer, LayerNorm):
                dY, self.dgamma[i][:], self.dbeta[i][:] = layer.backward(dY, kept["N"], kept["S"], self.gamma[i])
            else:
                dY = dY * kept["mask"]
        return dY

    def loss_and_grad(self, X, y, sample_weight=None, keys=None):
        """The cost of the batch, a float, with the penalties; fills grads with its gradient. y: targets (B, U), or for
        cross_entropy the numbers of the classes (B,). sample_weight (B,) multiplies each sample's cost; the sum is
        still divided by B."""
        Y = self.forward(X, keys)
        samples, outputs = Y.shape
        w = np.ones(samples) if sample_weight is None else np.asarray(sample_weight, np.float64)
        scale = 1 / samples if self.loss.mean == "samples" else 1 / (samples * outputs)
        labels = self.loss.kernel == "cross_entropy" and np.ndim(y) == 1
        loss = getattr(kernels, f"{self.loss.kernel}_labels_loss" if labels else f"{self.loss.kernel}_loss")
        cost, dY = loss(Y, np.asarray(y) if labels else np.asarray(y, np.float64), w, scale, self.loss.param)
        self.backward(dY)
        for i, W in self.W.items():
            price, dW = kernels.penalty(W, self.layers[i].l1, self.layers[i].l2)
            cost += price
            self.dW[i][:] += dW
        return float(cost)


class Optimizer:
    """An update of kernels.py with its state. hyper: lr, weight_decay, beta1 (momentum, rho), beta2, eps.
    clip_norm limits the length of the whole gradient, clip_value then each of its entries."""

    def __init__(self, update="sgd", clip_norm=np.inf, clip_value=np.inf, **hyper):
        self.update = getattr(kernels, f"{update}_update")
        self.clip_norm = clip_norm
        self.hyper = kernels.Hyper(**hyper, limit=clip_value)
        self.steps = 0
        self.s0 = self.s1 = 0.0

    def step(self, net):
        """One step of net.params against net.grads."""
        self.steps += 1
        norm = np.sqrt(kernels.sum_squares(net.grads))
        h = self.hyper._replace(
            scale=self.clip_norm / norm if norm > self.clip_norm else 1.0,
            correction1=1 - self.hyper.beta1**self.steps,       # Adam's averages began at 0 and are still too small
            correction2=1 - self.hyper.beta2**self.steps,
        )
        net.params[:], self.s0, self.s1 = self.update(net.params, self.s0, self.s1, net.grads, h)
