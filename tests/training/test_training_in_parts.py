"""Training in parts: fit(epochs=5) four times has the bits of fit(epochs=20) - parameters, optimizer, masks of dropout,
History - of networks, many networks, expressions and estimators, whatever they went through in between."""

import copy
import io
import pickle
import sys

import numpy as np
import pytest
from model_files import at, description, saved_model
from small_network import INPUTS, UNITS, bits, made

import fastbp as fb
from fastbp import graph as g

STEPS = 3 * 20  # of 45 samples in batches of 16, in 20 epochs
OPTIMIZERS = {
    "sgd": lambda: fb.SGD(lr=0.05),
    "momentum": lambda: fb.SGD(lr=fb.schedules.WarmUp(0.05, 10), momentum=0.9),
    "adam": lambda: fb.Adam(lr=fb.schedules.Cosine(0.01, STEPS)),
    "plateau": lambda: fb.Adam(lr=fb.schedules.ReduceOnPlateau(0.01, 0.5, patience=1, min_delta=0.01)),
}


def through_file(model, optimizer, path):
    """A network or plan that was read from the file of another one, and the optimizer that was pickled beside it."""
    model.save(path / "model")
    if isinstance(model, fb.Sequential):
        return fb.load(path / "model"), pickle.loads(pickle.dumps(optimizer))
    return expression().load(path / "model"), pickle.loads(pickle.dumps(optimizer))


BETWEEN = {
    "nothing": lambda model, optimizer, path: (model, optimizer),
    "pickle": lambda model, optimizer, path: pickle.loads(pickle.dumps((model, optimizer))),
    "copies": lambda model, optimizer, path: (copy.deepcopy(model), copy.deepcopy(optimizer)),
    "file": through_file,
}


def network():
    return made(dropout=0.3, l2=1e-3)


def expression():
    x, y = g.input("x", INPUTS), g.input("y", UNITS)
    return g.compile(g.squared_error(made(dropout=0.3)(x), y), seed=4)


def fit(model, data, optimizer, epochs, **options):
    X, Y, _ = data
    given = (X, Y) if isinstance(model, fb.Sequential) else ({"x": X, "y": Y},)
    return model.fit(*given, epochs=epochs, batch_size=16, optimizer=optimizer, validation_split=0.1, **options)


def found(model, optimizer):
    state = None if optimizer.state is None else optimizer.state.tobytes()
    return model.params.tobytes(), state, optimizer.steps, model._draws, model.epochs


def told(histories):
    """What does not depend on the clock."""
    names = [name for name in histories[0].history if name not in ("seconds", "samples_per_second")]
    values = {name: [value for each in histories for value in each.history[name]] for name in names}
    return values, [epoch for each in histories for epoch in each.epoch]


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("make", [network, expression])
def test_four_times_five_epochs_are_twenty(data, tmp_path, make, optimizer, between):
    whole, its = make(), OPTIMIZERS[optimizer]()
    once = fit(whole, data, its, 20)
    part, ours, histories = make(), OPTIMIZERS[optimizer](), []
    for _ in range(4):
        histories.append(fit(part, data, ours, 5))
        part, ours = BETWEEN[between](part, ours, tmp_path)
    assert found(part, ours) == found(whole, its)
    assert told(histories) == told([once])
    assert once.epoch == list(range(20))
    assert len(set(once.history["lr"])) > 1 or optimizer == "sgd"


def test_so_they_are_for_many_networks(data):
    X, Y, _ = data
    nets, twins = ([made(seed=seed, dropout=0.3) for seed in range(3)] for _ in range(2))
    twins[2].epochs = nets[2].epochs = 7  # they need not have had as many
    optimizers, theirs = ([fb.Adam() for _ in nets] for _ in range(2))
    options = {"batch_size": 16, "rows": [None, np.arange(30), np.arange(50)[::-1]]}
    once = fb.fit_many(nets, X, Y, epochs=6, optimizers=optimizers, **options)
    parts = [fb.fit_many(twins, X, Y, epochs=epochs, optimizers=theirs, **options) for epochs in (1, 3, 2)]
    for i in range(3):
        assert found(nets[i], optimizers[i]) == found(twins[i], theirs[i])
        assert told([part[i] for part in parts]) == told([once[i]])
    assert [history.epoch for history in once] == [list(range(6)), list(range(6)), list(range(7, 13))]
    alone = made(seed=0, dropout=0.3)  # one network goes from one way of training to the other
    adam = fb.Adam()
    fb.fit_many([alone], X, Y, epochs=2, batch_size=16, optimizers=[adam])
    alone.fit(X, Y, epochs=4, batch_size=16, optimizer=adam)
    assert found(alone, adam) == found(nets[0], optimizers[0])


@pytest.mark.parametrize("through", [lambda model: model, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_an_estimators_partial_fits_are_its_fit(data, name, through):
    estimators = pytest.importorskip("fastbp.sklearn")
    X, _, labels = data
    make = getattr(estimators, name)
    settings = {"hidden_layer_sizes": (8,), "dropout": 0.3, "batch_size": 16, "shuffle": False, "random_state": 3,
                "solver": fb.Adam(lr=0.01), "early_stopping": None}
    with pytest.warns(UserWarning, match="^Stochastic Optimizer: Maximum iterations \\(6\\) reached"):
        whole, part = make(max_iter=6, **settings).fit(X, labels), make(**settings)
    more = {"classes": np.unique(labels)} if name == "MLPClassifier" else {}
    for _ in range(6):
        part = through(part.partial_fit(X, labels, **more))
    assert part.net_.params.tobytes() == whole.net_.params.tobytes()
    assert part.optimizer_.state.tobytes() == whole.optimizer_.state.tobytes()
    assert part.n_iter_ == 1 and len(part.loss_curve_) == part.net_.epochs == 6
    assert part.loss_curve_ == whole.loss_curve_


def test_a_loop_by_hand_goes_on_from_fit_and_fit_from_the_loop(data):
    X, Y, _ = data
    whole, part = made(), made()
    whole.fit(X, Y, epochs=3, batch_size=16)
    part.fit(X, Y, epochs=1, batch_size=16)
    optimizer = fb.SGD(lr=0.1)
    for xb, yb in fb.batches(X, Y, 16, seed=part.seed + part.epochs):
        part.loss_and_grad(xb, yb)
        optimizer.step(part)
    part.epochs += 1
    part.fit(X, Y, epochs=1, batch_size=16)
    assert bits(part) == bits(whole)


# ---- what decides, and how to begin anew -----------------------------------------------------------------------------


def orders(X, Y, seeds):
    net = made()
    for seed in seeds:
        for xb, yb in fb.batches(X, Y, 16, seed=seed):
            net.loss_and_grad(xb, yb)
            fb.SGD(lr=0.1).step(net)
    return bits(net)


def test_the_order_is_that_of_all_epochs_and_a_seed_of_its_own_begins_them_anew(data):
    X, Y, _ = data

    def after(*calls):
        net = made()  # of seed 4
        for options in calls:
            net.fit(X, Y, epochs=2, batch_size=16, **options)
        return bits(net), net.epochs

    assert after({}, {}) == (orders(X, Y, [4, 5, 6, 7]), 4)
    assert after({}, {"seed": 4}) == (orders(X, Y, [4, 5, 4, 5]), 4)
    assert after({"seed": 9}, {"seed": 20}, {}) == (orders(X, Y, [9, 10, 20, 21, 8, 9]), 6)
    net = made()
    net.fit(X, Y, epochs=2, batch_size=16)
    net.epochs = 0
    net.fit(X, Y, epochs=2, batch_size=16)
    assert bits(net) == orders(X, Y, [4, 5, 4, 5])


def test_seeds_of_many_networks_begin_them_anew_as_well(data):
    X, Y, _ = data
    net = made()
    for seeds in (None, [20], None):
        fb.fit_many([net], X, Y, epochs=2, batch_size=16, seeds=seeds)
    assert bits(net) == orders(X, Y, [4, 5, 20, 21, 8, 9])


def test_callbacks_bar_and_errors_count_on(data, monkeypatch):
    X, Y, _ = data
    net, heard = made(), []
    net.fit(X, Y, epochs=5)

    class Hears(fb.Callback):
        def on_epoch_begin(self, net, epoch):
            heard.append(epoch)

        def on_epoch_end(self, net, epoch, logs):
            heard.append((epoch, net.epochs))

    stopper = fb.EarlyStopping("loss", patience=1, min_delta=1e9)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    history = net.fit(X, Y, epochs=5, callbacks=[Hears(), stopper], progress=True)
    assert heard == [5, (5, 6), 6, (6, 7)]
    assert history.epoch == [5, 6]
    assert (stopper.best_epoch, stopper.stopped_epoch, net.epochs) == (5, 6, 7)
    assert "epoch 7/10" in sys.stderr.getvalue()
    assert history.params["epochs"] == 5
    with pytest.raises(FloatingPointError, match="epoch 8, step 2"):
        net.fit(X, Y, optimizer=fb.SGD(lr=1e38))
    assert net.epochs == 7  # an epoch that was not finished is not counted


def test_curves_begin_where_training_did(data):
    pytest.importorskip("matplotlib")
    from fastbp import plot

    net = made()
    net.fit(*data[:2], epochs=5)
    figure = plot.history(net.fit(*data[:2], epochs=3), io.BytesIO())
    assert figure.axes[0].lines[0].get_xdata().tolist() == [6, 7, 8]
    low, high = figure.axes[0].get_xlim()
    assert 5.5 < low < 6 and 8 < high < 8.5


def test_an_epoch_that_is_interrupted_is_not_counted_and_one_that_is_trained_is(data):
    net = made()

    def stop(net, epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    assert net.fit(*data[:2], epochs=5, callbacks=stop).interrupted
    assert net.epochs == 2


# ---- files and pickles -----------------------------------------------------------------------------------------------


def test_a_file_has_the_counts_of_what_was_trained_alone(data, tmp_path):
    net = network()
    net.save(tmp_path / "new")
    assert "trained" not in description(tmp_path / "new")
    net.fit(*data[:2], epochs=2, batch_size=25)
    net.save(tmp_path / "old")
    assert description(tmp_path / "old")["trained"] == {"epochs": 2, "draws": 4}
    again = fb.load(tmp_path / "old")
    assert (again.epochs, again._draws) == (2, 4)


@pytest.mark.parametrize("trained, message", [
    (3, "trained is a number, expected an object with epochs and draws"),
    ({"epochs": 1}, "trained has no key 'draws', expected exactly epochs, draws"),
    ({"epochs": 1, "draws": 2, "x": 3}, "trained has 1 unknown key"),
    ({"epochs": -1, "draws": 2}, "trained.epochs is a number, expected a whole number from 0"),
    ({"epochs": 1, "draws": 2.5}, "trained.draws is a number, expected a whole number from 0"),
    ({"epochs": True, "draws": 2}, "trained.epochs is true or false"), ({"epochs": 1, "draws": 2**63}, "trained.draws"),
])
def test_counts_that_are_none_are_refused(tmp_path, trained, message):
    rewrite = saved_model(tmp_path / "net")
    rewrite(at("trained", value=trained))
    with pytest.raises(ValueError, match=message):
        fb.load(tmp_path / "net")
    plan = expression()
    with pytest.raises(ValueError, match=message):
        fb.serialization.save_parameters(plan.parameters, tmp_path / "plan", trained)
        plan.load(tmp_path / "plan")
    assert (plan.epochs, plan._draws) == (0, 0)


def test_older_files_and_pickles_have_had_none(data, tmp_path):
    rewrite = saved_model(tmp_path / "net")
    rewrite()
    assert fb.load(tmp_path / "net").epochs == 0
    for model in (network(), expression()):
        fit(model, data, None, 2)
        state = model.__getstate__()
        assert state.pop("epochs") == 2
        again = object.__new__(type(model))
        again.__setstate__(state)
        assert again.epochs == 0
        assert again.params.tobytes() == model.params.tobytes()


@pytest.mark.parametrize("how", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))], ids=["copy", "pickle"])
def test_copies_made_amid_an_epoch_and_by_a_callback_go_on(data, how):
    """Model and optimizer together, with what a plateau has seen; the copy and what it is of go their own ways."""
    X, Y, _ = data

    def begun():
        return made(dropout=0.3), fb.Adam(lr=fb.schedules.ReduceOnPlateau(0.5, patience=0))

    def steps(net, optimizer, batches):
        for xb, yb in batches:
            net.loss_and_grad(xb, yb)
            optimizer.step(net)

    (net, optimizer), batches = begun(), list(fb.batches(X, Y, 16, seed=3))
    steps(net, optimizer, batches[:2])
    twin, other = how((net, optimizer))
    for both in ((net, optimizer), (twin, other)):
        steps(*both, batches[2:])
    assert bits(net) == bits(twin) and optimizer.steps == other.steps == 4
    assert optimizer.state.tobytes() == other.state.tobytes()
    (net, optimizer), kept = begun(), []

    def copies(net, epoch, logs):
        if epoch == 1:
            kept.extend(how((net, optimizer)))

    net.fit(X, Y, epochs=2, batch_size=16, optimizer=optimizer, callbacks=[copies])
    for each, its in ((net, optimizer), kept):
        its.observe({"loss": 9.9})
        each.fit(X, Y, epochs=3, batch_size=16, optimizer=its)
    assert bits(net) == bits(kept[0]) and net.epochs == kept[0].epochs == 5
    assert optimizer.lr.current == kept[1].lr.current
