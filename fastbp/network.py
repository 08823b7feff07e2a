"""Networks: layers in a row over one vector of parameters, compiled where they are used."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastbp import _check as check
from fastbp import losses
from fastbp._check import allocation, formatting, input_arrays
from fastbp._compiler import plan_cache
from fastbp._compiler.use import Use
from fastbp._core import random
from fastbp._core.updates import penalty
from fastbp._models import network_evaluation, network_passes, network_programs, per_sample
from fastbp._models.fast_calls import FastCalls, may_repeat
from fastbp._models.network_exports import Exports
from fastbp._models.summary import Summary
from fastbp._training import accuracy, network_fit
from fastbp._training.trainable import Trainable
from fastbp.layers import Dense, Dropout
from fastbp.layers import from_config as layer_from_config
from fastbp.layers.row import in_a_row, narrower, parts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastbp._check.types import Array, ClassWeight, Config, Data, DType, File, Floats
    from fastbp._compiler.plan_cache import BoundPlan
    from fastbp._ir.node import Node
    from fastbp.layers import Layer
    from fastbp.losses import Loss


class Sequential(Exports, Trainable):
    """A network of layers in a row.

    layers: objects of fastbp.layers, such as Dense and Dropout, each as wide as the one before it gives out; kept as
    copies in `layers`.
    loss: a name or a fastbp.losses object. dtype: "float32" or "float64", of parameters and arithmetic. seed: an int, 0
    to 2^64 - 1, of the initial parameters, the order of training and the dropout masks. input_scale: what X is
    multiplied by wherever the network reads it, such as 1 / 255 for pixels that are kept as bytes.

    params, grads: (P,), one contiguous vector each, never moved; `layers[i].W`, `.b`, `.dW`, `.db` of a Dense layer,
    and the arrays of any other one likewise, are views of them. A user may write into them between calls. A call that
    writes them refuses data that lie in them, and raises ValueError where the array was made read-only, or given
    another shape or dtype.
    epochs: those that `fit` has trained the network for, in copies and files too: the next one goes on from there. It
    may be set, to an int from 0; 0 begins anew, with the first order of training and the first masks of dropout.

    Raises ValueError or TypeError, naming the argument, for layers that do not fit each other or the loss.
    """

    def __init__(
        self,
        *layers: Layer,
        loss: str | Loss = "squared_error",
        dtype: DType = "float32",
        seed: int = 0,
        input_scale: float = 1.0,
    ) -> None:
        self._make(layers, loss, dtype, seed, input_scale)
        self._initialise()

    def _make(self, layers: Iterable[Layer], loss: str | Loss, dtype: DType, seed: int, input_scale: float) -> None:
        """The network of these settings, its parameters zero."""
        self.dtype = check.dtype(dtype)
        limits = np.finfo(self.dtype)
        self.input_scale = check.number(
            "input_scale", input_scale, minimum=float(limits.tiny), maximum=float(limits.max)
        )
        self.loss = losses.get(loss)
        self.seed = check.seed("seed", seed)
        self.layers = tuple(in_a_row(layers, self.loss))
        wide = [layer for layer in self.layers if layer.units is not None]
        self.inputs, self.units = cast("int", wide[0].inputs), cast("int", wide[-1].units)
        self.data_spec: Config | None = None
        self._allocate()

    def _initialise(self) -> None:
        """Draws the initial values: a stream for each layer that has parameters."""
        for stream, (layer, nodes) in enumerate(network_programs.layers_of(self)):
            layer.initialise(layer.values(), random.fold(self.seed, stream), nodes[0].before, nodes[0].depth)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            if name in ("params", "grads"):
                raise AttributeError(
                    f"{name} of a network cannot be replaced: layers and plans hold views of it; "
                    f"write into it: net.{name}[:] = ..."
                )
            if name in ("layers", "loss", "dtype", "input_scale", "inputs", "units"):
                raise AttributeError(
                    f"{name} of a network cannot be replaced (by {check.written(value)}); make a new network"
                )
            if name == "seed":
                value = check.seed("seed", value)
        object.__setattr__(self, name, value)

    def _allocate(self) -> None:
        self._parts = parts(self.layers)
        self._size = size = sum(layer.size for layer in self.layers)
        self.params, self.grads = (
            allocation.zeros(size, self.dtype, lambda: "the network", lambda: narrower(self.layers)) for _ in range(2)
        )
        begin = 0
        for layer in self.layers:
            layer.bind(self.params[begin : begin + layer.size], self.grads[begin : begin + layer.size])
            begin += layer.size
        self._begin(
            "another thread is training this network; wait for it, or give each thread a network of "
            "its own (copy.deepcopy(net))"
        )
        self._kept: tuple[Any, ...] | None = None  # what forward kept for backward
        self._fast = FastCalls(self.units, self.dtype)  # calls that can be made again at once

    def __call__(self, x: Node) -> Node:
        """The network applied to a node of an expression (batch, inputs): its raw outputs, before the loss's link.

        Called twice, it shares its weights. A plan begins with the network's parameters as they are and trains its own;
        plan.write_to(net) copies them back.
        """
        for number, layer in enumerate(self.layers):
            x = layer.applied(x, number)
        return x

    # ---- one pass --------------------------------------------------------------------------------------------------

    def forward(self, X: Data) -> Floats:
        """The outputs (n, units) for X (n, inputs), before the loss's link; keeps what `backward` needs.

        This is a pass of training: dropout is active. `predict` is for using the network. X itself is kept, not a copy
        of it: where it changes before `backward`, so do the gradients; one that has lost its shape is refused.
        """
        return self._exclusive.call(self._forward, X)

    def backward(self, dY: Data) -> Floats:
        """Fills `grads` from dY (n, units), the gradient for the outputs of the last `forward`; returns dX (n, inputs).

        dX, of the network's dtype, is the gradient for X as it was passed, before input_scale. Penalties of the layers
        are included in `grads`.
        """
        return self._exclusive.call(self._backward, dY)

    def loss_and_grad(
        self, X: Data, y: Data, sample_weight: Data | None = None, class_weight: ClassWeight | None = None
    ) -> float:
        """The loss (a float) of this batch, penalties included; fills `grads`. X (n, inputs), y as for `fit`.

        Raises FloatingPointError, naming the layer, if the loss is not finite.
        """
        return self._exclusive.call(self._loss_and_grad, X, y, sample_weight, class_weight)

    _forward, _backward = network_passes.forward, network_passes.backward
    _loss_and_grad = network_passes.loss_and_grad

    # ---- use -------------------------------------------------------------------------------------------------------

    def predict(self, X: Data, out: Floats | None = None) -> Floats:
        """What the network says of X (n, inputs): (n, units), probabilities where the loss is a classification's.

        The outputs through the loss's link: softmax for cross_entropy, sigmoid for binary_cross_entropy, exp for
        poisson, nothing for the others. Dropout is off. May be called from several threads at once.
        out: None, or a C-contiguous array (n, units) of the network's dtype, apart from X and params, to write into.
        """
        if out is not None:
            return network_evaluation.predicted_into(self, X, out)
        Y = self._fast.predicted(X)
        if Y is None:
            X, dtypes = self._read(X)
            Y = self._outputs(X)[0]
            use = Use("predict", len(X), dtypes=dtypes)
            if len(X) <= network_evaluation.PREDICT_ROWS and may_repeat(use, self.input_scale):
                self._fast.note_prediction(self._make_plan(use))
        return self._linked(Y)

    def evaluate(
        self, X: Data, y: Data, sample_weight: Data | None = None, class_weight: ClassWeight | None = None
    ) -> dict[str, float]:
        """{"loss": mean over the samples, with penalties} and, for a classification, {"accuracy": share right}, of the
        targets that are there where the loss ignores those that are missing.

        Dropout is off. An accuracy is given for cross_entropy and binary_cross_entropy, and for targets that are
        classes: integer labels, or one-hot rows of two outputs or more, with a loss that compares with such (the
        squared errors, mae, huber). What a network says is then its largest output.
        """
        X, _ = self._read(X)
        targets, labels = check.targets(y, len(X), self.loss, self.units, self.dtype)
        weights = check.weights(sample_weight, class_weight, targets, len(X), self.loss, self.dtype, self.classes)
        target_type = accuracy.target_type_of(targets, labels, self.loss, self.units)
        return self._evaluated(X, targets, labels, weights, target_type)

    _linked = network_evaluation.linked
    _evaluated, _judged = network_evaluation.evaluated, network_evaluation.judged
    _evaluation, _outputs = network_evaluation.evaluation, network_evaluation.outputs

    def _penalty(self) -> float:
        return penalty(self.params, self._penalties())

    def _penalties(self) -> list[tuple[int, int, float, float]]:
        """[(begin, count, l1, l2), ...] of those that have one, as parts of the parameters."""
        return [(part.begin, part.end - part.begin, *part.penalty) for part in self._parts if any(part.penalty)]

    # ---- gradients of single samples -------------------------------------------------------------------------------

    def per_example_grads(self, X: Data, y: Data, sample_weight: Data | None = None) -> Floats:
        """The gradient of each sample's own loss, (n, P): row i is what `loss_and_grad` gives for X[i:i+1], y[i:i+1].

        Penalties of the layers are included in every row, dropout is off; the mean over axis 0 is the gradient of the
        batch. X, y, sample_weight as for `loss_and_grad`. May be called from several threads at once.

        Raises FloatingPointError, naming the sample, if a number is not finite.
        """
        arrays, options = self._samples(X, y, sample_weight)
        places = [(part.begin, part.end) for part in self._parts]
        return per_sample.gradients_of(self, len(arrays["X"]), arrays, places, **options)

    def per_example_grad_norms(self, X: Data, y: Data, sample_weight: Data | None = None) -> Floats:
        """The Euclidean norm of each row of `per_example_grads`, (n,), without making the rows.

        It comes from squares of its parts, |x|^2 |dz|^2 and what penalties add to them: what is below 1e-19 of float32
        is 0, and where a penalty all but cancels a gradient the digits that cancel are lost.
        """
        arrays, options = self._samples(X, y, sample_weight)
        return per_sample.norms_of(self, len(arrays["X"]), arrays, **options)

    def _samples(self, X: Data, y: Data, sample_weight: Data | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """({name: checked array}, options of the Use of the plan that reads them)."""
        X, dtypes = self._read(X)
        targets, labels = check.targets(y, len(X), self.loss, self.units, self.dtype)
        weights = check.weights(sample_weight, None, targets, len(X), self.loss, self.dtype)
        arrays = {"X": X, "targets": targets, "weights": weights}
        return arrays, {"labels": labels, "weighted": weights is not None, "dtypes": dtypes}

    # ---- training --------------------------------------------------------------------------------------------------

    fit = network_fit.fit

    # ---- files -----------------------------------------------------------------------------------------------------

    def save(self, path: File) -> None:
        """Writes the network to one safetensors file, a path or an open binary file; `fastbp.load(path)` reads it.

        A reader of the path sees the old file or the whole new one. Raises ValueError if a parameter is not finite or
        data_spec is not of the schema, OSError where the file cannot be written; one already at `path` is then as it
        was.
        """
        from fastbp import serialization  # here: it imports safetensors

        check.vectors(self, ())
        serialization.write_network(self.config(), self.params, path, self._counts())

    def config(self) -> Config:
        """The architecture as a JSON-able dict: everything but the parameters' values."""
        return {
            "dtype": self.dtype.name,
            "seed": self.seed,
            "layers": [layer.config() for layer in self.layers],
            "loss": self.loss.config(),
            "input_scale": self.input_scale,
            "data_spec": self.data_spec,
        }

    @classmethod
    def from_config(cls, config: Config) -> Sequential:
        """A network of this architecture, its parameters zero. config: what `config()` of a network gave."""
        needed = ("layers", "loss", "dtype", "seed")
        if not isinstance(config, dict) or not isinstance(config.get("layers"), list) or not all(
            name in config for name in needed
        ):
            found = sorted(map(str, config)) if isinstance(config, dict) else config
            raise ValueError(f"config is {check.shown(found)}, expected a dict with a list of layers, and with "
                             f"{', '.join(needed[1:])}; pass what net.config() gives")
        net = cls.__new__(cls)
        net._make(
            [layer_from_config(item) for item in config["layers"]],
            losses.from_config(config["loss"]),
            config["dtype"],
            config["seed"],
            config.get("input_scale", 1.0),
        )
        net.data_spec = config.get("data_spec")
        return net

    def __getstate__(self) -> dict[str, Any]:
        check.vectors(self, ())
        return {
            "config": self.config(),
            "params": self.params.copy(),
            "grads": self.grads.copy(),
            "draws": self._draws,
            "epochs": self.epochs,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(Sequential.from_config(state["config"]).__dict__)
        self._plans = plan_cache.Cache(self._make_plan)
        self.params[:], self.grads[:] = state["params"], state["grads"]
        self._go_on(state)

    # ---- how it is done --------------------------------------------------------------------------------------------

    @property
    def classes(self) -> int:
        """The number of classes a class_weight may speak of: two for a single output."""
        return max(2, self.units)

    def _read(self, X: Data) -> tuple[Array, tuple[tuple[str, str], ...]]:
        """(X as a plan reads it, what its plan must know of its dtype)."""
        X = input_arrays.rows(X, self.inputs, self.dtype, scale=self.input_scale)
        return X, input_arrays.input_dtypes(self.dtype, {"X": X})

    def _make_plan(self, use: Use) -> BoundPlan:
        check.vectors(self, ())
        return plan_cache.BoundPlan(self.params, self.grads, network_programs.program(self, use), use.threads)

    def _layer_of(self, vector: Floats) -> str:
        """The name of the first layer whose part of a (P,) vector has an element that is not finite."""
        for part in self._parts:
            if not np.isfinite(vector[part.begin : part.end]).all():
                return f"layer {part.layer} ({self.layers[part.layer]!r})"
        return "no layer"

    def head(self, i: int) -> Sequential:
        """A network of the layers up to layer i, one with a width, with a copy of their parameters. Raises ValueError
        for an i that is no layer's number, from 0 on."""
        i = check.integer("i", i, minimum=0, maximum=len(self.layers) - 1)
        layers = self.layers[: i + 1]
        head = Sequential(*layers, loss="mae", dtype=self.dtype, input_scale=self.input_scale)
        head.params[:] = self.params[: head.params.size]
        return head

    def summary(self) -> Summary:
        """A table of the layers, which text and notebooks show: the shape of what each gives, its parameters, and its
        multiply-adds for a row."""
        return Summary(self)

    def __repr__(self) -> str:
        parts = [*map(repr, self.layers), f"loss={self.loss!r}", f"dtype={self.dtype.name!r}", f"seed={self.seed}"]
        return formatting.call("Sequential", parts + [f"input_scale={self.input_scale!r}"] * (self.input_scale != 1))


def mlp(
    *widths: int,
    activation: str = "relu",
    output: str = "linear",
    loss: str | Loss = "squared_error",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    dtype: DType = "float32",
    seed: int = 0,
    input_scale: float = 1.0,
) -> Sequential:
    """A dense network of these widths: mlp(784, 16, 16, 10) has 784 inputs, two hidden layers of 16 and 10 outputs.

    activation: of the hidden layers; output: of the last one. dropout: rate after each hidden layer; l1, l2: penalties
    of every weight matrix. loss, dtype, seed, input_scale: as for Sequential.
    """
    if len(widths) < 2:
        raise ValueError(f"widths is {widths}, expected at least two; pass inputs and outputs, as in mlp(784, 10)")
    rate = check.fraction("dropout", dropout)
    made: list[Layer] = []
    for i, (inputs, units) in enumerate(pairwise(widths)):
        last = i == len(widths) - 2
        made.append(Dense(inputs, units, output if last else activation, l1=l1, l2=l2))
        if rate > 0 and not last:
            made.append(Dropout(rate))
    return Sequential(*made, loss=loss, dtype=dtype, seed=seed, input_scale=input_scale)


def load(path: File) -> Sequential:
    """Reads a network written by `save` or fb.Checkpoint -> Sequential with the same parameters, dtype, seed, loss and
    data_spec, which training goes on with as it would have with the one that was saved.

    Raises FileNotFoundError, IsADirectoryError, or ValueError naming the file and what is wrong with it: a foreign or
    truncated file, unknown, missing or mistyped entries, sizes that do not match the tensor, parameters that are not
    finite. No message shows texts or values of the file.

    path: as for `save`. Of an open file exactly the network is read, from where it stands, so that several may follow
    each other.
    """
    from fastbp import serialization

    net, params, trained = serialization.read_network(path, Sequential.from_config)
    net.params[:] = params
    net._go_on(trained)
    return net
