"""Files of models, by a path and open; files of an expression's parameters."""

import io
import os
import zlib
from functools import cache

import numpy as np

import fastbp as fb
from fastbp import graph as g
from fastbp.datasets import model_tables
from fuzz.judge import attempt, check
from fuzz.mutation import changed_file

CORPUS = "models"
FILE = f"/dev/shm/fastbp-fuzz-{os.getpid()}" if os.path.isdir("/dev/shm") else f"/tmp/fastbp-fuzz-{os.getpid()}"
ROWS = b"a,b,c\n1.5,yes,2024-01-02\n-2,no,2024-02-03\n,x,\n"


def mutate(data, rng):
    return changed_file(data, rng)


@cache
def plan():
    """The expression that the files of parameters in the corpus are of."""
    x = g.input("x", 2)
    return g.compile(g.mean(fb.Dense(2, 2)(x) @ g.parameter("V", (2, 1)) + g.parameter("b")))


def on_disk(data):
    with open(FILE, "wb") as file:
        file.write(data)
    return FILE


def run(data):
    """Whether it was read as a model or as parameters."""
    by_path = data and zlib.crc32(data) & 1  # an empty file has an error of its own
    taken, net = attempt(fb.load, on_disk(data) if by_path else io.BytesIO(data))
    if taken and zlib.crc32(data) % 8 < 2:
        of_model(net)
    if zlib.crc32(data) & 8:
        return taken
    before = plan().params.tobytes()
    read, _ = attempt(plan().load, FILE if by_path else io.BytesIO(data))
    check(read or plan().params.tobytes() == before, "parameters of a file that was refused are in the plan")
    check(np.isfinite(plan().params).all(), "parameters that were read are not finite")
    return taken or read


def of_model(net):
    """A model that was read is one that can be used, and saved and read as the same."""
    check(np.isfinite(net.params).all(), "parameters that were read are not finite")
    if net.params.size > 1e5:
        return
    file = io.BytesIO()
    net.save(file)
    again = fb.load(io.BytesIO(file.getvalue()))
    check(
        again.config() == net.config() and again.params.tobytes() == net.params.tobytes(), "not the same, saved again"
    )
    check(again.epochs == net.epochs, "other epochs, saved again")
    inputs = net.layers[0].inputs if hasattr(net.layers[0], "inputs") else None
    if inputs:
        with np.errstate(all="ignore"):
            outputs = net.predict(np.zeros((2, inputs)))
        check(
            outputs.shape == (2, net.config()["layers"][-1].get("units", outputs.shape[1])), "outputs of another shape"
        )
    if net.data_spec:
        taken, read = attempt(
            model_tables.read, io.BytesIO(ROWS), net.data_spec, outputs_of(net), handle_unknown="zeros"
        )
        check(not taken or (read.X.shape[1] == outputs_of(net)), "rows of another width")


def outputs_of(net):
    """How many inputs a network has."""
    return next(layer.inputs for layer in net.layers if hasattr(layer, "inputs"))
