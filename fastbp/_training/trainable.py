"""What a training needs of a model: the base of networks and of compiled expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastbp import _check as check
from fastbp._compiler.plan_cache import Cache
from fastbp._compiler.use import Use
from fastbp._core import calls as core
from fastbp._core import cpu, random
from fastbp._core.fast_call import ExclusiveUse

if TYPE_CHECKING:
    import numpy as np

    from fastbp._check.types import Counts, Floats
    from fastbp._compiler.plan_cache import BoundPlan
    from fastbp.optimizers import Optimizer


class Trainable:
    """What the training loop (loop.py), a job (job.py) and the core's `Epochs` read and write of a model.

    A kind of model has, of its own:

    * params, grads: its vectors (P,), which never move, so plans point at them; `_size` is P, dtype their np.dtype.
    * seed: an int, of the order of an epoch's rows and of dropout's masks.
    * `_make_plan(use)`: the compiled plan of a fastbp._compiler.use.Use.
    * `_layer_of(vector)`: in words, the first layer or parameter whose part of a vector (P,) is not finite.

    From here it has:

    * `epochs`: those it has been trained for; `_epochs` is the number itself, which the core sets. `_epochs_of_all`
      counts on whatever `epochs` is set to, so that a training finds out about another one's.
    * `_draws`: the steps that have drawn dropout masks; `_dropout_key`: the key that they are drawn from. The core
      counts draws, steps and epochs together, so that Ctrl-C never finds one without the others.
    * `_exclusive`: whoever trains the model, or makes gradients, has it alone; a second thread gets an error.
    * `_plans`: its compiled plans.
    * `_last`: the plan whose gradients stand in grads, or None; an update goes by that one's ranges.
    """

    if TYPE_CHECKING:  # of its own
        params: Floats
        grads: Floats
        dtype: np.dtype[Any]
        seed: int
        _size: int
        _last: BoundPlan | None

        def _make_plan(self, use: Use) -> BoundPlan: ...

        def _layer_of(self, vector: Floats) -> str: ...

    def _begin(self, refusal: str) -> None:
        """Nothing has been trained, compiled or drawn. refusal: what a second thread is told."""
        self._epochs = self._draws = self._epochs_of_all = 0
        self._dropout_key = random.fold(self.seed, 0x64726F70)  # "drop": apart from the initial parameters' streams
        self._exclusive = ExclusiveUse(refusal)
        self._plans = Cache(self._make_plan)
        self._last = None

    # ---- what is counted -------------------------------------------------------------------------------------------

    @property
    def epochs(self) -> int:
        """The epochs that `fit` has trained it for."""
        return self._epochs

    @epochs.setter
    def epochs(self, value: int) -> None:
        value = check.integer("epochs", value, minimum=0, maximum=2**62)
        if not value:
            self._draws = 0  # the masks begin anew, as the orders do
        self._epochs = value

    def _counts(self) -> Counts:
        """What a file says of the training that goes on from it: epochs and draws; {} where there was none."""
        return {"epochs": self.epochs, "draws": self._draws} if self.epochs or self._draws else {}

    def _go_on(self, counts: Counts) -> None:
        """Sets the counts to those of a file; where it has none, nothing was trained, or an older version wrote it."""
        self.epochs = counts.get("epochs", 0)
        self._draws = counts.get("draws", 0)  # after the epochs, as 0 of them rewind it

    # ---- one update ------------------------------------------------------------------------------------------------

    def _apply(self, optimizer: Optimizer) -> None:
        """One update by the gradients in `grads`: what Optimizer.step calls.

        Raises FloatingPointError, naming the layer or parameter: with nothing changed where a gradient is not finite.
        """
        self._exclusive.call(self._update, optimizer)

    def _update(self, optimizer: Optimizer) -> None:
        plan, step = self._last or self._plans.get(Use("train", 1)), optimizer.steps
        failed = core.apply_update(plan.executable, optimizer, optimizer.rate(), cpu.threads())
        if failed:
            where = self._layer_of(self.grads if failed == "gradient" else self.params)
            kept = "; nothing was changed" if failed == "gradient" else ""
            raise FloatingPointError(
                f"step {step}: a {failed} of {where} is not finite{kept}; use a smaller lr, or clip_norm"
            )
