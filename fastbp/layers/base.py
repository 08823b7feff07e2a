"""What a layer states - its parameters, the nodes that it makes, its settings in files - and what follows from that.

A subclass with a `kind` of its own states:

    kind, settings         its name in files, and {name of an argument: what it may be}: what files keep of it
    widths                 (the setting that says how wide its inputs are, the one for its outputs), or None for any
    parameters(...)        its `Parameter`s, in the order in which they lie in the network's vectors
    graph(x, ...)          the node of its outputs

Arguments of its constructor are attributes of the same name. Everything else is here: copies, `repr` and configs; the
views `layer.W` and `layer.dW` of a parameter called W; initial values; the layer in an expression.
"""

from __future__ import annotations

import copy
import inspect
import math
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from fastbp import _check as check
from fastbp import initializers
from fastbp._core import random
from fastbp._ir import leaves, nn

if TYPE_CHECKING:
    from fastbp._check.types import Shape
    from fastbp.layers.settings import Name, Number, Width
    _Self = TypeVar("_Self", bound="Layer")
    from collections.abc import Collection, Sequence

    from fastbp._check.types import Array, Config
    from fastbp._ir.node import Node

KINDS: dict[str, type[Layer]] = {}  # {kind: class}, in the order in which the classes were made


class Parameter(NamedTuple):
    """An array that a layer is trained by. name: its attribute, beside that of its gradient, "d" and the name. init:
    as fastbp.initializers.values takes it, fans likewise; given: the argument that init may come from, as messages call
    it. penalised: whether the layer's l1 and l2 are of it."""

    name: str
    shape: Shape
    init: Any
    fans: tuple[int, int] = (1, 1)
    given: str = "init"
    penalised: bool = False

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Layer:
    """What layers have in common. A layer made by a user only stores and checks what it was given; `Sequential` keeps
    copies of them whose parameters and gradients are views of the network's vectors `params` and `grads`.

    inputs, units: how wide its inputs and outputs are; None where it takes any and gives as many. activation: of its
    outputs. l1, l2: factors of what the loss grows by, l1 sum |W| + l2 sum W^2 over the parameters that are penalised.
    """

    kind: ClassVar[str | None] = None
    settings: ClassVar[dict[str, Width | Name | Number]] = {}
    widths: ClassVar[tuple[str, str] | None] = None
    activation = "linear"
    l1 = l2 = 0.0
    _arguments: ClassVar[list[inspect.Parameter]]  # of the constructor
    _fixed: Collection[str] = ()  # names that cannot be set any more, once a network has bound the layer
    _nodes: tuple[Node, ...] | None = None  # of the parameters, once the layer was called on a node

    # ---- what a layer states ---------------------------------------------------------------------------------------

    def parameters(self, before: str | None = None, depth: int = 0) -> tuple[Parameter, ...]:
        """The Parameters, in order. Their initial values may depend on where the layer stands, as
        `fastbp._ir.nn.layer_before` says: before: the activation of the dense layer whose outputs it takes, None where
        they are data; depth: how many dense layers lie between the data and it."""
        return ()

    # Of a layer: graph(self, x, W, b, training=True, number=0), its parameters by their names.
    def graph(self, x: Node, *parameters: Any, **options: Any) -> Node:
        """The node of the outputs (batch, units) for a node x (batch, inputs) and a node for each Parameter. training:
        False where the network is used; number: the layer's place in a network, which tells random masks apart."""
        raise NotImplementedError(f"{type(self).__name__} has no graph; a layer says what nodes it makes")

    # ---- what follows ----------------------------------------------------------------------------------------------

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__:
            kind: Any = cls.kind
            other = KINDS.get(kind, cls)
            if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):  # a cell that runs again
                raise ValueError(
                    f"kind of the layer {cls.__qualname__} is {cls.kind!r}, which is {other.__qualname__}'s, expected "
                    "a word of its own, as files know layers by it; choose another one"
                )
            KINDS[kind] = cls
            _, *arguments = inspect.signature(cls.__init__).parameters.values()
            variable = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
            cls._arguments = [argument for argument in arguments if argument.kind not in variable]

    def take(self, **values: Any) -> None:
        """Stores these settings, checked. Raises TypeError and ValueError for what they may not be."""
        for name, value in values.items():
            setattr(self, name, self.settings[name].taken(name, value))

    if TYPE_CHECKING:
        inputs: int | None
        units: int | None

        def __getattr__(self, name: str) -> Any:
            """The array of a parameter or of its gradient, of any kind of layer: `net.layers[0].W`."""
    else:
        inputs = property(lambda self: getattr(self, self.widths[0]) if self.widths else None)
        units = property(lambda self: getattr(self, self.widths[1]) if self.widths else None)

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(each.size for each in self.parameters())

    @property
    def multiply_adds(self) -> int:
        """Those of the layer's matrix products for one row, forward: each number of a matrix is multiplied once."""
        return sum(each.size for each in self.parameters() if len(each.shape) == 2)

    @property
    def output_only(self) -> bool:
        """Whether this layer may only be the last one: softmax ties the outputs of a sample together."""
        return self.activation == "softmax"

    def penalty_of(self, parameter: Parameter) -> tuple[float, float]:
        """(l1, l2) of one of its Parameters."""
        return (self.l1, self.l2) if parameter.penalised else (0.0, 0.0)

    # ---- settings --------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._fixed:
            remedy = f"write into it: layer.{name}[:] = ..." if name in self._view_names() else "make a new network"
            raise AttributeError(
                f"{name} of a network's layer cannot be replaced (by {check.written(value)}); {remedy}"
            )
        object.__setattr__(self, name, value)

    def _given(self) -> dict[str, Any]:
        """{argument: value} to make another one like it."""
        return {argument.name: getattr(self, argument.name) for argument in self._arguments}

    def copy(self: _Self) -> _Self:
        """A layer with the same settings, bound to nothing."""
        return type(self)(**self._given())

    def __deepcopy__(self: _Self, memo: dict[int, Any]) -> _Self:
        """A layer with the same settings and values, which are its own: a view of no network's vectors, a part of no
        expression. A copy of a network has layers that are views of its vectors."""
        twin = memo[id(self)] = object.__new__(type(self))
        twin.__dict__.update(copy.deepcopy({**self.__dict__, "_nodes": None}, memo))
        return twin

    def __copy__(self: _Self) -> _Self:
        return copy.deepcopy(self)

    def config(self) -> Config:
        """JSON-able dict of what a file keeps: the kind and the settings, without initial values."""
        return {"kind": self.kind, **{name: getattr(self, name) for name in self.settings}}

    def __repr__(self) -> str:
        shown = []
        for argument in self._arguments:
            value = getattr(self, argument.name)
            if argument.kind is not argument.KEYWORD_ONLY:
                shown.append(repr(value))
            elif isinstance(value, np.ndarray):
                shown.append(f"{argument.name}=<array {value.shape}>")
            elif value != argument.default:
                shown.append(f"{argument.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    # ---- as a part of a network ------------------------------------------------------------------------------------

    def _view_names(self) -> list[str]:
        """Of the parameters and of their gradients."""
        return [name for each in self.parameters() for name in (each.name, f"d{each.name}")]

    def unbind(self) -> None:
        """The parameters and gradients are None until a network binds them: the end of a constructor."""
        self.__dict__.update(dict.fromkeys(self._view_names()))

    def bind(self, params: Array, grads: Array) -> None:
        """Makes this the layer of a network: its parameters and their gradients become views of its part, (size,), of
        the network's two vectors, one after another. Plans are compiled for the settings, so they are fixed from now
        on."""
        begin = 0
        for each in self.parameters():
            end = begin + each.size
            setattr(self, each.name, params[begin:end].reshape(each.shape))
            setattr(self, f"d{each.name}", grads[begin:end].reshape(each.shape))
            begin = end
        self._fixed = frozenset([*self.settings, *self._view_names()])

    def values(self) -> list[Any]:
        """[the array of each Parameter, a view]; None for those of a layer that no network has bound."""
        return [getattr(self, each.name, None) for each in self.parameters()]

    def initialise(self, arrays: Sequence[Array | None], key: int, before: str | None = None, depth: int = 0) -> None:
        """Writes initial values into arrays, one for each Parameter, in its shape - or None, for one that is not wanted
        -, drawn from the streams of `key`, an int. before, depth: as for `parameters`.

        Raises ValueError where a value is none of the arrays' dtype; nothing is then written."""
        made = []
        for stream, (each, array) in enumerate(zip(self.parameters(before, depth), arrays, strict=True)):
            if array is not None:
                values = initializers.values(each.init, each.shape, each.fans, random.fold(key, stream))
                made.append((array, check.array(each.given, values, each.shape, array.dtype)))
        for array, values in made:
            array[...] = values

    # ---- as a part of a graph --------------------------------------------------------------------------------------

    def make_nodes(self, x: Node) -> tuple[Node, ...]:
        """A node for each Parameter of this layer, for where x is what the layer takes."""
        before, depth = nn.layer_before(x)
        return tuple(
            leaves.parameter(each.shape, layer=self, penalty=self.penalty_of(each), before=before, depth=depth)
            for each in self.parameters()
        )

    def applied(self, x: Node, number: int = 0) -> Node:
        """The layer applied to a node of an expression; called twice, it shares its parameters."""
        x = check.rows_of(x, self.inputs, f"layer {self!r}")
        if self._nodes is None:
            self._nodes = self.make_nodes(x)
        return self.graph(x, *self._nodes, number=number)

    def __call__(self, x: Node) -> Node:
        """The layer applied to a node of an expression (batch, inputs); called twice, it shares its parameters."""
        return self.applied(x)

    def name_of(self, node: Node) -> str:
        """The name of the Parameter that this node of an expression is."""
        return next(each.name for each, one in zip(self.parameters(), self._nodes or (), strict=True) if one is node)


def listed(words: Sequence[str]) -> str:
    """a, b or c."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def from_config(config: Config) -> Layer:
    """The layer that `config()` described. Raises ValueError or TypeError where the dict is not such a one."""
    if not isinstance(config, dict) or "kind" not in config:
        raise TypeError(f"layer is {check.shown(config)}, expected a dict with a 'kind'; pass what Layer.config() "
                        "gives")
    settings = dict(config)
    cls = KINDS[check.choice("layer kind", settings.pop("kind"), KINDS)]
    try:
        return cls(**settings)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise ValueError(f"layer is {check.shown(config)}, expected the settings of a {cls.__name__} ({error}); pass "
                         "what Layer.config() gives") from None
