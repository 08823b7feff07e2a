"""What a file seems to be, and that nothing of it is shown or run."""

import gzip
import io
import os
import pickle
import threading
import zipfile

import numpy as np
import pytest

import fastbp as fb
from fastbp import datasets
from fastbp._files import signatures


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


def npy(save=np.save, **arrays):
    file = io.BytesIO()
    save(file, **arrays) if arrays else save(file, np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize(("data", "what"), [
    (b"", "an empty file"),
    (bytes(5000), "a file of zeros"),
    (pickle.dumps({"secret": 1}), "a pickle"),
    (zipped("archive/data.pkl", "archive/data/0"), r"a PyTorch file \(.pt, .pth\), which holds a pickle"),
    (zipped("config.json", "model.weights.h5"), "a Keras model"),
    (zipped("xl/workbook.xml"), "an Excel workbook"),
    (zipped("secret.txt"), "a zip file"),
    (zipped("secret.txt")[:20], "a damaged zip file"),
    (npy(np.savez, a=np.zeros(2)), r"an archive of NumPy arrays \(.npz\)"),
    (npy(), r"a NumPy array \(.npy\)"),
    (b"\x89HDF\r\n\x1a\n" + bytes(30), r"an HDF5 file, such as Keras writes \(.h5\)"),
    (gzip.compress(b"secret", mtime=0), "a gzip file"),
    (b'{"secret": 1}', "JSON text"),
    (b"secret,b\n1,2\n", "text"),
    ("é".encode() * 3000, "text"),
    (b"\0\0\x08\x01\0\0\0\x02ab", "an IDX file"),
    (b"\x1c\0\0\0TFL3" + bytes(20), "a TensorFlow Lite model"),
    ((1000).to_bytes(8, "little") + b'{"secret":', "a safetensors file"),
    (bytes(range(128, 256)), ""),
], ids=lambda value: value if isinstance(value, str) else "bytes")
def test_a_file_is_told_from_its_first_bytes(tmp_path, data, what):
    path = tmp_path / "file"
    path.write_bytes(data)
    assert not what or signatures.seems(path).startswith(what.replace("\\", ""))
    if not data:
        return
    with pytest.raises(ValueError, match=f"not a safetensors file, or a truncated one.*{what}.*;") as error:
        fb.load(path)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("first", [*(bytes([each]) for each in range(256)), b"PK", b"\0\0", b"\0\0\x08", b"\x80\x02"])
def test_the_shortest_files_are_seen(tmp_path, first):
    (tmp_path / "file").write_bytes(first)
    assert isinstance(signatures.seems(tmp_path / "file"), str)


def test_nothing_there(tmp_path):
    assert signatures.seems(tmp_path / "nothing") == signatures.seems(tmp_path) == ""


def test_a_pipe_is_not_opened_again_to_see_what_it_was(tmp_path):
    """Nobody writes into it a second time."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for read, error in ((datasets.read_idx, "not an IDX file, expected"),
                        (lambda path: datasets.load_csv(path, "y"), "not a text file in UTF-8 .byte 0 cannot be")):
        writer = threading.Thread(target=lambda: path.write_bytes(b"\xff no table, no images"))
        writer.start()
        with pytest.raises(ValueError, match=error):
            read(path)
        writer.join()


def test_what_is_no_file(tmp_path):
    assert signatures.special(os.stat(tmp_path).st_mode) == "a folder"
    assert signatures.special(os.stat(__file__).st_mode) == ""
    assert signatures.special(0o600) == "a special file"
