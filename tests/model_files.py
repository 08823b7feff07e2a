"""A small model's file, the same with its description changed, and a file that gives a few bytes at a time."""

import io
import json
import struct

from safetensors.numpy import save as to_bytes

import fastbp as fb
from fastbp import graph as g

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


def plan(seed=0):
    x = g.input("x", 3)
    return g.compile(g.mean(fb.Dense(3, 2)(x) ** 2), seed=seed)


def saved():
    file = io.BytesIO()
    example().save(file)
    return file.getvalue()


def same(net):
    assert net.params.tobytes() == example().params.tobytes()
    assert net.config() == example().config()


class Dribble(io.RawIOBase):
    """Takes and gives a few bytes at a time, and can neither seek nor tell."""

    def __init__(self, data=b"", most=7):
        self.data, self.most = bytearray(data), most

    def readable(self):
        return True

    def writable(self):
        return True

    def readinto(self, into):
        count = min(len(into), self.most, len(self.data))
        into[:count] = self.data[:count]
        del self.data[:count]
        return count

    def write(self, data):
        part = bytes(data)[: self.most]
        self.data += part
        return len(part)
