"""fastbp/_training/resuming.py: what no training goes on from - a checkpoint of another training, a damaged one."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from small_network import made

import fastbp as fb
from fastbp import serialization
from fastbp._files import checkpoint_schema


def worst(y, p):
    return float(np.abs(y - p).max())


@pytest.fixture
def saved(tmp_path, data):
    """The path of a checkpoint amid the third epoch of a training, and the training's options."""
    options = {"epochs": 5, "batch_size": 16, "optimizer": fb.Adam(), "early_stopping": fb.EarlyStopping("loss"),
               "validation_split": 0.2}
    made().fit(*data[:2], callbacks=[fb.Checkpoint(tmp_path / "run", every="2 steps", keep=99)], **options)
    return tmp_path / "run" / "epoch-000002-step-000002.safetensors"


REFUSED = {
    "net": (lambda: made(loss="mae"), r"^loss.name is 'mae', expected 'squared_error', as in the checkpoint .*; pass"),
    "epochs": (lambda: 1, r"^epochs is 1, expected at least"),
    "batch_size": (lambda: 20, r"^batch_size is 20 .*, expected 16"),
    "optimizer": (lambda: fb.SGD(), r"^optimizer.name is 'sgd', expected 'adam'"),
    "early_stopping": (lambda: fb.EarlyStopping("loss", patience=9), r"^early_stopping\[0\].patience is 9 "),
    "validation_split": (lambda: 0.1, r"^X.shape is \[45, 6\] .*, expected \[40, 6\]"),
    "shuffle": (lambda: False, r"^shuffle is False, expected True"),
    "seed": (lambda: 9, r"^seed is 9 .*, expected 4"),
    "metrics": (lambda: {"worst": worst}, r"^logs is .*, expected"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_training_is_refused_and_nothing_changed(name, saved, data):
    value, said = REFUSED[name]
    options = {"net": made(), "epochs": 5, "batch_size": 16, "optimizer": fb.Adam(), "validation_split": 0.2,
               "early_stopping": fb.EarlyStopping("loss"), name: value()}
    net, optimizer = options.pop("net"), options["optimizer"]
    params = net.params.copy()
    with pytest.raises(ValueError, match=said):
        net.fit(*data[:2], resume=saved, **options)
    assert np.array_equal(net.params, params) and (net.epochs, net._draws) == (0, 0)
    assert optimizer.steps == 0 and optimizer.state is None


def go_on(path, data, net=None):
    net = net or made()
    params = net.params.copy()
    try:
        net.fit(*data[:2], epochs=5, batch_size=16, optimizer=fb.Adam(), validation_split=0.2,
                early_stopping=fb.EarlyStopping("loss"), resume=path)
    except BaseException:
        assert np.array_equal(net.params, params) and net.epochs == 0
        raise


def test_other_data_are_refused(saved, data):
    X, Y, labels = data
    go_on(saved, data)
    for other, name in (((X + 1, Y, labels), "X"), ((X, Y[::-1].copy(), labels), "y")):
        with pytest.raises(ValueError, match=rf"^{name} is another one, expected the same values, as in the"):
            go_on(saved, other)


def test_a_truncated_file_is_refused_whatever_is_left_of_it(saved, data, tmp_path):
    whole = saved.read_bytes()
    path = tmp_path / "cut.safetensors"
    for length in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut.safetensors: (an empty file|not a safetensors file, or)"):
            go_on(path, data)


def test_a_damaged_file_is_refused_wherever_it_is(saved, data, tmp_path):
    """One bit: of the length, the header, the description, a tensor."""
    whole = saved.read_bytes()
    path = tmp_path / "damaged.safetensors"
    rng = np.random.default_rng(0)
    for at in (0, 3, 8, 9, *rng.integers(8, len(whole), 120), len(whole) - 1):
        found = bytearray(whole)
        found[at] ^= 1 << int(rng.integers(7))
        path.write_bytes(found)
        with pytest.raises(ValueError, match=r"damaged\.safetensors: not a"):
            go_on(path, data)


def rewritten(saved, path, change):
    """The checkpoint again with its description, or tensors, changed, and a checksum that is right."""
    with safe_open(saved, "numpy") as file:
        description = json.loads(file.metadata()["fastbp"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- it is no dict
    change(description, tensors)
    path.write_bytes(b"".join(serialization.checkpoint(description, tensors)))
    return path



def warmed_up(times):
    """The config of a schedule that warms up to another one, and so on."""
    found = {"name": "constant", "value": 0.1}
    for _ in range(times):
        found = {"name": "warm_up", "schedule": found, "steps": 3}
    return found


CHANGES = {
    "a newer version": (lambda d, t: d.update(format=2), "format is 2, expected 1, which this version of"),
    "a step too many": (lambda d, t: (d["state"].update(step=3), t.update(losses=np.zeros(3))), "its step is not as"),
    "other parameters": (lambda d, t: t.update(params=t["params"][1:]), "its tensor 'params' is not as it was"),
    "parameters of float64": (lambda d, t: t.update(params=t["params"].astype("f8")), "its tensor 'params'"),
    "NaN": (lambda d, t: t["params"].__setitem__(3, np.nan), "its tensor 'params' .* expected finite float32"),
    "no state": (lambda d, t: t.pop("state"), "its tensor 'state'"),
    "no best parameters": (lambda d, t: t.pop("best_params.0"), "expected best_params.0"),
    "early stopping of nobody": (lambda d, t: (d["state"].update(early_stopping=[]), t.pop("best_params.0")),
                                 "its early stopping is not as it was"),
    "counts of answers": (lambda d, t: t.update(correct_counts=t["losses"]), "its tensor 'correct_counts'"),
    "a memory of no schedule": (lambda d, t: d["state"].update(memory=[1]), "its rate .* is not as it was written"),
    "a rate below 0": (lambda d, t: d["state"].update(rate=-1), "its rate .lr is -1"),
    "a schedule that is none": (lambda d, t: d["state"].update(rate={"name": "none"}), "its rate"),
    "a schedule in a schedule, and so on": (lambda d, t: d["state"].update(rate=warmed_up(400)), "nested too deeply"),
    "something more": (lambda d, t: d.update(more=1), "1 unknown key"),
    "another kind": (lambda d, t: d.update(kind="parameters"), "expected a checkpoint"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_does_not_belong_together_is_refused(name, saved, data, tmp_path):
    change, said = CHANGES[name]
    with pytest.raises(ValueError, match=rf"changed\.safetensors: not a usable checkpoint.*{said}"):
        go_on(rewritten(saved, tmp_path / "changed.safetensors", change), data)


def test_files_that_are_no_checkpoints_are_refused(tmp_path, data):
    net = made()
    net.save(tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match=r"it has a network and no state of a training, expected a checkpoint; give"):
        go_on(tmp_path / "net.safetensors", data)
    save_file({"a": np.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"its metadata has no entry 'fastbp'"):
        go_on(tmp_path / "other.safetensors", data)
    with pytest.raises(FileNotFoundError, match=r"^resume is .*none', where no checkpoint is, expected .*; correct"):
        go_on(tmp_path / "none", data)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"^resume is .*empty', where no checkpoint is"):
        go_on(tmp_path / "empty", data)
    (tmp_path / "empty" / "epoch-000003.safetensors").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"a folder without last.safetensors, expected one with it; pass one"):
        go_on(tmp_path / "empty", data)
    for wrong, error in ((3, TypeError), ("", ValueError)):
        with pytest.raises(error, match=r"^resume is "):
            go_on(wrong, data)


def test_other_kernels_are_warned_of(saved, data, tmp_path):
    path = rewritten(saved, tmp_path / "a.safetensors", lambda description, _: description["state"].update(isa="vax"))
    with pytest.warns(RuntimeWarning, match=r"was written with the kernels 'vax', and this training uses '\w+': it"):
        go_on(path, data)


def test_a_network_is_read_out_of_a_checkpoint(saved, tmp_path):
    net = fb.load(saved)
    with safe_open(saved, "numpy") as file:
        assert np.array_equal(net.params, file.get_tensor("params"))
        assert net.epochs == json.loads(file.metadata()["fastbp"])["state"]["epoch"]
    bad = rewritten(saved, tmp_path / "bad.safetensors", lambda d, _: d["training"]["model"]["layers"].pop())
    with pytest.raises(ValueError, match=r"bad.safetensors: not a usable model"):
        fb.load(bad)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(saved.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match=r"its checksum is another one, expected that of what it holds: it is damaged"):
        fb.load(damaged)


def test_descriptions_are_read_as_they_were_written(saved):
    training, state, tensors = serialization.read_checkpoint(str(saved))
    assert {*training, *state} and tensors["params"].dtype == np.float32
    assert checkpoint_schema.described(training, state)["kind"] == "checkpoint"
