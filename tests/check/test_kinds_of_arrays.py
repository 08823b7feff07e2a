"""Every kind of array a user may pass gives the bits of its plain copy, and is left as it was."""

import numpy as np
import pytest
from small_network import INPUTS, UNITS, N, bits, made

import fastbp as fb


def read_only(array, folder):
    array = array.copy()
    array.flags.writeable = False
    return array


def strided(array, folder):
    thrice = np.repeat(array, 3, axis=0)
    return thrice[1::3] if array.ndim == 1 else np.repeat(thrice, 2, axis=1)[1::3, ::2]


def unaligned(array, folder):
    flat = np.empty(array.nbytes + 1, "uint8")[1:]
    flat[:] = np.frombuffer(array.tobytes(), "uint8")
    return flat.view(array.dtype).reshape(array.shape)


def mapped(array, folder):
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(path, array)
    return np.load(path, mmap_mode="r")


LAYOUTS = {
    "read-only": read_only,
    "Fortran": lambda array, folder: np.asfortranarray(array),
    "strided": strided,
    "reversed": lambda array, folder: array[::-1].copy()[::-1],
    "byte-swapped": lambda array, folder: array.astype(array.dtype.newbyteorder()),
    "unaligned": unaligned,
    "memory-mapped": mapped,
    "list": lambda array, folder: array.tolist(),
    "subclass": lambda array, folder: np.ma.masked_array(array),
    "float64": lambda array, folder: array.astype("float64") if array.dtype.kind == "f" else array.astype("int64"),
    "int8 or longdouble": lambda array, folder: array.astype("longdouble" if array.dtype.kind == "f" else "int8"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_any_layout_gives_the_bits_of_its_plain_copy(data, dtype, layout, loss, tmp_path):
    X, Y, labels = data
    y = labels.astype("int32") if loss == "cross_entropy" else Y
    w = np.linspace(0.5, 1.5, N).astype("float32")
    change = LAYOUTS[layout]
    plain, other = made(dtype=dtype, loss=loss), made(dtype=dtype, loss=loss)
    given = change(X, tmp_path), change(y, tmp_path), change(w, tmp_path)
    before = [np.array(array) for array in given]
    plain.fit(X, y, epochs=2, batch_size=8, sample_weight=w, validation_split=0.2)
    other.fit(given[0], given[1], epochs=2, batch_size=8, sample_weight=given[2], validation_split=0.2)
    assert bits(plain) == bits(other)
    assert (plain.predict(X) == other.predict(given[0])).all()
    assert plain.loss_and_grad(X, y, sample_weight=w) == other.loss_and_grad(given[0], given[1], sample_weight=given[2])
    assert (plain.grads == other.grads).all()
    assert plain.evaluate(X, y) == other.evaluate(given[0], given[1])
    assert (plain.forward(X) == other.forward(given[0])).all()
    for array, as_it_was in zip(given, before, strict=True):
        assert (np.array(array) == as_it_was).all()


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "bool", "float16"])
def test_any_dtype_of_numbers_gives_the_bits_of_its_plain_copy(dtype, kind, rng):
    X = rng.integers(0, 2, (N, INPUTS)) if kind == "bool" else rng.integers(0, 100, (N, INPUTS))
    X = (X / 16 if kind == "float16" else X).astype(kind)
    Y = rng.integers(0, 2, (N, UNITS)).astype(kind)
    plain, other = made(dtype=dtype), made(dtype=dtype)
    opt = fb.SGD(lr=1e-5)
    plain.fit(X.astype(dtype), Y.astype(dtype), epochs=2, batch_size=8, optimizer=opt)
    other.fit(X, Y, epochs=2, batch_size=8, optimizer=opt.fresh())
    assert bits(plain) == bits(other)
    assert (plain.predict(X.astype(dtype)) == other.predict(X)).all()


def test_one_row_of_a_wide_stride(rng):
    """NumPy calls a single row contiguous whatever its stride says."""
    X = rng.standard_normal((9, INPUTS)).astype("float32")
    net = made()
    row = X[::4][1:2]
    assert row.flags.c_contiguous
    assert (net.predict(row) == net.predict(X)[4]).all()
    assert net.loss_and_grad(row, np.zeros((1, UNITS))) == net.loss_and_grad(row.copy(), np.zeros((1, UNITS)))
    columns = np.lib.stride_tricks.as_strided(X, (1, INPUTS), (-4, 4))
    assert (net.predict(columns) == net.predict(X[:1])).all()


def test_fit_changes_neither_data_nor_targets(data, dtype):
    X, Y, labels = data
    for y, loss in ((Y, "squared_error"), (labels, "cross_entropy"), (labels, "squared_error")):
        kept = X.copy(), y.copy()
        made(dtype=dtype, loss=loss).fit(X, y, epochs=2, batch_size=7)
        assert (kept[0] == X).all()
        assert (kept[1] == y).all()
