"""What the parameters of an estimator may be, in scikit-learn's terms, and the network that they describe."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from fastbp import _check as check
from fastbp import losses
from fastbp._core import cpu
from fastbp.callbacks import EarlyStopping
from fastbp.checkpoints import Checkpoint
from fastbp.layers import Dense, Dropout
from fastbp.network import Sequential
from fastbp.optimizers import Optimizer
from fastbp.schedules import Schedule
from fastbp.sklearn import _optimizers

if TYPE_CHECKING:
    from fastbp._check.types import Array
    from fastbp.losses import Loss

ITERATIVE = set(_optimizers.NAMES)
_OURS = {"identity": "linear", "logistic": "sigmoid", "exp": "exponential"}  # scikit-learn's names of activations
_NAMES = {ours: theirs for theirs, ours in _OURS.items()}
# those of one unit: softmax is of a row
ACTIVATIONS = {*(set(cpu.activations()) - {"softmax"}), *_OURS}

CONSTRAINTS: dict[str, Any] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(ACTIVATIONS), list, tuple],
    "solver": [StrOptions({"lbfgs", *ITERATIVE}), Optimizer],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), Schedule],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean", EarlyStopping, None],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    "clip_value": [Interval(Real, 0, None, closed="neither"), None],
    "metrics": [dict, None],
    "dtype": [str, type, np.dtype, None],
    "threads": [Interval(Integral, 1, None, closed="left"), None],
    "checkpoint": [Checkpoint, None],
}


def hidden_widths(sizes: Any) -> list[int]:
    """The widths of the hidden layers."""
    widths = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if np.any(np.array(widths) <= 0):
        raise ValueError("hidden_layer_sizes must be > 0, got %s." % widths)  # noqa: UP031  # scikit-learn's words
    return [check.integer("hidden_layer_sizes", width, minimum=1) for width in widths]


def activations(given: Any, hidden: int) -> list[str]:
    """fastbp's names of the activations of so many hidden layers: of one name for all, or a name for each."""
    names = [given] * max(hidden, 1) if isinstance(given, str) else list(given)
    if len(names) != max(hidden, 1) and not isinstance(given, str):
        raise ValueError(f"activation is {check.shown(given)}, expected a name, or one for each of {hidden} hidden "
                         "layers; pass as many as hidden_layer_sizes has")
    return [ours(name, "activation") for name in names]


def ours(name: Any, argument: str) -> str:
    """fastbp's name of an activation, which may be scikit-learn's."""
    found = _OURS.get(name, name) if isinstance(name, str) else name
    return check.choice(argument, found, ACTIVATIONS - set(_OURS))


def theirs(name: str) -> str:
    """The name of an activation as `out_activation_` shows it."""
    return _NAMES.get(name, name)


def frame(model: Any, features: int, units: int, loss: Loss, output: str, dtype: Any, penalised: bool) -> Any:
    """All that says which network an estimator's parameters describe: two of the same can be trained for each other."""
    widths = hidden_widths(model.hidden_layer_sizes)
    names = activations(model.activation, len(widths))
    return (features, *widths, units), tuple(names[: len(widths)]), output, model.dropout, loss, dtype, penalised


def network(frame: Any, l2: float, seed: int) -> Sequential:
    """The network of a frame, its parameters zero. l2: the factor of sum W^2 in the loss of a whole batch."""
    (features, *widths, units), names, output, dropout, loss, dtype, _ = frame
    layers: list[Any] = []
    for inputs, width, name in zip([features, *widths], widths, names, strict=False):
        layers.append(_dense(inputs, width, name, l2))
        if dropout > 0:
            layers.append(Dropout(float(dropout)))
    layers.append(_dense([features, *widths][-1], units, output, l2))
    return Sequential(*layers, loss=loss, dtype=dtype, seed=seed)


def _dense(inputs: int, units: int, activation: str, l2: float) -> Dense:
    return Dense(inputs, units, activation, init="zeros", bias_init="zeros", l2=l2)


def dense_layers(net: Sequential) -> list[Any]:
    """The layers that have weights."""
    return [layer for layer in net.layers if isinstance(layer, Dense)]


def initialise(model: Any, net: Sequential, random_state: Any) -> None:
    """Draws the initial values as scikit-learn does, of the same numbers: uniform in +- sqrt(6 / (inputs + units)) (2
    for a sigmoid; Glorot and Bengio, AISTATS 2010), each layer's weights and then its biases."""
    layers = dense_layers(net)
    names = activations(model.activation, len(layers) - 1)
    for layer, name in zip(layers, [*names, names[-1]] if len(layers) > len(names) else names, strict=True):
        bound = np.sqrt((2.0 if name == "sigmoid" else 6.0) / (layer.inputs + layer.units))
        layer.W[:] = random_state.uniform(-bound, bound, (layer.inputs, layer.units))
        layer.b[:] = random_state.uniform(-bound, bound, layer.units)


def regression_loss(loss: Any) -> Loss:
    """The loss of a regressor: scikit-learn's "squared_error" is half of the sum over the outputs."""
    return losses.HalfSquaredError() if loss == "squared_error" else losses.get(loss)


def squares(net: Sequential) -> float:
    """sum W^2 of all layers."""
    return sum(float(np.vdot(layer.W, layer.W)) for layer in dense_layers(net))


def add_penalty(net: Sequential, factor: float) -> float:
    """Adds the gradient of factor / 2 sum W^2 to `grads`; returns that penalty."""
    for layer in dense_layers(net):
        layer.dW[:] += factor * layer.W
    return 0.5 * factor * squares(net)


def batch_size(model: Any, n: int) -> int:
    """The rows of a step, of n."""
    return min(200, n) if model.batch_size == "auto" else min(int(model.batch_size), n)


def arrays_of(net: Sequential, name: str) -> list[Array]:
    """[W, ...] or [b, ...] of the layers that have weights, views of the network's parameters."""
    return [getattr(layer, name) for layer in dense_layers(net)]
