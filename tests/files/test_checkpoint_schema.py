"""fastbp/_files/checkpoint_schema.py: a checkpoint says what it says, and nothing else."""

import copy
import math

import numpy as np
import pytest

from fastbp._files.checkpoint_schema import CheckpointSchema, check_tensors, described, real

STOPPING = {"best": 0.5, "best_epoch": 1, "waited": 1, "stopped_epoch": None, "kept": True}
STATE = {
    "first": 0, "epoch": 3, "step": 2, "steps": 17, "draws": 17, "lr": 0.1, "seconds": 0.5, "stopped": False,
    "dropout": 2**64 - 1, "rate": None, "memory": [0.1, "inf", 2, 0], "early_stopping": [STOPPING],
    "history": ["loss", "lr"], "best": {"monitor": "loss", "value": "-inf"}, "isa": "avx2", "data_spec": None,
}  # fmt: skip
TRAINING = dict.fromkeys(
    ("model", "data", "validation", "batch_size", "shuffle", "seed", "logs", "optimizer", "early_stopping")
)
TENSORS = {"params": np.zeros(4, "f"), "history": np.zeros((2, 3)), "losses": np.zeros(2),
           "correct_counts": np.empty(0), "best_params.0": np.zeros(4, "f")}  # fmt: skip


def check(change=None, **state):
    found = copy.deepcopy(described(TRAINING, {**STATE, **state}))
    if change:
        change(found)
    CheckpointSchema().description(found)
    return found["state"]


def test_real_numbers_come_back():
    for value in (0.1, -1e-300, math.inf, -math.inf):
        assert check(lr=real(value))["lr"] == value
    assert math.isnan(check(lr=real(math.nan))["lr"])
    assert check()["memory"] == [0.1, math.inf, 2, 0] and type(check()["memory"][2]) is int
    assert check(memory=None, best=None, early_stopping=[])["best"] is None


WRONG = {
    "first": -1, "epoch": 1.0, "step": True, "steps": 2**63, "draws": None, "lr": "0.1", "seconds": [], "stopped": 1,
    "dropout": 2**64, "memory": {}, "early_stopping": {}, "history": ["loss", "loss"], "best": [], "isa": "",
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_as_it_is_written_is_refused(name):
    with pytest.raises(ValueError, match=rf"^state\.{name} is .*, expected .*; "):
        check(**{name: WRONG[name]})


def test_parts_are_looked_at_as_well():
    for wrong in ({"waited": -1}, {"kept": None}, {"best": None}, {"best_epoch": None}, {"best": "much"},
                  {"stopped_epoch": "2"}, {"more": 1}):
        with pytest.raises(ValueError, match=r"^state\.early_stopping\[0\]"):
            check(early_stopping=[{**STOPPING, **wrong}])
    for wrong in ({"monitor": ""}, {"value": None}, {"more": 1}):
        with pytest.raises(ValueError, match=r"^state\.best"):
            check(best={**STATE["best"], **wrong})
    for wrong in (["a"], [True], [None], [[]]):
        with pytest.raises(ValueError, match=r"^state\.memory\[0\]"):
            check(memory=wrong)
    with pytest.raises(ValueError, match=r"^state\.history\[0\] is a number"):
        check(history=[3])


def test_it_is_closed():
    for change in (lambda found: found.update(more=1), lambda found: found.pop("state"),
                   lambda found: found["state"].pop("draws"), lambda found: found["training"].update(more=1),
                   lambda found: found.update(state=[])):  # fmt: skip
        with pytest.raises(ValueError, match=r"expected"):
            check(change)
    with pytest.raises(ValueError, match=r"format is 2, expected 1, which this version of fastbp reads; install"):
        check(lambda found: found.update(format=2))
    for kind in ("parameters", None):
        with pytest.raises(ValueError, match=r"expected a checkpoint; give one that fb.Checkpoint has written"):
            check(lambda found, kind=kind: found.update(kind=kind))


def told(tensors):
    """What a file's header says of arrays."""
    return {name: (array.shape, array.dtype.name) for name, array in tensors.items()}


def test_tensors_are_those_of_the_state():
    check_tensors(STATE, told(TENSORS))
    check_tensors(STATE, told({**TENSORS, "state": np.zeros((2, 4), "f")}))
    check_tensors(STATE, told({**TENSORS, "correct_counts": np.zeros(2)}))
    for wrong in ({"more": np.zeros(1)}, {"history": np.zeros((2, 4))}, {"losses": np.zeros(3)},
                  {"losses": np.zeros(2, "f")}, {"correct_counts": np.zeros(1)}):
        with pytest.raises(ValueError, match=r"expected"):
            check_tensors(STATE, told({**TENSORS, **wrong}))
    for name in TENSORS:
        with pytest.raises(ValueError, match=r"it has 4 tensors, expected best_params.0, correct_counts, history"):
            check_tensors(STATE, {key: value for key, value in told(TENSORS).items() if key != name})
    with pytest.raises(ValueError, match=r"expected the values of 3 epochs"):
        check_tensors({**STATE, "history": []}, told({**TENSORS, "history": np.zeros((0, 3))}))
