"""Layers: what a network is made of. A layer made by a user only stores and checks what it was given;
`Sequential` keeps copies of them whose W, b, dW and db are views of the network's vectors `params` and `grads`."""

import copy

from fastbp import _check as check
from fastbp import initializers
from fastbp._core import cpu, random
from fastbp._ir import leaves, nn


class Layer:
    """What layers have in common. `kind` names the class in files; `size` is the number of parameters."""

    kind = None
    size = 0
    _fixed = ()  # names that cannot be set any more, once a network has bound the layer

    def __setattr__(self, name, value):
        if name in self._fixed:
            remedy = f"write into it: layer.{name}[:] = ..." if name in ("W", "b", "dW", "db") else "make a new network"
            raise AttributeError(f"{name} of a network's layer cannot be replaced (by {value!r}); {remedy}")
        object.__setattr__(self, name, value)

    def copy(self):
        """A layer with the same settings, bound to nothing."""
        return type(self)(**self._settings())

    def __deepcopy__(self, memo):
        """A layer with the same settings and values, which are its own: a view of no network's vectors, a part of no
        expression. A copy of a network has layers that are views of its vectors."""
        twin = memo[id(self)] = object.__new__(type(self))
        twin.__dict__.update(copy.deepcopy({**self.__dict__, "_nodes": None}, memo))
        return twin

    def __copy__(self):
        return copy.deepcopy(self)

    def config(self):
        """JSON-able dict of what a file keeps: the kind and the settings, without initial values."""
        return {"kind": self.kind, **{k: v for k, v in self._settings().items() if k not in ("init", "bias_init")}}

    def bind(self, params, grads):
        """Makes this the layer of a network. Its plans are compiled for the settings, so they are fixed from now on."""
        self._fixed = frozenset(self._settings()) - {"init", "bias_init"} | {"W", "b", "dW", "db"}

    def initialise(self, W, b, key, before=None, depth=0):
        """Nothing to initialise where there are no parameters."""


class Dense(Layer):
    """A fully connected layer: Y = activation(X W + b), X (n, inputs), W (inputs, units), b (units,), Y (n, units).

    inputs, units: positive ints.
    activation: a name of `fastbp._core.cpu.activations()`; "softmax" only in the last layer of a network.
    init, bias_init: a name of `fastbp.initializers.NAMES` or an array of the shape of W, or b. None chooses by the
        activation, that of the layer before and how deep the layer lies, as `fastbp.initializers.default` says.
    l1, l2: non-negative factors; the loss grows by l1 sum |W| + l2 sum W^2 (biases are left alone).

    W, b, dW and db are None until a network binds them. Raises TypeError and ValueError at construction.
    """

    kind = "dense"

    def __init__(self, inputs, units, activation="linear", *, init=None, bias_init=None, l1=0.0, l2=0.0):
        self.inputs = check.integer("inputs", inputs, minimum=1)
        self.units = check.integer("units", units, minimum=1)
        self.activation = check.choice("activation", activation, cpu.activations())
        self.init = None if init is None else initializers.get("init", init, (self.inputs, self.units))
        self.bias_init = None if bias_init is None else initializers.get("bias_init", bias_init, (self.units,))
        self.l1 = check.number("l1", l1, minimum=0.0)
        self.l2 = check.number("l2", l2, minimum=0.0)
        self.W = self.b = self.dW = self.db = self._nodes = None

    @property
    def size(self):
        """The number of parameters: inputs * units + units."""
        return (self.inputs + 1) * self.units

    @property
    def output_only(self):
        """Whether this layer may only be the last one: softmax ties the outputs of a sample together."""
        return self.activation == "softmax"

    def bind(self, params, grads):
        """Makes W, b, dW, db views of this layer's part, (size,), of the network's two vectors: W, then b."""
        edge = self.inputs * self.units
        self.W, self.b = params[:edge].reshape(self.inputs, self.units), params[edge:]
        self.dW, self.db = grads[:edge].reshape(self.inputs, self.units), grads[edge:]
        super().bind(params, grads)

    def initialise(self, W, b, key, before=None, depth=0):
        """Writes initial values into W (inputs, units) and b (units,), drawn from the stream of `key`, an int.

        before: the activation of the Dense layer whose outputs are this one's inputs; None where they are data. depth:
        how many Dense layers lie between the data and this one."""
        fans = (self.inputs, self.units)
        usual = initializers.default(self.activation, before, depth, *fans)
        of_W, of_b = (usual[i] if given is None else given for i, given in enumerate((self.init, self.bias_init)))
        first = initializers.values(of_W, W.shape, fans, random.fold(key, 0))
        second = initializers.values(of_b, b.shape, fans, random.fold(key, 1))
        first, second = check.array("init", first, W.shape, W.dtype), check.array("bias_init", second, b.shape, b.dtype)
        W[...] = first
        b[...] = second

    def _settings(self):
        return {
            "inputs": self.inputs,
            "units": self.units,
            "activation": self.activation,
            "init": self.init,
            "bias_init": self.bias_init,
            "l1": self.l1,
            "l2": self.l2,
        }

    def __call__(self, x):
        """The layer applied to a node of an expression (batch, inputs); called twice, it shares its weights."""
        x = check.rows_of(x, self.inputs, f"layer {self!r}")
        if self._nodes is None:
            before, depth = nn.layer_before(x)
            made = {"layer": self, "penalty": (self.l1, self.l2), "before": before, "depth": depth}
            W = leaves.parameter((self.inputs, self.units), **made)
            self._nodes = (W, leaves.parameter((self.units,), layer=self))
        return nn.dense(x, *self._nodes, self.activation)

    def __repr__(self):
        text = f"Dense({self.inputs}, {self.units}, {self.activation!r}"
        for name in ("init", "bias_init"):
            value = getattr(self, name)
            if isinstance(value, str):
                text += f", {name}={value!r}"
            elif value is not None:
                text += f", {name}=<array {value.shape}>"
        return text + "".join(f", {name}={value}" for name in ("l1", "l2") if (value := getattr(self, name))) + ")"


class Dropout(Layer):
    """Inverted dropout: while training, each input is zero with probability `rate` and otherwise multiplied by
    1 / (1 - rate), so that nothing changes when predicting. 0 <= rate < 1.

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.
    """

    kind = "dropout"
    inputs = units = None
    output_only = False

    def __init__(self, rate):
        self.rate = check.fraction("rate", rate)

    def _settings(self):
        return {"rate": self.rate}

    def __call__(self, x, number=0):
        """Dropout of a node of an expression; each call has masks of its own, those of `number` if they are free."""
        x = check.rows_of(x, None, f"layer {self!r}")
        return nn.dropout(x, self.rate, nn.Mask(number)) if self.rate > 0 else x

    def __repr__(self):
        return f"Dropout({self.rate})"


KINDS = {cls.kind: cls for cls in (Dense, Dropout)}


def from_config(config):
    """The layer that `config()` described. Raises ValueError or TypeError where the dict is not such a one."""
    if not isinstance(config, dict) or "kind" not in config:
        raise TypeError(f"layer is {config!r}, expected a dict with a 'kind'; pass what Layer.config() gives")
    settings = dict(config)
    cls = KINDS[check.choice("layer kind", settings.pop("kind"), KINDS)]
    try:
        return cls(**settings)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise ValueError(f"layer {config!r} has wrong settings ({error}); pass what Layer.config() gives") from None


def in_a_row(given, loss):
    """Copies of the layers, if they make a network whose outputs this loss takes."""
    made = []
    width = None
    for i, layer in enumerate(given):
        if not isinstance(layer, Layer):
            raise TypeError(
                f"layers[{i}] is {layer!r}, expected a Dense or Dropout layer; pass fb.Dense(inputs, units)"
            )
        if layer.size:
            if width is not None and layer.inputs != width:
                raise ValueError(
                    f"layers[{i}] takes {layer.inputs} inputs, expected {width}, the units of the layer "
                    f"before it; make it Dense({width}, {layer.units})"
                )
            width = layer.units
        made.append(layer.copy())
    if not made or not made[-1].size:
        last = repr(made[-1]) if made else "nothing"
        raise ValueError(f"the last layer is {last}, expected a Dense layer; a network ends with its outputs")
    for i, layer in enumerate(made[:-1]):
        if layer.output_only:
            raise ValueError(
                f"layers[{i}] has activation {layer.activation!r}, expected it in the last layer only; "
                "choose another one, such as 'relu' or 'tanh'"
            )
    loss.check_output(made[-1].activation, made[-1].units)
    return made


def narrower(made):
    """What to do about a network that has no room: its largest layer."""
    largest = max(range(len(made)), key=lambda i: made[i].size)
    return f"make its largest layer narrower, layers[{largest}], {made[largest]!r}"
