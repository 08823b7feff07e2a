"""The loaders: digits, and MNIST in IDX files (found, refused, downloaded)."""

import builtins
import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastbp as fb
from fastbp.datasets import digits, load_digits, load_mnist, read_idx, tables

NAMES = [name for name, _, _ in digits._MNIST]


def idx(array, kind=0x08, big=">u1"):
    """The bytes of an IDX file."""
    array = np.asarray(array)
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(big).tobytes()


@pytest.fixture
def small_mnist(tmp_path, rng):
    """A folder with four small IDX files of 5 training and 3 test images of 4x3; two of them gzipped."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for prefix, count in (("train", 5), ("t10k", 3)):
        images = rng.integers(0, 256, (count, 4, 3))
        images[0, 0, :2] = 0, 255
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(count))))
    return folder


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """Neither FASTBP_DATA nor a cache."""
    monkeypatch.delenv("FASTBP_DATA", raising=False)
    monkeypatch.setattr(digits, "_cache", lambda: str(tmp_path / "cache" / "mnist"))
    return tmp_path / "cache" / "mnist"


def without(monkeypatch, *modules):
    """Make `import module` fail as if it were not installed."""
    real = builtins.__import__

    def fake(name, *rest):
        if name.split(".")[0] in modules:
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest)
    monkeypatch.setattr(builtins, "__import__", fake)


# ---- digits ---------------------------------------------------------------------------------------------------------

@pytest.mark.smoke
def test_digits_are_split_stratified_and_scaled():
    pytest.importorskip("sklearn")
    data = load_digits()
    assert data.X_train.shape == (1438, 64) and data.X_test.shape == (359, 64)
    assert data.X_train.dtype == np.float32 and data.y_train.dtype == np.int64
    assert data.X_train.min() == 0 and data.X_train.max() == 1
    assert data.image_shape == (8, 8) and data.classes == tuple(range(10))
    share = np.bincount(data.y_test) / np.bincount(np.concatenate([data.y_train, data.y_test]))
    assert np.abs(share - 0.2).max() < 0.01


def test_digits_split_is_fixed_by_the_seed():
    pytest.importorskip("sklearn")
    first, again, other = load_digits(), load_digits(), load_digits(seed=1)
    assert np.array_equal(first.X_test, again.X_test)
    assert not np.array_equal(first.X_test, other.X_test)
    # No image is in both parts: together they are all the images once.
    rows = np.concatenate([first.X_train, first.X_test])
    other_rows = np.concatenate([other.X_train, other.X_test])
    assert np.array_equal(rows[np.lexsort(rows.T)], other_rows[np.lexsort(other_rows.T)])


def test_split_of_this_seed_stays_as_it_is():
    train, test = tables.split_rows(np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]), 0.2, 0)
    assert test.tolist() == [2, 5] and train.tolist() == [0, 1, 3, 4, 6, 7, 8, 9]


def test_digits_without_sklearn_name_the_extra(monkeypatch):
    without(monkeypatch, "sklearn")
    with pytest.raises(ImportError, match=r'pip install "fastbp\[sklearn\]"'):
        load_digits()


# ---- IDX ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind, big", [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"),
                                       (0x0E, ">f8")])
@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 3, 4), (0, 3)])
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_reads_every_type(tmp_path, rng, kind, big, shape, zipped):
    array = rng.integers(0, 100, shape).astype(big)
    data = idx(array, kind, big)
    (tmp_path / "file").write_bytes(gzip.compress(data) if zipped else data)
    got = read_idx(tmp_path / "file")
    assert got.shape == shape and np.array_equal(got, array) and got.dtype.isnative
    assert got.dtype == np.dtype(big).newbyteorder("=")


@pytest.mark.parametrize("data, message", [
    (b"", r"not an IDX file \(it seems to be an empty file\), expected one that begins with two"),
    (b"\0\0\x08", "not an IDX file"),
    (b"PK\x03\x04 a zip", r"not an IDX file \(it seems to be a damaged zip file\), expected"),
    (b"\0\0\x07\x01\0\0\0\0", "not an IDX file"),
    (b"\0\0\x08\0", "not an IDX file"),
    (b"\0\0\x08\x03\0\0\0\x05", "truncated in the header: 8 bytes, expected 16; fetch"),
    (idx(np.zeros((4, 3)))[:-1], "truncated: 11 bytes of values, expected 12: 4x3 of 1 bytes each"),
    (idx(np.zeros((4, 3))) + b"\0", "more than 12 bytes of values"),
    (b"\0\0\x08\x03" + b"\xff" * 12 + b"12", "truncated: 2 bytes of values"),
    (gzip.compress(idx(np.zeros((4, 3))))[:-9], "truncated or damaged gzip file"),
    (b"\0\0\x08\x03" + b"\xff" * 8 + bytes(4), "no values, but sides of 4294967295x4294967295x0, expected fewer"),
    (b"\0\0\x0d\x20" + b"\xff" * 124 + bytes(4), "no values, but sides of .* its header is damaged; fetch"),
    (b"secret", r"not an IDX file \(it seems to be text\), expected"),
    (b"\x1f\x8b nothing that gzip knows", "truncated or damaged gzip file"),
], ids=lambda value: value if isinstance(value, str) else "bytes")
def test_idx_refuses_what_is_none(tmp_path, data, message):
    path = tmp_path / "some-file"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value) and "secret" not in str(error.value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60), begin=st.sampled_from([b"", b"\0\0\x08\x01", b"\0\0\x0d\x02", b"\x1f\x8b\x08\0"]))
def test_idx_of_any_bytes_is_read_or_refused(tmp_path, begin, data):
    (tmp_path / "any").write_bytes(begin + data)
    try:
        got = read_idx(tmp_path / "any")
    except ValueError as error:
        assert str(tmp_path / "any") in str(error)
    else:
        assert got.nbytes == len(begin + data) - 4 - 4 * got.ndim


def test_idx_missing_or_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        read_idx(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError, match="a folder, expected an IDX file; give the path of one in it"):
        read_idx(tmp_path)


# ---- MNIST ----------------------------------------------------------------------------------------------------------

def test_mnist_from_a_folder(small_mnist):
    for place in (small_mnist, small_mnist.parent):                        # the folder, or the one above mnist/
        data = load_mnist(place)
        assert data.X_train.shape == (5, 12) and data.X_test.shape == (3, 12)
        assert data.X_train.dtype == np.float32 and data.y_train.dtype == np.int64
        assert data.X_train[0, 0] == 0 and data.X_train[0, 1] == 1
        assert data.y_train.tolist() == [0, 1, 2, 3, 4] and data.image_shape == (4, 3)
    images = read_idx(small_mnist / "train-images-idx3-ubyte")
    assert np.array_equal(data.X_train, (images.reshape(5, 12) / 255).astype(np.float32))


def test_mnist_as_bytes(small_mnist):
    data = load_mnist(small_mnist, dtype="uint8")
    assert data.X_train.dtype == data.X_test.dtype == np.uint8
    assert np.array_equal(data.X_train, read_idx(small_mnist / "train-images-idx3-ubyte").reshape(5, 12))
    assert data.data_spec["mean"] is data.data_spec["scale"] is None  # the network itself divides
    net = fb.mlp(12, 10, loss="cross_entropy", input_scale=1 / 255)
    net.data_spec = data.data_spec
    net.fit(data.X_train, data.y_train, progress=False)
    net.save(small_mnist / "net")
    assert np.array_equal(fb.load(small_mnist / "net").predict(data.X_test), net.predict(data.X_test))
    with pytest.raises(ValueError, match="dtype is 'int8', expected 'float32' or 'uint8'"):
        load_mnist(small_mnist, dtype="int8")


def test_mnist_accepts_the_names_with_a_dot(small_mnist):
    for path in small_mnist.iterdir():
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert load_mnist(small_mnist).X_train.shape == (5, 12)


def test_mnist_from_the_environment_then_the_cache(small_mnist, no_data, monkeypatch):
    monkeypatch.setenv("FASTBP_DATA", str(small_mnist.parent))
    assert len(load_mnist().X_train) == 5
    monkeypatch.delenv("FASTBP_DATA")
    no_data.parent.mkdir()
    small_mnist.rename(no_data)
    assert len(load_mnist().X_train) == 5


def test_mnist_folder_without_the_files(tmp_path, small_mnist):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_mnist(tmp_path / "nowhere")
    (small_mnist / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks t10k-images-idx3-ubyte \(with or without .gz\)"):
        load_mnist(small_mnist)


@pytest.mark.parametrize("name, array, message", [
    ("train-images-idx3-ubyte", np.zeros((5, 12)), "expected images: 3 dimensions"),
    ("train-images-idx3-ubyte", np.zeros((6, 4, 3)), "5 labels, expected 6, as .* has images"),
    ("train-images-idx3-ubyte", np.zeros((5, 4, 4)), "images of 4x3, expected 4x4, as the training images .* are"),
    ("train-labels-idx1-ubyte", np.zeros((5, 1)), "expected labels: 1 dimension"),
    ("train-labels-idx1-ubyte", [0, 1, 2, 10, 4], "label 10 at row 3, expected digits 0 to 9"),
])
def test_mnist_refuses_files_that_do_not_fit(small_mnist, name, array, message):
    (small_mnist / (name + ".gz")).unlink(missing_ok=True)
    (small_mnist / name).write_bytes(idx(array))
    with pytest.raises(ValueError, match=message):
        load_mnist(small_mnist)


def test_mnist_without_images(small_mnist):
    (small_mnist / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((0, 4, 3))))
    (small_mnist / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(0))))
    with pytest.raises(ValueError, match="no images"):
        load_mnist(small_mnist)


def test_mnist_without_network(no_data, monkeypatch):
    pooch = pytest.importorskip("pooch")
    tried = []

    def retrieve(url, **_):
        tried.append(url)
        raise OSError("no route to host\nmany more lines")
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(ConnectionError, match=r"no route to host.*--data-dir") as error:
        load_mnist()
    assert "\n" not in str(error.value)
    assert tried == [mirror + NAMES[0] + ".gz" for mirror in digits.MIRRORS]       # each mirror once, one file


def test_mnist_without_pooch(no_data, monkeypatch):
    without(monkeypatch, "pooch")
    with pytest.raises(ImportError, match=r'pip install "fastbp\[data\]"'):
        load_mnist()


def test_mnist_download_takes_the_second_mirror_and_checks_the_contents(small_mnist, no_data, monkeypatch):
    """The first mirror is down for one file and serves another file's contents for the next; the second is sound."""
    pooch = pytest.importorskip("pooch")
    import hashlib
    served = {path.name.removesuffix(".gz"): read_bytes(path) for path in small_mnist.iterdir()}
    monkeypatch.setattr(digits, "_MNIST", tuple(
        (name, md5, hashlib.sha256(served[name]).hexdigest()) for name, md5, _ in digits._MNIST))
    calls = []

    def retrieve(url, known_hash, fname, path, **_):
        calls.append((url, known_hash))
        if len(calls) == 1:
            raise OSError("down")
        name = NAMES[0] if len(calls) == 3 else fname.removesuffix(".gz")
        os.makedirs(path, exist_ok=True)
        out = Path(path) / fname
        out.write_bytes(gzip.compress(served[name]))
        return str(out)
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    data = load_mnist()
    assert data.X_train.shape == (5, 12) and data.y_test.tolist() == [0, 1, 2]
    second = digits.MIRRORS[1]
    assert [url.startswith(second) for url, _ in calls] == [False, True, False, True, False, False]
    assert calls[0][1] == "md5:" + digits._MNIST[0][1]
    assert len(load_mnist().X_train) == 5 and len(calls) == 6                        # from the cache now


def read_bytes(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def test_real_mnist_is_the_set_the_sums_are_of():
    import hashlib
    folder = Path(os.environ.get("FASTBP_DATA", "")) / "mnist"
    if not (os.environ.get("FASTBP_DATA") and folder.is_dir()):
        pytest.skip("FASTBP_DATA does not name a folder with mnist/")
    for name, _, sha256 in digits._MNIST:
        path = Path(digits._find_file(folder, name))
        assert hashlib.sha256(gzip.decompress(path.read_bytes()) if path.suffix == ".gz"
                              else path.read_bytes()).hexdigest() == sha256
    data = load_mnist()
    assert data.X_train.shape == (60000, 784) and data.X_test.shape == (10000, 784)
    assert data.y_train[:5].tolist() == [5, 0, 4, 1, 9] and data.image_shape == (28, 28)
