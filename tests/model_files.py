"""A small model's file, and the same with its description changed."""

import json
import struct

from safetensors.numpy import save as to_bytes

import fastbp as fb

SPEC = {"features": ["a", "b"], "mean": [0.5, 1.0], "scale": [2.0, 1.0], "target": "t", "classes": ["x", "y", "z"],
        "image_shape": None}


def example(dtype="float32"):
    net = fb.Sequential(fb.Dense(2, 4, "relu", l1=0.125, l2=0.25), fb.Dropout(0.5), fb.Dense(4, 3),
                        loss=fb.losses.CrossEntropy(label_smoothing=0.1), dtype=dtype, seed=7)
    net.data_spec = dict(SPEC)
    return net


def saved_model(path):
    """Saves a model; returns a function that writes the file again with its description or parameters changed."""
    example().save(path)
    params = example().params.copy()

    def rewrite(change=None, params=params, text=None, name="params", key="fastbp"):
        config = description(path)
        if change is not None:
            config = change(config) or config
        text = json.dumps(config) if text is None else text
        path.write_bytes(to_bytes({name: params}, metadata={key: text}))
    return rewrite


def description(path):
    data = path.read_bytes()
    header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
    return json.loads(header["__metadata__"]["fastbp"])


def at(*path, value):
    """A change of the description: sets, or with value `del` removes, what lies at a path."""
    def change(config):
        place = config
        for step in path[:-1]:
            place = place[step]
        if value is del_:
            del place[path[-1]]
        else:
            place[path[-1]] = value
    return change


del_ = object()
