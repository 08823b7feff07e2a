"""What a plan is for: all that a program depends on beside the model itself and the ISA."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastbp._core import cpu

# {kind: what a call of it gives}
KINDS = {
    "train": "loss and gradients of a batch, dropout active",
    "keep": "of a network: the outputs, and later, from a given gradient for them, all gradients; dropout active",
    "predict": "of a network: the outputs",
    "evaluate": "of a network: the outputs and the loss",
    "loss": "of an expression: the loss",
    "forward": "of an expression: its outputs",
    "nodes": "of an expression: the values of any nodes, with the masks that a step drew",
    "hvp": "of an expression: the Hessian of the loss times a vector",
    "gradients of samples": "each sample's own gradient",
    "norms of samples": "the length of each",
}


class _Use(NamedTuple):
    kind: str
    batch: int
    gathered: bool
    labels: bool
    weighted: bool
    dtypes: tuple
    target_type: str | None
    nodes: tuple
    threads: int


class Use(_Use):
    """What a plan is for; two that are equal have the same plan.

    kind: one of KINDS. batch: rows of a step. gathered: whether the caller's rows are taken in an order of their own.
    labels: whether a network's targets are class numbers, int32 (batch,), instead of rows of reals (batch, units).
    weighted: whether samples have weights, (batch,). dtypes: what must be known of the data's dtypes and layout,
    ((name, character of the dtype), ...) as fastbp._check.input_arrays.input_dtypes says; () where all data are of the
    model's dtype and lie as its kernels read them. target_type: of "train" and "evaluate", what counts as a correct
    answer, as fastbp._ir.nn.correct says, or None. nodes: of "nodes", those whose values are wanted, in their order.
    threads: the most that will run it; by default those that cpu allows now.
    """

    __slots__ = ()

    def __new__(
        cls,
        kind: str,
        batch: int,
        *,
        gathered: bool = False,
        labels: bool = False,
        weighted: bool = False,
        dtypes: tuple[Any, ...] = (),
        target_type: str | None = None,
        nodes: tuple[Any, ...] = (),
        threads: int | None = None,
    ) -> Use:
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, expected one of: {', '.join(KINDS)}; see fastbp._compiler.use.KINDS")
        threads = threads or cpu.threads()
        return tuple.__new__(cls, (kind, batch, gathered, labels, weighted, dtypes, target_type, nodes, threads))
