"""A compiled expression: its parameters and everything that is done with them."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from fastbp import _check as check
from fastbp._check import input_arrays
from fastbp._check.errstate import quiet
from fastbp._compiler import plan_cache
from fastbp._compiler.use import Use
from fastbp._core import caller
from fastbp._ir import analysis
from fastbp._ir.elementwise import total_of
from fastbp._ir.nn import numbered, penalty
from fastbp._ir.node import Node, constant, differentiate, ordered
from fastbp._models import expression_inputs, expression_programs, per_sample
from fastbp._models.fast_calls import FastCalls, may_repeat
from fastbp._models.inspection import Looks
from fastbp._models.parameters import Vectors, Views, named, shared
from fastbp._training import finite, loop
from fastbp._training.expression_fit import ExpressionJob
from fastbp._training.trainable import Trainable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastbp._check.types import Callbacks, Data, DType, File, Floats, Path
    from fastbp.callbacks import EarlyStopping, History
    from fastbp.layers import Layer
    from fastbp.network import Sequential
    from fastbp.optimizers import Optimizer


def _refused(name):
    """The setter of a vector that views hold on to. A __setattr__ instead would cost every call half a microsecond."""

    def setter(self, value):
        raise AttributeError(
            f"{name} of a plan cannot be replaced: views would be stale; write into it: plan.{name}[:] = ..."
        )

    return setter


class Plan(Looks, Trainable):
    """A graph, compiled where it is used: what fastbp.graph.compile returns.

    params, grads: (P,), one contiguous vector each, never moved. parameters, gradients: {name: a view of them in the
    parameter's shape}. A user may write into them between calls, but not make them anything else, as a network's.
    inputs: the names of the inputs. Data are arrays (n, width), or (n,) for a width of 1, one for each input that a
    call needs; inputs may have any names, as methods that take them by name take everything else by its place. A copy,
    by copy.deepcopy or pickle, is a plan of its own with the same parameters, and goes on as this one would. epochs:
    those that `fit` has trained it for, as a network's.
    """

    def __init__(
        self,
        loss: Node,
        outputs: dict[str, Node] | None = None,
        *,
        dtype: DType = "float32",
        seed: int = 0,
        debug: bool = False,
        shared_with: Plan | None = None,
    ) -> None:
        self.dtype = check.dtype(dtype)
        self.seed = check.seed("seed", seed)
        self.debug = check.flag("debug", debug)
        nodes = self._analyse(expression_inputs.scalar(loss), expression_inputs.outputs_of(outputs))
        self._warn_of_unreached(nodes)
        self._hold(Vectors(nodes, self.dtype) if shared_with is None else shared(nodes, self.dtype, shared_with))
        if shared_with is None:
            self._vectors.initialise(self.seed)
        self._begin_calls()

    def _analyse(self, loss, outputs):
        """What the graph says: its inputs, and the nodes of its gradient. Returns {name: node} of its parameters."""
        self.loss_node, self.outputs = loss, outputs
        self._order = ordered([loss, *self.outputs.values()])
        self._leaves = {}  # {name: node} of inputs
        for node in self._order:
            if node.op == "data" and self._leaves.setdefault(node.name, node) is not node:
                raise ValueError(f"two inputs are called {node.name!r}, expected a name for each; rename one")
        self.inputs = tuple(self._leaves)
        self._inputs_of = {
            kind: [node for node in ordered(roots) if node.op == "data"]
            for kind, roots in (("loss", [loss]), ("forward", list(self.outputs.values())))
        }
        self._of_loss, self._of_outputs = ([node.name for node in nodes] for nodes in self._inputs_of.values())
        nodes = named(self._order)
        self._trained = differentiate(loss, constant(1.0), list(nodes.values()), add=total_of)
        for W, node in [(W, self._penalty(W, penalty)) for W in self._trained]:
            if node is not None:
                slope = differentiate(node, constant(1.0), [W], add=total_of)[W]
                self._trained[W] = total_of(self._trained[W], slope)
        self._masks = numbered(self._order)
        self._limits = analysis.integer_limits(self._order)
        self._may_miss = analysis.targets_that_may_miss(self._order)
        return nodes

    def _hold(self, vectors: Vectors) -> None:
        """The parameters are these."""
        self._vectors, self._names, self._offsets = vectors, vectors.names, vectors.offsets
        self._params, self._grads, self._size = vectors.params, vectors.grads, vectors.params.size
        self.parameters, self.gradients = (Views(self._views(vector)) for vector in (self.params, self.grads))

    def _begin_calls(self):
        """What calls leave behind: nothing yet."""
        self._begin("another thread is using this plan; wait for it, or compile one for each thread")
        self._given, self._fast = None, FastCalls()  # the data of the last step; calls that can be made again at once
        self._back = None  # the nodes of the loss and of all their gradients, where finite.backward has looked at them

    params = property(lambda self: self._params, _refused("params"))
    grads = property(lambda self: self._grads, _refused("grads"))

    def _warn_of_unreached(self, nodes):
        frozen = {n for node in self._order if node.op == "freeze" for n in ordered([node])}
        lost = [name for name, node in nodes.items() if node not in self._trained and node not in frozen]
        if lost:
            caller.warn(f"the loss does not reach {', '.join(lost)}: not trained; leave them out, or freeze them")

    def _views(self, vector: Floats) -> dict[str, Floats]:
        return self._vectors.views(vector)

    # ---- copies ----------------------------------------------------------------------------------------------------

    def __getstate__(self):
        """What a copy, or a pickle, begins with: the graph, the parameters, and what it has drawn for dropout. Plans
        that share their parameters share those of their copies, too, where they are copied together."""
        check.vectors(self, ())
        return {
            "loss": self.loss_node,
            "outputs": self.outputs,
            "settings": (self.dtype.name, self.seed, self.debug),
            "vectors": self._vectors,
            "draws": self._draws,
            "epochs": self.epochs,
            "batch": None if self._last is None else self._last.batch,
        }

    def __setstate__(self, state):
        dtype, self.seed, self.debug = state["settings"]
        self.dtype = check.dtype(dtype)
        self._analyse(state["loss"], state["outputs"])
        self._hold(state["vectors"])
        self._begin_calls()
        self._go_on(state)
        if state["batch"] is not None:  # an update goes by the ranges of the batch that the gradients are of
            self._last = self._plans.get(Use("train", state["batch"]))

    def __copy__(self) -> Plan:
        return copy.deepcopy(self)

    # ---- programs --------------------------------------------------------------------------------------------------

    def _penalty(self, node, written):
        """The penalty of a parameter, as `written` writes it, or None."""
        l1, l2 = node.attributes.get("penalty", (0.0, 0.0))
        return written(node, l1, l2) if l1 or l2 else None

    def _input_dtypes(self, arrays):
        """What the plan of these arrays must know of their dtypes."""
        reals = {name: array for name, array in arrays.items() if name not in self._limits}
        return input_arrays.input_dtypes(self.dtype, reals, touching=True)

    def _make_plan(self, use):
        check.vectors(self, ())
        grads = self._vectors.zeros("hvp") if use.kind == "hvp" else self.grads
        return plan_cache.BoundPlan(self.params, grads, expression_programs.program(self, use), use.threads)

    def _total_written(self):
        """The loss with the penalties of the layers, in small nodes."""
        penalties = [self._penalty(node, analysis.written_penalty) for node in self._trained]
        return total_of(self.loss_node, *(node for node in penalties if node is not None))

    # ---- data ------------------------------------------------------------------------------------------------------

    _checked, _vector = expression_inputs.checked, expression_inputs.vector

    # ---- use -------------------------------------------------------------------------------------------------------

    def loss_and_grad(self, /, **inputs: Data) -> tuple[float, dict[str, Floats]]:
        """(the loss, a float; {name: gradient}, views of `grads`) of these data; penalties of layers are included.

        Raises FloatingPointError, naming the first node whose value is not finite, where the loss is not; with debug,
        where any value or gradient is not.
        """
        return self._exclusive.call(self._loss_and_grad, inputs)

    def _loss_and_grad(self, inputs):
        ready = self._fast.gradients
        value = None if ready is None else ready.run_named(inputs, self)
        if value is not None:  # the last call's plan, on arrays that need no cast
            self._last, self._given = ready.owner, inputs
            return value, self.gradients
        arrays, n = self._checked(inputs, self._of_loss)
        check.apart(arrays, {"grads": self.grads})
        use = Use("train", n, dtypes=self._input_dtypes(arrays))
        plan = self._plans.get(use)
        value = float(plan.run("gradients", arrays, model=self)[0])
        self._last, self._given = plan, arrays
        again = may_repeat(use) and not self.debug  # debug looks at every number
        self._fast.gradients = plan.ready(self._of_loss, "gradients", limits=self._limits) if again else None
        if self.debug or not math.isfinite(value):
            self._refuse_not_finite(value, arrays, n)
        return value, self.gradients

    def _refuse_not_finite(self, value, arrays, n):
        """Raises FloatingPointError with the first node that is not finite, if there is one or the loss is not."""
        found = finite.forward(self, arrays, n, self._draws - 1)
        if found is None and self.debug:
            found = finite.backward(self, arrays, n, self._draws - 1)
        if found is not None or not math.isfinite(value):
            where, remedy, _ = found or ("", finite.SLOWER, False)
            raise FloatingPointError(f"the loss is {value} {where}; {remedy}")

    def loss(self, /, **inputs: Data) -> float:
        """The loss of these data, a float, without the penalties of layers. Dropout is off."""
        arrays, n = self._checked(inputs, self._of_loss)
        with self._plans.borrowed(Use("loss", n, dtypes=self._input_dtypes(arrays))) as plan:
            return float(plan.run("outputs", arrays)[0])

    def forward(self, /, **inputs: Data) -> dict[str, Floats]:
        """{name: array} of the outputs: (n, width) for a batched node, the node's shape for a fixed one. Dropout is
        off."""
        if not self.outputs:
            raise ValueError("outputs is empty, expected the nodes that forward gives; pass outputs={'name': node} to "
                             "compile")
        arrays, n = self._checked(inputs, self._of_outputs)
        use = Use("forward", n, dtypes=self._input_dtypes(arrays))
        found = self._run_nodes(use, expression_programs.outputs(self), arrays)
        return {name: found[node] for name, node in self.outputs.items()}

    def _values_of(self, nodes, arrays, n, draws=None):
        """{node: array} of their values, with the masks of dropout after so many draws: by default, the last ones."""
        return self._run_nodes(
            Use("nodes", n, dtypes=self._input_dtypes(arrays), nodes=tuple(nodes)), nodes, arrays, draws
        )

    def _run_nodes(self, use, nodes, arrays, draws=None):
        """{node: array} of the nodes whose values a use gives."""
        n, draws = use.batch, max(0, self._draws - 1) if draws is None else draws
        made = {("out", i): np.empty((n, node.width), self.dtype) for i, node in enumerate(nodes) if node.batched}
        with self._plans.borrowed(use) as plan:
            plan.run("outputs", {**arrays, **made}, dropout=(self._dropout_key, draws))
            return {
                node: made["out", i].reshape(n, *node.shape)
                if node.batched
                else np.array(plan.invariant["out", i]).reshape(node.shape)
                for i, node in enumerate(nodes)
            }

    @overload
    def hvp(self, v: dict[str, Floats], /, **inputs: Data) -> dict[str, Floats]: ...

    @overload
    def hvp(self, v: Data, /, **inputs: Data) -> Floats: ...

    def hvp(self, v: Data | dict[str, Floats], /, **inputs: Data) -> Floats | dict[str, Floats]:
        """The Hessian of the loss times v, at the parameters as they are: what a small step along v changes in the
        gradient.

        v: (P,), or {name: array in the parameter's shape}; the result is of the same kind. Exact: the graph is
        differentiated twice (Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6, 1994).
        """
        result = self._exclusive.call(self._hvp, self._vector(v), inputs)
        return self._views(result) if isinstance(v, dict) else result

    def _hvp(self, vector, inputs):
        arrays, n = self._checked(inputs, self._of_loss)
        plan = self._plans.get(Use("hvp", n, dtypes=self._input_dtypes(arrays)))
        for i, node in enumerate(self._trained):
            if ("v", i) in plan.invariant:  # a gradient that is constant has no part in it
                place, begin = plan.invariant["v", i], self._offsets[node]
                place[...] = vector[begin : begin + node.size].reshape(place.shape)
        plan.run("gradients", arrays, model=self)
        return plan.grads.copy()

    def per_example_grads(self, /, **inputs: Data) -> Floats:
        """The gradient of each sample's own loss, (n, P), laid out as `grads`: row i is what `loss_and_grad` gives for
        row i of the inputs alone. Penalties of layers are included, dropout is off, what is not trained is 0.

        Raises ValueError for a graph in which a sample's gradient goes through more than dense products, biases and
        elementwise operations; FloatingPointError, naming the sample, if a number is not finite.
        """
        arrays, n = self._checked(inputs, self._of_loss)
        parts = [(self._offsets[node], self._offsets[node] + node.size) for node in self._trained]
        return per_sample.gradients_of(self, n, arrays, parts, dtypes=self._input_dtypes(arrays))

    def per_example_grad_norms(self, /, **inputs: Data) -> Floats:
        """The Euclidean norm of each row of `per_example_grads`, (n,); rows of dense products are not made for it."""
        arrays, n = self._checked(inputs, self._of_loss)
        return per_sample.norms_of(self, n, arrays, dtypes=self._input_dtypes(arrays))

    def fit(
        self,
        data: Mapping[str, Data],
        *,
        epochs: int = 1,
        batch_size: int = 32,
        optimizer: Optimizer | None = None,
        validation_data: Mapping[str, Data] | None = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        seed: int | None = None,
        callbacks: Callbacks = (),
        early_stopping: EarlyStopping | None = None,
        progress: bool | None = None,
        threads: int | None = None,
        resume: Path | None = None,
    ) -> History:
        """Trains; returns a History. data: {input: array}; everything else is as for a network's fit, whose loop it is.

        Raises ValueError and TypeError before anything is changed; FloatingPointError, with epoch, step and node, when
        the loss or a parameter stops being finite: the parameters are then those after the last good step.
        """
        job = ExpressionJob(self, data, batch_size, validation_data, validation_split, threads)
        return loop.run(job, epochs, optimizer, shuffle, seed, callbacks, early_stopping, progress, resume)

    def _apply(self, optimizer: Optimizer) -> None:
        """One update by the gradients in `grads`: what Optimizer.step calls."""
        try:
            super()._apply(optimizer)
        except FloatingPointError as error:
            found = None
            if self._given is not None and not np.isfinite(self.grads).all():  # see where they come from
                arrays, n = self._checked(self._given, self._of_loss)
                found = finite.anywhere(self, arrays, n, max(0, self._draws - 1))
            if found is None:
                raise
            what = str(error).partition("; use")[0]
            raise FloatingPointError(f"{what}; it begins {found.where}; {found.remedy}") from None

    # ---- files and sharing -----------------------------------------------------------------------------------------

    def save(self, path: File) -> None:
        """Writes the parameters to a safetensors file, a path or an open binary one, a tensor for each; `load` of a
        plan of the same graph reads it, and goes on with the epochs and masks of dropout where this one is, at the
        beginning if it is not trained."""
        from fastbp import serialization

        check.vectors(self, ())
        serialization.save_parameters(self.parameters, path, self._counts())

    def load(self, path: File) -> Plan:
        """Reads what `save` wrote, by name; refuses a file with other names or shapes. Returns the plan, which has
        the counts of epochs and masks of the file: 0 where it has none, as those of older versions."""
        from fastbp import serialization

        check.vectors(self, ("params",))
        self._go_on(serialization.load_parameters(self.parameters, path))
        return self

    @quiet
    def write_to(self, model: Sequential | Layer) -> None:
        """Copies the parameters of a network or layer that the expression was made with back into it."""
        targets: Any = model.layers if hasattr(model, "layers") else [model]
        pairs = [(layer, node) for layer in targets for node in getattr(layer, "_nodes", None) or ()]
        if not pairs or any(node not in self._offsets for _, node in pairs):
            raise ValueError(
                f"model is {check.shown(model)}, expected a network or layer of this expression; call it on a node "
                "first"
            )
        if hasattr(model, "layers"):
            check.vectors(model, ("params",))
        for layer, node in pairs:
            values = getattr(layer, layer.name_of(node), None)
            if values is None:
                raise ValueError(f"model is {model!r}, expected a layer with values of its own; read plan.parameters")
            values[...] = self._views(self.params)[self._name_of(node)]

    def _name_of(self, node):
        return next(name for name, one in self._names.items() if one is node)

    def _parameter_of(self, vector):
        """The name of the first parameter whose part of a (P,) vector is not finite."""
        for name, part in self._views(vector).items():
            if not np.isfinite(part).all():
                return name
        return "no parameter"

    _layer_of = _parameter_of

    def __repr__(self) -> str:
        return f"Plan({self.params.size} parameters, inputs {', '.join(self.inputs)}, dtype={self.dtype.name!r})"
