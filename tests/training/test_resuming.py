"""fastbp/_training/resuming.py: a training goes on from a checkpoint with the bits of one that never stopped, and not
from one of another training."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_network import made

import fastbp as fb
from fastbp import graph as g
from fastbp.sklearn import MLPClassifier, MLPRegressor

TIMES = ("seconds", "samples_per_second")


def same_history(one, other):
    assert one.epoch == other.epoch and one.history.keys() == other.history.keys()
    for name in one.history.keys() - {*TIMES}:
        assert np.array_equal(one.history[name], other.history[name], equal_nan=True), name


def expression(dtype="float32"):
    x, y = g.input("x", 6), g.input("y", 3)
    hidden = fb.Dropout(0.25)(fb.Dense(6, 5, "tanh", l2=0.01)(x))
    return g.compile(g.mean(g.square(hidden @ g.parameter("V", (5, 3)) - y)), dtype=dtype, seed=2)


def worst(y, p):
    return float(np.abs(y - p).max())


class Decays(fb.Callback):
    """Changes the optimizer's rate, and puts a value of its own."""

    puts = ("rate",)

    def __init__(self, optimizer):
        self.optimizer = optimizer

    def on_epoch_end(self, net, epoch, logs):
        self.optimizer.lr = self.optimizer.lr * 0.9
        logs["rate"] = self.optimizer.lr


# {name: (the model, the optimizer, options of fit)}, made anew each time
TRAININGS = {
    "plain": lambda: (made(), fb.SGD(0.1), {}),
    "momentum, dropout, weights": lambda: (
        made(dropout=0.3), fb.SGD(0.1, momentum=0.9), {"sample_weight": np.arange(50) / 25, "seed": 5}),
    "adam, float64, plateau": lambda: (
        made(dtype="float64"), fb.Adam(lr=fb.schedules.WarmUp(fb.schedules.ReduceOnPlateau(0.5, patience=0), 5)),
        {"validation_split": 0.2}),
    "classes, early stopping, metric": lambda: (
        made(loss="cross_entropy", l1=1e-4), fb.Adam(lr=fb.schedules.Cosine(0.3, 20)),
        {"labels": True, "validation_split": 0.3, "early_stopping": fb.EarlyStopping(patience=2),
         "metrics": {"worst_loss": lambda y, p: float(-np.log(p).max())}}),
    "early stopping that decides in the core": lambda: (
        made(loss="cross_entropy"), fb.Adam(lr=0.5),
        {"labels": True, "validation_split": 0.3, "early_stopping": fb.EarlyStopping("lr", patience=3)}),
    "a callback that changes the rate": lambda: (
        made(), (optimizer := fb.RMSprop(0.05)), {"callbacks": [Decays(optimizer)]}),
    "in order": lambda: (made(dropout=0.1), fb.AdamW(), {"shuffle": False}),
    "one batch": lambda: (made(), fb.Adagrad(0.1), {"batch_size": 99}),
}  # fmt: skip


def train(made, data, **more):
    """(model, optimizer, History) of one of TRAININGS, or of an expression."""
    model, optimizer, options = made() if callable(made) else made
    X, Y, labels = data
    options = {"epochs": 6, "batch_size": 16, "optimizer": optimizer, **options}
    options["callbacks"] = [*options.get("callbacks", []), *more.pop("callbacks", [])]
    y = labels if options.pop("labels", False) else Y
    return model, optimizer, model.fit(X, y, **{**options, **more})


def checkpoints(folder):
    return [folder / name for name in sorted(os.listdir(folder))]


@pytest.mark.parametrize("name", TRAININGS)
@pytest.mark.parametrize("every", ["1 steps", 2, "3 steps"])
def test_it_goes_on_bit_for_bit_from_any_batch(name, every, tmp_path, data):
    net, optimizer, history = train(TRAININGS[name], data)
    run = fb.Checkpoint(tmp_path / "run", every=every, keep=99)
    watched, _, seen = train(TRAININGS[name], data, callbacks=[run])
    assert np.array_equal(net.params, watched.params)  # to be saved changes nothing
    same_history(history, seen)
    found = checkpoints(tmp_path / "run")
    assert len(found) > 2
    for path in found:
        other, other_optimizer, went_on = train(TRAININGS[name], data, resume=path, threads=1 + len(path.name) % 3)
        assert np.array_equal(net.params, other.params), path
        assert (other_optimizer.steps, other.epochs, other._draws) == (optimizer.steps, net.epochs, net._draws)
        assert optimizer.state is None or np.array_equal(optimizer.state, other_optimizer.state)
        same_history(history, went_on)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_expressions_go_on(dtype, tmp_path, data):
    X, Y, _ = data
    options = {"epochs": 4, "batch_size": 16, "validation_split": 0.1}
    whole = expression(dtype)
    run = fb.Checkpoint(tmp_path / "run", every="2 steps", keep=99)
    history = whole.fit({"x": X, "y": Y}, optimizer=fb.Adam(), callbacks=[run], **options)
    for path in checkpoints(tmp_path / "run"):
        plan = expression(dtype)
        plan.params[:] = 0
        same_history(history, plan.fit({"x": X, "y": Y}, optimizer=fb.Adam(), resume=path, **options))
        assert np.array_equal(plan.params, whole.params), path
    x = g.input("x", 6)
    other = g.compile(g.mean(g.square(fb.Dense(6, 3)(x) - g.input("y", 3))), dtype=dtype, seed=2)
    with pytest.raises(ValueError, match=r"^parameters\.layer0\.W is \[6, 3\] .*, expected \[6, 5\] .*, as in the"):
        other.fit({"x": X, "y": Y}, resume=tmp_path / "run", **options)
    x, y = g.input("x", 6), g.input("y", 3)
    hidden = fb.Dropout(0.25)(fb.Dense(6, 5, "tanh", l2=0.01)(x))
    other = g.compile(g.mean(abs(hidden @ g.parameter("V", (5, 3)) - y)), dtype=dtype, seed=2)
    with pytest.raises(ValueError, match=r"^graph is another one, expected the same operations, as in the checkpoint"):
        other.fit({"x": X, "y": Y}, optimizer=fb.Adam(), resume=tmp_path / "run", **options)
    with pytest.raises(ValueError, match=r"^kind is 'network', expected 'expression'"):
        made().fit(X, Y, resume=tmp_path / "run", **options)
    with pytest.raises(ValueError, match=r"it is a checkpoint of an expression, expected one of a network; pass it to"):
        fb.load(tmp_path / "run" / "last.safetensors")


def test_more_epochs_are_those_of_a_longer_training(tmp_path, data):
    whole, _, history = train(TRAININGS["plain"], data, epochs=9)
    train(TRAININGS["plain"], data, epochs=5, callbacks=[fb.Checkpoint(tmp_path / "run")])
    net, _, went_on = train(TRAININGS["plain"], data, epochs=9, resume=tmp_path / "run")
    assert np.array_equal(net.params, whole.params) and went_on.params["epochs"] == 9
    same_history(history, went_on)
    with pytest.raises(ValueError, match=r"^epochs is 4, expected at least 5, as many as the checkpoint .*; pass the"):
        train(TRAININGS["plain"], data, epochs=4, resume=tmp_path / "run")


def test_a_second_training_of_a_network_goes_on(tmp_path, data):
    """Of the epochs that came before it, it has the order and the masks."""
    def trained(epochs, **more):
        net, optimizer = made(dropout=0.2), fb.Adam()
        net.fit(*data[:2], epochs=2, batch_size=16, optimizer=optimizer)
        net.fit(*data[:2], epochs=epochs, batch_size=16, optimizer=optimizer, **more)
        return net

    whole = trained(4)
    trained(3, callbacks=[fb.Checkpoint(tmp_path / "run", every="5 steps", keep=9)])
    for path in checkpoints(tmp_path / "run"):
        net = made(dropout=0.2)  # which has had no epochs itself
        history = net.fit(*data[:2], epochs=4, batch_size=16, optimizer=(optimizer := fb.Adam()), resume=path)
        assert np.array_equal(net.params, whole.params) and net.epochs == 6 and history.epoch == [2, 3, 4, 5]
    net.fit(*data[:2], epochs=2, batch_size=16, optimizer=optimizer)  # and what comes after goes on as well
    assert np.array_equal(net.params, trained(6).params)


def test_the_network_and_optimizer_that_were_stopped_may_go_on(tmp_path, data):
    whole, _, _ = train(TRAININGS["a callback that changes the rate"], data)
    model = TRAININGS["a callback that changes the rate"]()
    net, optimizer, _ = train(model, data, epochs=3, callbacks=[fb.Checkpoint(tmp_path / "run")])
    optimizer.steps, net.params[:], optimizer.state[:] = 0, 1, 2  # what a user may have done meanwhile
    train(model, data, resume=tmp_path / "run")
    assert np.array_equal(net.params, whole.params)


def test_what_callbacks_do_at_the_beginning_is_done_over(tmp_path, data):
    class Begins(fb.Callback):
        epochs = None

        def on_train_begin(self, net):
            self.epochs = net.epochs
            net.params[:] = 1

        def on_epoch_begin(self, net, epoch):
            net.params[0] += 1

    whole, _, _ = train(TRAININGS["plain"], data, callbacks=[Begins()])
    run = fb.Checkpoint(tmp_path / "run", every="3 steps", keep=99)
    train(TRAININGS["plain"], data, epochs=5, callbacks=[Begins(), run])
    for path in checkpoints(tmp_path / "run"):
        net, _, _ = train(TRAININGS["plain"], data, callbacks=[begins := Begins()], resume=path)
        assert np.array_equal(net.params, whole.params) and begins.epochs == fb.load(path).epochs


def test_a_training_that_was_over_is_over(tmp_path, data):
    name = "classes, early stopping, metric"
    whole, _, history = train(TRAININGS[name], data, epochs=50, callbacks=[fb.Checkpoint(tmp_path / "run")])
    assert len(history.epoch) < 50
    net, _, again = train(TRAININGS[name], data, epochs=50, resume=tmp_path / "run")
    assert np.array_equal(net.params, whole.params)  # the best, which early stopping has put back
    same_history(history, again)

    def stops(net, epoch, logs):
        return epoch == 2

    train(TRAININGS["plain"], data, callbacks=[stops, fb.Checkpoint(tmp_path / "b")])
    assert train(TRAININGS["plain"], data, callbacks=[stops], resume=tmp_path / "b")[2].epoch == [0, 1, 2]


def test_a_number_that_is_not_finite_leaves_the_last_good_step_after_going_on(tmp_path, data):
    """The call that fails goes back to where the training went on, not to where the epoch began."""
    X, Y, _ = data
    optimizer = fb.SGD(lr=fb.schedules.Exponential(0.01, 1.0))

    class Grows(fb.schedules.Schedule):
        name = "grows"

        def rates(self, t):
            return np.where(t >= 6, 1e30, 0.01)  # in the second epoch of 4 steps, the third step

    def trained(**more):
        net = made(activation="relu")
        with pytest.raises(FloatingPointError) as error:
            net.fit(X, Y, epochs=4, batch_size=16, optimizer=fb.SGD(lr=Grows()), **more)
        return net, str(error.value)

    assert optimizer.steps == 0
    whole, said = trained(callbacks=[fb.Checkpoint(tmp_path / "run", every="1 steps", keep=99)])
    found = [path for path in checkpoints(tmp_path / "run") if "step" in path.name]
    assert len(found) >= 3
    for path in found:
        net, again = trained(resume=path)
        assert np.array_equal(net.params, whole.params) and again == said and "epoch 2, step" in said, path


def test_estimators_go_on(tmp_path, data):
    X, Y, labels = data
    for cls, y in ((MLPClassifier, labels), (MLPRegressor, Y)):
        options = {"hidden_layer_sizes": 5, "batch_size": 16, "random_state": 3, "dropout": 0.1}
        options["early_stopping"] = fb.EarlyStopping(patience=9)
        folder = tmp_path / cls.__name__
        whole = cls(max_iter=6, **options).fit(X, y)
        cls(max_iter=3, checkpoint=fb.Checkpoint(folder), **options).fit(X, y)
        found = cls(max_iter=6, checkpoint=fb.Checkpoint(folder), **options).fit(X, y, resume=folder)
        assert np.array_equal(found.net_.params, whole.net_.params) and found.n_iter_ == 6
        assert found.loss_curve_ == whole.loss_curve_ and found.t_ == whole.t_
        with pytest.raises(ValueError, match=r"^checkpoint is Checkpoint.*, expected None for partial_fit"):
            cls(checkpoint=fb.Checkpoint(folder), hidden_layer_sizes=5).partial_fit(
                X, y, **({"classes": np.unique(y)} if cls is MLPClassifier else {}))
        with pytest.raises(ValueError, match=r"^seed is \d+ \(int\), expected \d+ \(int\), as in the checkpoint"):
            cls(max_iter=6, **{**options, "random_state": 4}).fit(X, y, resume=folder)


def test_where_nothing_is_a_training_begins_if_it_is_to_save_there(tmp_path, data):
    whole, _, _ = train(TRAININGS["plain"], data)
    for folder, resume in (("a", "a"), ("b", "b/last.safetensors")):
        run = fb.Checkpoint(tmp_path / folder)
        net, _, _ = train(TRAININGS["plain"], data, callbacks=[run], resume=tmp_path / resume)
        assert np.array_equal(net.params, whole.params) and (tmp_path / folder / "last.safetensors").exists()


def test_an_older_one_goes_on_where_the_last_one_is_damaged(tmp_path, data):
    whole, _, _ = train(TRAININGS["plain"], data, callbacks=[fb.Checkpoint(tmp_path / "run", keep=2)])
    (tmp_path / "run" / "last.safetensors").write_bytes(b"damaged")
    run = fb.Checkpoint(tmp_path / "run", keep=2)
    net, _, _ = train(TRAININGS["plain"], data, callbacks=[run], resume=tmp_path / "run" / "epoch-000004.safetensors")
    assert np.array_equal(net.params, whole.params)
    assert np.array_equal(fb.load(tmp_path / "run" / "last.safetensors").params, whole.params)


def test_data_specs_are_no_part_of_the_training(tmp_path, data):
    spec = {"features": None, "mean": None, "scale": None, "target": "t", "classes": None, "image_shape": None}
    net = made()
    net.data_spec = spec
    net.fit(*data[:2], epochs=2, callbacks=[fb.Checkpoint(tmp_path / "run")])
    made().fit(*data[:2], epochs=3, resume=tmp_path / "run")
    assert fb.load(tmp_path / "run" / "last.safetensors").data_spec == spec


def test_another_process_goes_on(tmp_path, data):
    np.savez(tmp_path / "data.npz", X=data[0], Y=data[1])
    program = """
import sys, numpy as np, fastbp as fb
found = np.load("data.npz")
net = fb.mlp(6, 8, 3, dropout=0.2, seed=1)
epochs, resume = int(sys.argv[1]), "run" if sys.argv[2] == "resume" else None
run = [fb.Checkpoint("run", every="3 steps")] if epochs < 9 else []
net.fit(found["X"], found["Y"], epochs=epochs, batch_size=16, optimizer=fb.Adam(), resume=resume, callbacks=run,
        threads=int(sys.argv[3]))
print(net.params.tobytes().hex())
"""

    def of(*arguments):
        environ = {**os.environ, "PYTHONPATH": str(Path(fb.__file__).parents[1])}
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60,
                              cwd=tmp_path, check=True, env=environ)
        return done.stdout

    whole = of("9", "begin", "1")
    of("4", "begin", "2")
    assert of("9", "resume", "2") == whole
