"""fastbp/_training/loop.py: the training loop that networks and expressions share. What fit promises of networks is in
test_network_fit.py, test_promises.py and test_callbacks.py."""

import threading

import numpy as np
import pytest
from small_network import INPUTS, UNITS, N, made

import fastbp as fb
from fastbp import graph as g
from fastbp._core.fast_call import ExclusiveUse
from fastbp._training import job


def network():
    """(model, fit(rows, spoilt, **options)) of a network, the same at every call, as those below; rows: how many are
    trained on; spoilt: those whose loss is more than a float can say."""
    net, rng = made(), np.random.default_rng(0)
    X, Y = rng.standard_normal((N, INPUTS)).astype("float32"), rng.standard_normal((N, UNITS)).astype("float32")

    def fit(rows=N, spoilt=(), **options):
        Y[list(spoilt)] = 1e30
        return net.fit(X[:rows], Y[:rows], **options)

    return net, fit


def expression():
    """The same of an expression: a line through noise."""
    x, y = g.inputs("x", "y")
    plan = g.compile(g.mean(g.square(x * g.parameter("a") + g.parameter("b") - y)), seed=4)
    rng = np.random.default_rng(0)
    data = {"x": rng.standard_normal((N, 1)).astype("float32"), "y": rng.standard_normal((N, 1)).astype("float32")}

    def fit(rows=N, spoilt=(), **options):
        data["y"][list(spoilt)] = 1e30
        return plan.fit({name: array[:rows] for name, array in data.items()}, **options)

    return plan, fit


MODELS = {"network": network, "expression": expression}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


# ---- one thread at a time ------------------------------------------------------------------------------------------


def test_a_second_thread_gets_an_error_and_the_first_goes_on():
    alone, caught = ExclusiveUse("wait for it"), []

    def second():
        try:
            with alone:
                pass
        except RuntimeError as error:
            caught.append(str(error))

    with alone:
        worker = threading.Thread(target=second)
        worker.start()
        worker.join()
    assert caught == ["wait for it"]
    with pytest.raises(KeyError), alone:
        raise KeyError
    second()  # free again, also after an error
    assert len(caught) == 1


# ---- the loop ------------------------------------------------------------------------------------------------------


def test_a_history_of_any_model(model):
    _, fit = model()
    history = fit(epochs=3, batch_size=16, optimizer=fb.SGD(lr=0.01))
    assert history.params == {"epochs": 3, "batch_size": 16, "samples": N, "steps": 4}
    assert history.epoch == [0, 1, 2]
    assert set(history.history) >= {"loss", "lr", "seconds", "samples_per_second"}
    assert not history.interrupted


def test_any_model_is_the_same_in_chunks_of_any_length(model, monkeypatch):
    found = set()
    for seconds in (0.0, 1e-5, 10.0):
        monkeypatch.setattr(job, "CALL_SECONDS", seconds)
        trained, fit = model()
        fit(epochs=4, batch_size=7, optimizer=fb.Adam(lr=0.01))
        found.add(trained.params.tobytes())
    assert len(found) == 1


@pytest.mark.smoke
def test_any_model_is_the_same_for_any_number_of_threads(model):
    found = set()
    for threads in (1, 2, 3):
        trained, fit = model()
        fit(epochs=2, batch_size=16, threads=threads)
        found.add(trained.params.tobytes())
    assert len(found) == 1


def test_any_model_validates_with_the_part_held_out(model):
    _, fit = model()
    history = fit(epochs=2, batch_size=16, validation_split=0.2)
    assert history.params["samples"] == N - N // 5
    assert len(history.history["val_loss"]) == 2


@pytest.mark.smoke
def test_any_model_stops_early_and_hears_callbacks(model):
    _, fit = model()
    heard = []
    history = fit(epochs=9, batch_size=16, callbacks=[lambda model, epoch, logs: heard.append(epoch) or epoch == 3])
    assert heard == history.epoch == [0, 1, 2, 3]
    patient = fb.EarlyStopping("loss", patience=2, min_delta=1.0)
    history = fit(epochs=50, optimizer=fb.SGD(lr=1e-9), early_stopping=patient)
    assert len(history.epoch) < 10


def test_ctrl_c_ends_any_training_with_what_it_has(model):
    trained, fit = model()

    def interrupt(model, epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    history = fit(epochs=5, batch_size=16, callbacks=interrupt)
    assert history.interrupted
    assert history.epoch == [0, 1]
    with trained._exclusive:  # nobody holds it
        pass


@pytest.mark.smoke
@pytest.mark.parametrize(("options", "kind", "message"), [
    ({"epochs": 0}, ValueError, "epochs is 0"),
    ({"shuffle": 2}, TypeError, "shuffle is 2"),
    ({"seed": -1}, ValueError, "seed is -1"),
    ({"optimizer": "sgd"}, TypeError, "optimizer is 'sgd', expected an optimizer object"),
    ({"batch_size": 0}, ValueError, "batch_size is 0"),
    ({"threads": 0}, ValueError, "threads is 0"),
    ({"validation_split": 1.0}, ValueError, "validation_split is 1.0"),
])
def test_any_model_refuses_before_anything_is_changed(model, options, kind, message):
    trained, fit = model()
    before = trained.params.copy()
    with pytest.raises(kind, match=message):
        fit(**options)
    assert np.array_equal(trained.params, before)


@pytest.mark.parametrize("optimizer", [fb.SGD(lr=1e30), fb.Adam(lr=1e30)], ids=["sgd", "adam"])
def test_a_number_that_stops_being_finite_leaves_the_last_good_step(model, optimizer):
    trained, fit = model()
    with pytest.raises(FloatingPointError, match=r"epoch 1, step \d: ") as caught:
        fit(epochs=5, batch_size=16, shuffle=False, optimizer=optimizer.fresh())
    good = int(str(caught.value).split()[3].strip(":")) - 1  # steps that were right
    assert good >= 1
    again, fit = model()
    fit(rows=good * 16, batch_size=16, shuffle=False, optimizer=optimizer.fresh())
    assert np.array_equal(again.params, trained.params)


def test_a_step_that_cannot_be_taken_leaves_those_before_it(model):
    trained, fit = model()
    with pytest.raises(FloatingPointError, match="epoch 1, step 4: the loss became inf"):
        fit(spoilt=[N - 1], batch_size=16, shuffle=False, optimizer=fb.Adam(lr=0.01))
    again, fit = model()
    fit(rows=48, batch_size=16, shuffle=False, optimizer=fb.Adam(lr=0.01))
    assert np.array_equal(again.params, trained.params)


def test_rows_of_the_last_smaller_batch_count_by_their_number(model):
    """The mean over an epoch is over samples: with a rate of 0 it is the loss of the data."""
    _, fit = model()
    losses = [fit(batch_size=size, optimizer=fb.SGD(lr=1e-30), shuffle=False).history["loss"][0] for size in (N, 16, 7)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2] == pytest.approx(losses[0], rel=1e-5)
