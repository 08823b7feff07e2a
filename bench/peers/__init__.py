"""The contenders. Each module has `NAME`, `VERSION` and a class `Contender(case, X, y, threads)`:

    run(steps)   that many training steps (0 too) on shuffled batches, going on from where the last call left off
    loss()       the loss on the first batch at the parameters reached
    multiple     run's steps are a multiple of it (1, or the steps one compiled call holds)

A contender does what a good programmer of that library writes for speed, in float32, and no less than one whole step:
gather, forward, the loss's value, backward, update. A module may have a class `Validating` besides, whose epochs end as
those of `fit` with validation data and early stopping do: with the loss and the accuracy of the rows held out, and a
copy of the parameters where the loss is the least so far; and a class `Curve`, for a polynomial.

Each runs in a process of its own (bench/worker.py), because the number of threads is fixed when these libraries are
imported.
"""
import importlib

from bench.cases import Curve

MODULES = {name: f"bench.peers.{name}" for name in ("fastbp", "fastbp_fit", "numpy", "torch", "torch_compile", "jax",
                                                    "sklearn", "fastbp_expression", "fastbp_own_loss")}


def load(name):
    """The contender's module. Raises ImportError where its library is not installed."""
    return importlib.import_module(MODULES[name])


def contender(module, case, X, y, threads=1):
    """The module's contender for a case. Raises NotImplementedError where it has none of that kind."""
    kind = "Curve" if isinstance(case, Curve) else "Validating" if case.held else "Contender"
    if not hasattr(module, kind):
        raise NotImplementedError(f"{module.NAME} has no {kind}")
    return getattr(module, kind)(case, X, y, threads)


class Batches:
    """Row indices of shuffled batches, a new permutation each epoch; the rows left over at its end are dropped."""

    def __init__(self, rows, batch, rng, dtype="int64"):
        self.rows, self.batch, self.rng, self.dtype = rows, batch, rng, dtype
        self.order, self.next = None, rows

    def take(self, count=1):
        """The indices (count * batch,) of the next `count` batches of one epoch."""
        size = count * self.batch
        if self.next + size > self.rows:
            self.order, self.next = self.rng.permutation(self.rows).astype(self.dtype, copy=False), 0
        self.next += size
        return self.order[self.next - size:self.next]

    @property
    def ended(self):
        """Whether the last batch of an epoch has been taken."""
        return self.next + self.batch > self.rows
