"""Files that lie: whatever a header or a description claims is looked at before memory is taken for it, and is one kind
of error, at a path and open alike."""

import io
import json
import os
import struct

import numpy as np
import pytest
from model_files import example, plan
from safetensors.numpy import save as to_bytes
from small_network import made

import fastbp as fb
from fastbp import serialization
from fastbp._files import tensors


def parts(data):
    """(the header, as JSON says it, what follows it) of a file's bytes."""
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), data[8 + size:]


def whole(header, rest=b""):
    """The bytes of a file; header: text, or what JSON makes text of."""
    text = header if isinstance(header, bytes) else (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + rest


def saved(model):
    file = io.BytesIO()
    model.save(file)
    return file.getvalue()


HEADER, REST = parts(saved(example()))
TEXT = json.dumps(HEADER)
META, PARAMS = json.dumps(HEADER["__metadata__"]["fastbp"]), json.dumps(HEADER["params"])


def changed(**entry):
    return {**HEADER, "params": {**HEADER["params"], **entry}}


NO_FILE = "not a safetensors file, or a truncated one"
TWICE = "its header has a key twice, expected different ones; save the model again, or fetch its file again"
HOSTILE = {
    "a tensor twice": (whole(TEXT[:-1] + f',"params":{PARAMS}}}', REST), TWICE),
    "a description twice": (whole(f'{{"__metadata__":{{"fastbp":"1","fastbp":{META}}},"params":{PARAMS}}}', REST),
                            TWICE),
    "metadata twice": (whole(TEXT[:-1] + ',"__metadata__":{}}', REST), TWICE),
    "a dtype twice": (whole(TEXT.replace('"dtype": "F32"', '"dtype": "F64", "dtype": "F32"'), REST), TWICE),
    "two that overlap": (whole({**HEADER, "more": HEADER["params"]}, REST), NO_FILE),
    "two that overlap a little": (whole({**HEADER, "more": {"dtype": "F32", "shape": [2], "data_offsets": [104, 112]}},
                                        REST + bytes(4)), NO_FILE),
    "a gap before": (whole(changed(data_offsets=[4, 112]), bytes(4) + REST), NO_FILE),
    "something behind": (whole(HEADER, REST + b"x"), NO_FILE),
    "a shape of other bytes": (whole(changed(shape=[28]), REST), NO_FILE),
    "a shape beyond 64 bits": (whole(changed(shape=[2**61, 16]), REST), NO_FILE),
    "a million dimensions": (whole(changed(shape=[2**61] * 1_000_000), REST), NO_FILE),
    "less than nothing": (whole(changed(shape=[-27]), REST), NO_FILE),
    "true dimensions": (whole(changed(shape=[27, True]), REST), NO_FILE),
    "numbers with a point": (whole(changed(shape=[27.0]), REST), NO_FILE),
    "more offsets": (whole(changed(data_offsets=[0, 108, 108]), REST), NO_FILE),
    "something else of a tensor": (whole(changed(more=1), REST), NO_FILE),
    "no dtype": (whole(changed(dtype="F31"), REST), NO_FILE),
    "a dtype that is a list": (whole(changed(dtype=["F32"]), REST), NO_FILE),
    "metadata that are no text": (whole({**HEADER, "__metadata__": {"fastbp": 3}}, REST), NO_FILE),
    "metadata that are a list": (whole({**HEADER, "__metadata__": []}, REST), NO_FILE),
    "half a character": (whole({**HEADER, "\ud800": {"dtype": "F32", "shape": [0], "data_offsets": [108, 108]}}, REST),
                         NO_FILE),
    "a header that is a list": (whole("[]"), NO_FILE),
    "deep lists": (whole("[" * 100_000), NO_FILE),
    "deep objects": (whole('{"a":' * 100_000), NO_FILE),
    "another encoding": (whole(TEXT.encode("utf-16"), REST), NO_FILE),
    "a number of many digits": (whole(TEXT.replace("108", "1" * 5000), REST),
                                "its header holds a number of 5000 digits, expected at most 1000; save the"),
    "infinity": (whole(TEXT.replace("108", "Infinity"), REST), "its header holds Infinity, expected finite numbers"),
    "a length beyond the file": (struct.pack("<Q", 99_000_000) + b"{}", NO_FILE),
    "a length beyond any file": (struct.pack("<Q", 2**64 - 1) + b"{}", NO_FILE),
}


def refused(data, said, path, read=fb.load):
    """The bytes are refused with the same words, at a path and open alike: all but what the file is called."""
    path.write_bytes(data)
    for given in (path, io.BytesIO(data)):
        if said == NO_FILE and data.endswith(b"x") and given is not path:
            continue  # what stands behind is for the next reader of an open file
        with pytest.raises(ValueError, match=said):
            read(given)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_header_claims_is_refused(name, tmp_path):
    refused(*HOSTILE[name], tmp_path / "net")


def described(change):
    config = json.loads(HEADER["__metadata__"]["fastbp"])
    text = change(config)
    text = text if isinstance(text, str) else json.dumps(config)
    return whole({**HEADER, "__metadata__": {"fastbp": text}}, REST)


@pytest.mark.parametrize(("change", "said"), [
    (lambda config: config.update(format=2, layers=3), "format is 2, expected 1, which this version of fastbp reads; "
                                                       "install the version that saved the model, or a newer one"),
    (lambda config: config.update(format=1.0), "format is a number, expected 1"),
    (lambda config: config.update(format=0), "format is 0, expected 1"),
    (lambda config: config["layers"][0].update(inputs=2**31, units=2**31), "layers|data_spec"),
    (lambda config: config.update(seed=10**1500), "its description holds a number of 1501 digits, expected at most"),
    (lambda config: '{"format":1,"layers":' + "[" * 100_000 + "]" * 100_000 + "}", "is nested too deeply"),
    (lambda config: '{"format":1,"layers":' + "[" * 300 + "]" * 300 + "}", "expected"),
])  # fmt: skip
def test_what_a_description_claims_is_refused(change, said, tmp_path):
    refused(described(change), said, tmp_path / "net")


def test_nothing_is_read_of_tensors_that_do_not_fit(tmp_path, monkeypatch):
    """A file of 4 GB, of which the disk has some bytes: its tensors are looked at in its header."""
    monkeypatch.setattr(tensors.Tensors, "_all", lambda self: pytest.fail("tensors were read"))
    many = {"dtype": "F32", "shape": [2**30], "data_offsets": [0, 2**32]}
    path = tmp_path / "net"

    def sparse(header):
        path.write_bytes(whole(header))
        os.truncate(path, path.stat().st_size + 2**32)

    sparse({**HEADER, "params": many})
    with pytest.raises(ValueError, match=r"the parameters have shape \[1073741824\], expected \[27\], as the layers"):
        fb.load(path)
    name = next(iter(plan().parameters))
    sparse({"__metadata__": {"fastbp": json.dumps(serialization.PARAMETERS)},
            **{each: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for each in plan().parameters}, name: many})
    with pytest.raises(ValueError, match=r"is float32 of shape \("):
        plan().load(path)
    fitted = made()
    fitted.fit(np.zeros((9, 6)), np.zeros((9, 3)), callbacks=[fb.Checkpoint(tmp_path / "run")])
    header, _ = parts((tmp_path / "run" / "last.safetensors").read_bytes())
    sparse({"__metadata__": header["__metadata__"],
            **{each: {"dtype": "F64", "shape": [0], "data_offsets": [0, 0]} for each in header if each[0] != "_"},
            "losses": {"dtype": "F64", "shape": [2**29], "data_offsets": [0, 2**32]}})
    with pytest.raises(ValueError, match=r"tensor 'history' is float64 of shape \(0,\), expected float64"):
        serialization.read_checkpoint(str(path))


def test_a_file_that_is_cut_off_while_it_is_read_is_a_truncated_one(tmp_path, monkeypatch):
    """It is read, not mapped: the system would end the process."""
    path, read = tmp_path / "net", tensors.Tensors._all
    fb.mlp(100, 100, 100).save(path)  # more than a buffer of Python's

    def late(self):
        os.truncate(path, path.stat().st_size - 50)
        return read(self)

    monkeypatch.setattr(tensors.Tensors, "_all", late)
    with pytest.raises(ValueError, match=NO_FILE):
        fb.load(path)


@pytest.mark.parametrize("value", ["[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, "1" * 30, '"\\ud800"',
                                   "[1, {}]"])
@pytest.mark.parametrize("name", ["model", "data", "optimizer", "logs", "seed", "early_stopping"])
def test_a_checkpoint_may_say_anything_of_its_training(name, value, tmp_path, data):
    """With a checksum that is right: what is said is only compared, and shown where it differs."""
    made().fit(*data[:2], callbacks=[fb.Checkpoint(tmp_path)])
    path = tmp_path / "last.safetensors"
    file = tensors.Tensors(io.BytesIO(path.read_bytes()))
    description = json.loads(file.metadata()["fastbp"])
    description["training"][name] = "HERE"
    arrays = {each: file.get_tensor(each) for each in file.keys()}  # noqa: SIM118
    text = json.dumps(description).replace('"HERE"', value)
    metadata = {"fastbp": text, "sha256": serialization._digest(text, arrays)}
    (tmp_path / "changed").write_bytes(to_bytes(arrays, metadata))
    for read in (fb.load, lambda path: made().fit(*data[:2], resume=path)):
        try:
            read(tmp_path / "changed")
        except ValueError as error:
            assert str(error).encode()
        else:
            assert read is fb.load
