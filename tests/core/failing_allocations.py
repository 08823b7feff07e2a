"""Each memory that a call asks for is once not there: run by test_failing_allocations.py, and whole every night.

    python failing_allocations.py c [CALL ...]         what fastbp's compiled modules and NumPy ask the C library for
    python failing_allocations.py python [CALL ...]    what Python's objects are made of, and NumPy's arrays
    ... --every 7                                      each seventh

"c" needs LD_PRELOAD of fail_allocation.c. For n = 1, 2 ... to the last one: a call is made of which the n-th allocation
fails. It must raise MemoryError or give what it always gives; afterwards nothing more is held than before, the
parameters are those after a whole step, the same model takes the same call, and a new one gives the same bits.
"""

import argparse
import ctypes
import gc
import hashlib
import importlib
import os
import pickle
import sys
import tempfile
import warnings

import numpy as np

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler.use import Use
from fastbp._core import cpu
from fastbp._core.timing import task_times

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 12)).astype("float32")
LABELS = RNG.integers(0, 3, 60)
FOLDER = tempfile.mkdtemp()
PATH = os.path.join(FOLDER, "net.safetensors")
BATCH = 16


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def network(seed=0):
    return fb.mlp(12, 16, 3, loss="cross_entropy", seed=seed, dropout=0.1)


def expression():
    x, t = g.input("x", 12), g.input("t", 3)
    return g.compile(g.mean(g.square(fb.Dense(12, 3, "tanh")(x) - t)), dtype="float64", seed=0)


# ---- what is called ------------------------------------------------------------------------------------------------

OPTIONS = {"epochs": 2, "batch_size": BATCH, "threads": 2}


def make(_):
    return digest(network().params)


def predict(net):
    return digest(net.predict(X))


def evaluate(net):
    return net.evaluate(X, LABELS)


def gradients(net):
    return net.loss_and_grad(X, LABELS), digest(net.grads)


def step(net):
    net.loss_and_grad(X, LABELS)
    fb.Adam().step(net)
    return digest(net.params)


def fit(net):
    net.fit(X, LABELS, optimizer=fb.Adam(), validation_data=(X, LABELS), **OPTIONS)
    return digest(net.params)


def fit_many(nets):
    fb.fit_many(nets, X, LABELS, optimizers=fb.Adam(), **OPTIONS)
    return digest(*(net.params for net in nets))


def save_and_load(net):
    net.save(PATH)
    return digest(fb.load(PATH).params)


def pickle_and_unpickle(net):
    return digest(pickle.loads(pickle.dumps(net)).params)


def compile_expression(_):
    return digest(expression().params)


def fit_expression(plan):
    plan.fit({"x": X, "t": X[:, :3]}, optimizer=fb.Adam(), **OPTIONS)
    return digest(plan.params)


def times(net):
    """What `fastbp info --parallel` asks the core for."""
    plan = net._plans.make(Use("train", len(X), labels=True, threads=1))
    arrays = plan.arrays({"X": X, "targets": LABELS.astype("int32")})
    return len(task_times(plan.executable, arrays, None, None, 3))


def times_refused(net):
    plan = net._plans.make(Use("train", len(X), labels=True, threads=1, gathered=True))
    try:
        task_times(plan.executable, plan.arrays({"X": X, "targets": LABELS.astype("int32")}), None, np.arange(3), 3)
    except ValueError as error:
        return str(error)


# {name: (what makes that which a call works on, each time anew; the call, whose result is always the same)}
CALLS = {call.__name__: (made, call) for made, call in [
    (lambda: None, make), (network, predict), (network, evaluate), (network, gradients), (network, step),
    (network, fit), (lambda: [network(0), network(1)], fit_many), (network, save_and_load),
    (network, pickle_and_unpickle), (lambda: None, compile_expression), (expression, fit_expression),
    (network, times), (network, times_refused),
]}  # fmt: skip


def models(made):
    return [] if made is None else made if isinstance(made, list) else [made]


def parameters_by_step(name, model):
    """The digests of a model's parameters before and after each step of a call, by hand."""
    optimizer, found = fb.Adam(), {digest(model.params)}
    if name == "step":
        rows = [(X, LABELS)]
    elif name.startswith("fit"):
        targets = X[:, :3] if name == "fit_expression" else LABELS
        rows = [each for epoch in range(2) for each in fb.batches(X, targets, BATCH, seed=model.seed + epoch)]
    else:
        rows = []
    for x, t in rows:
        if name == "fit_expression":
            model.loss_and_grad(x=x, t=t)
        else:
            model.loss_and_grad(x, t)
        optimizer.step(model)
        found.add(digest(model.params))
    return found


# ---- what fails ----------------------------------------------------------------------------------------------------


class OfTheLibrary:
    """What fastbp's modules and NumPy ask the C library for."""

    enough = 1  # calls in a row that nothing fails in: then there are no more

    def __init__(self):
        self.shim = ctypes.CDLL(None)
        for name in ("asked_for", "live_bytes", "forgotten_ones"):
            getattr(self.shim, name).restype = ctypes.c_long
        self.shim.watch.argtypes, self.shim.fail_at.argtypes = [ctypes.c_size_t] * 2, [ctypes.c_long]
        with open("/proc/self/maps", encoding="utf-8") as maps:
            for line in maps:
                if " r-xp " in line and ("/fastbp/_core/" in line or "_multiarray_umath" in line):
                    self.shim.watch(*(int(each, 16) for each in line.split()[0].split("-")))

    def arm(self, number):
        self.number = number
        self.shim.fail_at(number)

    def disarm(self):
        """Whether one failed."""
        failed = self.shim.asked_for() >= self.number
        self.shim.fail_at(0)
        return failed

    def live(self):
        assert self.shim.forgotten_ones() == 0
        return self.shim.live_bytes()


class OfPython:
    """What Python's own allocators are asked for, by whomever. _testcapi is CPython's own means to test that; it does
    not say whether one failed, and where it did and nothing came of it, the next ones are tried all the same."""

    enough = 50

    def __init__(self):
        self.api = importlib.import_module("_testcapi")

    def arm(self, number):
        self.api.set_nomemory(number, number + 1)

    def disarm(self):
        self.api.remove_mem_hooks()
        return False

    def live(self):
        return 0


def attempt(call, made, source, number):
    """(what the call gave, whether an allocation failed, whether that was told)."""
    result, told = None, False
    try:
        source.arm(number)
        result = call(made)
    except MemoryError:
        told = True
    except SystemError as error:  # NumPy's own functions sometimes say that there is an error, but not which
        told = "without setting an exception" in str(error)
        if not told:
            raise
    finally:
        failed = source.disarm()
    return result, failed or told, told


def held(name, source, number):
    """Bytes that are held after a call in which an allocation failed, more each time: what NumPy keeps is kept once."""
    prepare, call = CALLS[name]
    grown = []
    for _ in range(4):
        gc.collect()
        before = source.live()
        attempt(call, prepare(), source, number)
        gc.collect()
        grown.append(source.live() - before)
    return min(grown)


def tried(name, source, every):
    """Lets each allocation of a call fail, or each `every`-th; returns how many did, of how many that was told, and
    what was found wrong."""
    prepare, call = CALLS[name]
    expected = call(prepare())
    steps = [parameters_by_step(name, model) for model in models(prepare())]
    number, failures, tolds, quiet, wrong = 1, 0, 0, 0, []
    while quiet < source.enough:
        gc.collect()
        before = source.live()
        made = prepare()
        result, failed, told = attempt(call, made, source, number)
        if told:
            wrong += [f"{number}: parameters of no whole step" for model, among in zip(models(made), steps, strict=True)
                      if digest(model.params) not in among]
        elif result != expected:
            wrong.append(f"{number}: another result, {result}, expected {expected}")
        if failed:
            call(made)  # it is usable
        del made, result
        gc.collect()
        if source.live() > before and held(name, source, number) > 0:
            wrong.append(f"{number}: {source.live() - before} bytes are held that were not")
        failures, tolds, quiet, number = failures + failed, tolds + told, 0 if failed else quiet + 1, number + every
    if call(prepare()) != expected:
        wrong.append("another result afterwards")
    if os.listdir(FOLDER) not in ([], [os.path.basename(PATH)]):
        wrong.append(f"files were left: {os.listdir(FOLDER)}")
    return failures, tolds, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", choices=["c", "python"])
    parser.add_argument("calls", nargs="*", metavar="CALL", help=f"some of: {', '.join(CALLS)}")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    cpu.force_teams(True)
    sys.unraisablehook = lambda _: None  # a generator that ends where there is no memory is told of by Python itself
    warnings.simplefilter("ignore")  # fewer threads than were asked for, where there is no memory to try more
    source, found = {"c": OfTheLibrary, "python": OfPython}[options.source](), 0
    for name in options.calls or CALLS:
        failures, tolds, wrong = tried(name, source, options.every)
        print(f"{name}: {failures} allocations failed, {tolds} told", *wrong[:10], sep="\n    ", flush=True)
        found += len(wrong)
    return found > 0


if __name__ == "__main__":
    sys.exit(main())
