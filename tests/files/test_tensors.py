"""fastbp/_files/tensors.py: a safetensors file out of an open one is what it is at a path, or is refused as that is."""

import gzip
import io
import json
import pickle
import struct

import numpy as np
import pytest
from model_files import example
from safetensors.numpy import save as to_bytes

import fastbp as fb
from fastbp._files.schema import DTYPES
from fastbp._files.tensors import Tensors


def saved(dtype="float32"):
    file = io.BytesIO()
    example(dtype).save(file)
    return file.getvalue()


def description_of(data):
    return json.loads(Tensors(io.BytesIO(data)).metadata()["fastbp"])


def refused(data, message):
    with pytest.raises(ValueError, match=message) as caught:
        fb.load(io.BytesIO(data))
    assert str(caught.value).startswith("path is <_io.BytesIO") or str(caught.value).startswith("path <_io.BytesIO")


def test_both_dtypes_come_back(dtype):
    assert fb.load(io.BytesIO(saved(dtype))).params.tobytes() == example(dtype).params.tobytes()


def test_it_says_what_safe_open_says(tmp_path):
    from safetensors import safe_open

    data = to_bytes({"a": np.arange(6, dtype="f").reshape(2, 3), "b": np.ones(0), "c": np.array(2.5)}, {"x": "y"})
    (tmp_path / "file").write_bytes(data)
    ours = Tensors(io.BytesIO(data))
    with safe_open(tmp_path / "file", framework="numpy") as theirs:
        assert (ours.metadata(), sorted(ours.keys())) == (theirs.metadata(), sorted(theirs.keys()))
        for name in theirs.keys():  # noqa: SIM118
            told = theirs.get_slice(name)
            assert list(ours.shape(name)) == told.get_shape()
            assert ours.dtype(name) == DTYPES.get(told.get_dtype())
            x, y = ours.get_tensor(name), theirs.get_tensor(name)
            assert (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())


def test_every_truncation_is_refused():
    data = saved()
    refused(b"", "is an empty file")
    for length in [*range(13, len(data), 13), 1, len(data) - 1]:
        refused(data[:length], "not a safetensors file, or a truncated one.*, expected a model")


@pytest.mark.parametrize("data, seems", [
    (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file"), (b"PK\3\4" + bytes(99), "a zip file"),
    (pickle.dumps(list(range(99))), "a pickle, which could run code"), (gzip.compress(saved()), "a gzip file"),
    (b"a,b,c\n1,2,3\n", "text"), (bytes(99), "a file of zeros"),
])
def test_what_is_no_safetensors_file_is_named(data, seems):
    refused(data, rf"not a safetensors file, or a truncated one \(it seems to be {seems}.*\), expected a model")


@pytest.mark.parametrize("header", [
    b"[1, 2]", b'{"a": 3}', b'{"a": {"data_offsets": [0]}}', b'{"a": {"data_offsets": [0, -1]}}', b"[" * 5000,
    b'{"a": {"data_offsets": [0, 1e3]}}', b'{"a": {"data_offsets": [0, "4"]}}', b'{"a": {"data_offsets": [0, true]}}',
    b'{"a": {"data_offsets": [0, 9223372036854775807]}}', b'{"a": {"data_offsets": [0, 4611686018427387000]}}',
    b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', b"\xff\xfe\x00",
])
def test_headers_that_lie_are_refused(header):
    refused(struct.pack("<Q", len(header)) + header + bytes(64), "not a safetensors file, or a truncated one.*, exp")


def test_a_header_that_claims_much_takes_no_memory():
    """The description says the same: so it is asked for, and 64 bytes come."""
    net = description_of(saved())
    net["layers"][:] = [{**net["layers"][0], "inputs": 2**20, "units": 2**20}]
    net["data_spec"], count = None, 2**40 + 2**20
    header = {"__metadata__": {"fastbp": json.dumps(net)},
              "params": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}
    text = json.dumps(header).encode()
    refused(struct.pack("<Q", len(text)) + text + bytes(64), "truncated")


@pytest.mark.parametrize("at", [30, -20, -6])
def test_a_gzip_file_that_is_damaged_or_cut_off(at):
    data = bytearray(gzip.compress(saved()))
    cut = bytes(data[:at])
    with pytest.raises(ValueError, match="truncated or damaged"):
        fb.load(gzip.GzipFile(fileobj=io.BytesIO(cut)))
    data[-6] ^= 1  # the checksum
    with pytest.raises(ValueError, match=r"truncated or damaged \(CRC check failed"):
        fb.load(gzip.GzipFile(fileobj=io.BytesIO(data)))


def test_other_files_of_the_format_are_refused_as_at_a_path():
    refused(to_bytes({"params": np.zeros(3)}), "its metadata has no entry 'fastbp'")
    refused(to_bytes({"w": np.zeros(3)}, {"fastbp": "{}"}), "it has 1 tensor, expected one, called 'params'")
