"""fastbp/_check/frames.py: tables, columns and tensors of other libraries are read, or refused by the column's name, by
every call that takes arrays. Stand-ins say what is asked of them; the libraries themselves are used where they are."""

import datetime
import decimal
import types
import warnings

import numpy as np
import pytest
from small_network import INPUTS, N, bits, made

import fastbp as fb
from fastbp import _check as check
from fastbp import graph as g


class Column:
    """As a pandas Series is, of a dtype of its own where `nullable`."""

    def __init__(self, values, nullable=True):
        self.values, plain = values, np.array([each for each in values if each is not None]).dtype
        self.dtype = types.SimpleNamespace(kind=plain.kind, numpy_dtype=plain) if nullable else plain

    def isna(self):
        return np.array([value is None for value in self.values])

    def to_numpy(self, dtype, na_value=None):
        return np.array([na_value if value is None else value for value in self.values], dtype)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, object if isinstance(self.dtype, types.SimpleNamespace) else dtype)


class Frame:
    """As a pandas DataFrame is."""

    def __init__(self, **columns):
        self.columns, self._columns = list(columns), list(columns.values())
        self.dtypes = [column.dtype for column in self._columns]
        self.iloc = self

    def __getitem__(self, index):
        return self._columns[index[1]]

    def __len__(self):
        return len(self._columns[0].values)

    def __array__(self, dtype=None, copy=None):
        return np.array([column.values for column in self._columns], object).T


def refused(value, message, kind=TypeError, call=check.numeric, **options):
    with warnings.catch_warnings(), pytest.raises(kind, match=message):
        warnings.simplefilter("error")
        call(value, "X", **options)


# ---- stand-ins -------------------------------------------------------------------------------------------------------


def test_columns_of_a_tables_own_dtypes_are_joined():
    table = Frame(a=Column([1, 2, 3]), b=Column([0.5, None, 1.5]), c=Column([True, False, True]))
    assert np.array_equal(check.numeric(table, "X"), [[1, 0.5, 1], [2, np.nan, 0], [3, 1.5, 1]], equal_nan=True)
    assert check.numeric(Frame(a=Column([1, 2])), "X").dtype == np.int64
    assert check.numeric(Column([1, None]), "X")[0] == 1
    mixed = Frame(a=Column([True, False], nullable=False), b=Column([1.5, 2.5], nullable=False))
    assert check.numeric(mixed, "X").tolist() == [[1, 1.5], [0, 2.5]]


class Arrow:
    """A table of one column of Arrow's, which NumPy reads as objects where a value is missing."""

    null_count, type, column_names = 1, "their own", ["a"]

    def __init__(self, *values):
        self.values, self.columns = values, [self]

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, object)


def test_truth_with_gaps_is_read_from_columns_that_count_their_gaps():
    assert np.array_equal(check.numeric(Arrow(True, None, False), "X"), [[1], [np.nan], [0]], equal_nan=True)
    refused(Arrow("x", "y"), r"X\['a'\] has dtype their own, expected real numbers .*; encode it as numbers")
    for words in (("x", None), (None, "x")):
        refused(Arrow(*words), r"X\['a'\] has dtype their own, expected real numbers .*; encode it as numbers")


@pytest.mark.parametrize("values, hint", [
    (["x", "y"], "encode it as numbers, such as a column of 0 and 1 for each value, or leave it out"),
    ([datetime.date(2020, 1, 1)] * 2, "make numbers of it, such as the days since the first one, or leave it out"),
    ([decimal.Decimal(1)] * 2, "make it a column of floats"), ([{}, {}], "make numbers of it, or leave it out"),
])
def test_a_column_of_something_else_is_named(values, hint):
    column = Column(values, nullable=False)
    refused(Frame(a=Column([1, 2]), b=column), rf"X\['b'\] has dtype .*, expected real numbers .*bool.; {hint}$")


def test_what_is_missing_is_named_by_its_column():
    table = Frame(age=Column([1.0, 2.0]), height=Column([1.0, None]))
    net = fb.mlp(2, 1)
    for call in (net.predict, net.forward, lambda X: net.fit(X, [1, 2]), lambda X: net.evaluate(X, [1, 2]),
                 lambda X: fb.fit_many([net], X, [1, 2]), lambda X: net.loss_and_grad(X, [1, 2])):
        with pytest.raises(ValueError, match=r"X\[1, 1\] is nan \(row 1, column 1, 'height'\), expected fin"):
            call(table)
    with pytest.raises(ValueError, match=r"y\[1, 1\] is nan \(row 1, column 1, 'height'\), .*; leave rows without"):
        fb.mlp(1, 2).loss_and_grad([[1], [2]], table)
    gaps = fb.mlp(1, 2, loss=fb.losses.MSE(missing="ignore"))
    assert gaps.loss_and_grad([[1], [2]], table) == gaps.loss_and_grad([[1], [2]], [[1, 1], [2, np.nan]])


def test_batches_are_of_numbers_where_all_are():
    table = Frame(a=Column([1, 2]), b=Column([3, 4]))
    (xb, yb), = fb.batches(table, Column([5, 6]), 2)
    assert (xb.dtype, yb.dtype) == (np.int64, np.int64)
    (xb, _), = fb.batches(Frame(a=Column(["x", "y"], nullable=False)), [1, 2], 2)
    assert xb.tolist() == [["x"], ["y"]]  # of anything, as ever


class Tensor:
    """As a tensor of torch's is that NumPy cannot read."""

    def __init__(self, dtype="torch.float32", is_sparse=False):
        self.dtype, self.is_sparse = dtype, is_sparse

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def detach(self):
        raise AssertionError

    cpu = detach


@pytest.mark.parametrize("value, advice", [
    (Tensor(), r"pass X\.detach\(\)\.cpu\(\)\.numpy\(\)$"),
    (Tensor("torch.bfloat16"), r"pass X\.detach\(\)\.cpu\(\)\.float\(\)\.numpy\(\)$"),
    (Tensor(is_sparse=True), r"pass X\.detach\(\)\.cpu\(\)\.to_dense\(\)\.numpy\(\)$"),
    ([Tensor(), Tensor()], r"pass torch\.stack\(list\(X\)\)\.detach\(\)\.cpu\(\)\.numpy\(\)$"),
])
def test_tensors_that_numpy_cannot_read(value, advice):
    refused(value, r"X is not an array \(Can't call numpy.*\), expected real numbers .*; " + advice, ValueError)


def test_arrays_of_a_gpu():
    class OnDevice:
        @property
        def __cuda_array_interface__(self):
            return {}

        def __array__(self, dtype=None, copy=None):
            raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    refused(OnDevice(), r"X is not an array \(Implicit conversion.*; pass X\.get\(\)$", ValueError)


@pytest.mark.parametrize("value, message", [
    ({"a": [1]}, r"X is \{'a': \[1\]\} \(dict\), expected an array .*; pass np\.column_stack\(list\(X\.values\(\)\)\)"),
    ({1, 2}, r"X is \{1, 2\} \(set\), expected an array of real numbers; pass a list"),
    ((x for x in [1]), r"X is <generator .*, expected an array of real numbers; pass a list"),
    (np.zeros(2, [("a", "f"), ("b", "f")]), r"X has dtype .*, with names, .*; use np\.lib\..*unstructured\(X\)"),
    (np.array(["2020-01-01"], "M8[D]"), r"dtype datetime64\[D\], .* make numbers of it, such as the days since"),
    (types.SimpleNamespace(collect=print), r"which has not been computed, expected data; pass X\.collect\(\)"),
])
def test_what_is_no_array(value, message):
    refused(value, message)


def test_masked_targets_are_not_to_be_filled():
    y = np.ma.array(np.ones(4), mask=[0, 1, 0, 0])
    with pytest.raises(ValueError, match=r"y has masked values, expected a target everywhere; leave rows .*'ignore'"):
        fb.mlp(1, 1).fit(np.ones((4, 1)), y)
    refused(y, r"X has masked values, .*; fill them with X\.filled", ValueError)


# ---- the libraries themselves ----------------------------------------------------------------------------------------


def same_as_arrays(X, y, table, column):
    """A table and a column give what the arrays of their numbers do, wherever they are passed."""
    nets = [made(dtype="float64"), made(dtype="float64")]
    found = []
    for net, inputs, targets in zip(nets, (X, table), (y, column), strict=True):
        history = net.fit(inputs, targets, epochs=2, validation_split=0.2, metrics={"m": lambda y, p: float(y.sum())})
        outcome = net.predict(inputs), net.evaluate(inputs, targets), net.loss_and_grad(inputs, targets)
        found.append((bits(net), outcome[0].tobytes(), outcome[1:], history.history["loss"], history.history["m"]))
    assert found[0] == found[1]
    x, t = g.input("x", INPUTS), g.input("t", integer=True)
    plan = g.compile(g.cross_entropy(fb.Dense(INPUTS, 3)(x), t), dtype="float64")
    assert plan.loss(x=table, t=column) == plan.loss(x=X, t=y)
    assert fb.mlp(INPUTS, 3).fit(X, y, sample_weight=column).history["loss"] > []


X = np.random.default_rng(0).integers(-9, 9, (N, INPUTS)).astype(float)
LABELS = np.arange(N) % 3
NAMES = list("abcdef")


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "Float32", "int16", "float32", "mixed", "pyarrow"])
def test_pandas(dtype):
    pd = pytest.importorskip("pandas")
    table, column = pd.DataFrame(X, columns=NAMES), pd.Series(LABELS)
    if dtype == "pyarrow":
        pytest.importorskip("pyarrow")
        table, column = (each.convert_dtypes(dtype_backend="pyarrow") for each in (table, column))
    elif dtype == "mixed":
        table = table.astype({"a": "Int64", "b": "float32", "c": "Float64"})
    else:
        table = table.astype(dtype)
    same_as_arrays(X, LABELS, table, column if dtype[0].islower() else column.astype("Int64"))


def test_pandas_is_refused_by_its_columns():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"a": [1.0, 2, 3], "b": pd.array([1, None, 3], dtype="Int64")})
    with pytest.raises(ValueError, match=r"X\[1, 1\] is nan \(row 1, column 1, 'b'\)"):
        fb.mlp(2, 1).predict(table)
    with pytest.raises(ValueError, match=r"X\[1, 0\] is nan \(row 1, column 0, 'a'\)"):
        fb.mlp(2, 1).predict(pd.DataFrame({"a": [1, np.nan], "b": [1.0, 2]}))
    for column, what in ((["x", "y", "z"], "(object|str)"), (pd.Categorical(["x", "y", "x"]), "category"),
                         (pd.date_range("2020", periods=3), "datetime64"), ([1j, 2, 3], "complex128")):
        refused(table.assign(b=column), rf"X\['b'\] has dtype {what}.*, expected real numbers")
    twice = pd.concat([table[["a"]], pd.DataFrame({"a": ["x", "y", "z"]})], axis=1)
    refused(twice, r"X\['a'\] has dtype")
    refused(pd.Series(["x", "y"]), r"make labels 0, 1, 2 \.\.\. of names with np\.unique", classes=True)
    refused(pd.DataFrame({"y": ["x", "y"]}), r"make labels 0, 1, 2 \.\.\. of names with np\.unique", classes=True)
    assert check.numeric(pd.DataFrame(index=range(3)), "X").shape == (3, 0)


def test_polars():
    pl = pytest.importorskip("polars")
    table, column = pl.DataFrame(X, schema=NAMES), pl.Series("y", LABELS)
    same_as_arrays(X, LABELS, table, column)
    same_as_arrays(X, LABELS, table.cast({"a": pl.Int16, "b": pl.Float32}), column.cast(pl.UInt8))
    refused(table.with_columns(b=pl.lit("x")), r"X\['b'\] has dtype String, expected real numbers .*; encode it")
    refused(table.with_columns(b=pl.lit("x").cast(pl.Categorical)), r"X\['b'\] has dtype Categorical.*; encode it")
    refused(table.with_columns(b=pl.lit(datetime.date(2020, 1, 1))), r"X\['b'\] has dtype Date, .*make numbers of it")
    flags = table.with_columns(b=pl.Series([True, False, None] * (N // 3) + [True] * (N % 3)))
    assert np.array_equal(check.numeric(flags, "X")[:3, 1], [1, 0, np.nan], equal_nan=True)
    refused(table.lazy(), r"has not been computed, expected data; pass X\.collect\(\)")
    holed = table.with_columns(b=pl.when(pl.col("b") > 0).then(pl.col("b")))
    with pytest.raises(ValueError, match=r"is nan \(row \d+, column 1, 'b'\)"):
        made().predict(holed)


def test_pyarrow():
    pa = pytest.importorskip("pyarrow")
    columns = dict(zip(NAMES, X.T, strict=True))
    for make in (pa.table, pa.record_batch):
        same_as_arrays(X, LABELS, make(columns), pa.array(LABELS))
    dates = pa.array([datetime.date(2020, 1, 1)] * N)
    refused(pa.table({**columns, "b": dates}), r"X\['b'\] has dtype date32.*, .*make numbers of it")
    refused(pa.table({**columns, "b": ["x"] * N}), r"X\['b'\] has dtype string, expected real numbers .*; encode it")
    with pytest.raises(ValueError, match=r"is nan \(row 0, column 1, 'b'\)"):
        made().predict(pa.table({**columns, "b": pa.array([None] * N, pa.float64())}))


def test_xarray_and_sparse():
    xr = pytest.importorskip("xarray")
    same_as_arrays(X, LABELS, xr.DataArray(X, dims=("n", "feature")), xr.DataArray(LABELS))
    refused(xr.Dataset({"a": ("n", [1, 2])}), r"X is not an array .*; make a NumPy array of it first$", ValueError)


def test_sparse():
    sparse = pytest.importorskip("scipy.sparse")
    for make in (sparse.csr_matrix, sparse.coo_array):
        refused(make(X), r"X is sparse .*, expected a dense array; use X\.toarray\(\)")


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "int4", "uint4"])
def test_small_dtypes_that_float32_holds(name):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    small = np.abs(X).clip(0, 7).astype(getattr(ml_dtypes, name))
    assert check.numeric(small, "X").dtype == np.float32
    assert (check.numeric(small, "X") == small.astype(float)).all()
    same_as_arrays(np.abs(X).clip(0, 7), LABELS, small, LABELS)


def test_torch():
    torch = pytest.importorskip("torch")
    inputs, labels = torch.tensor(X), torch.tensor(LABELS)
    same_as_arrays(X, LABELS, inputs, labels)
    same_as_arrays(X, LABELS, list(inputs), labels)
    refused(inputs.requires_grad_(), r"pass X\.detach\(\)\.cpu\(\)\.numpy\(\)$", ValueError)
    refused(inputs.detach().bfloat16(), r"pass X\.detach\(\)\.cpu\(\)\.float\(\)\.numpy\(\)$", ValueError)
    refused(inputs.detach().to_sparse(), r"pass X\.detach\(\)\.cpu\(\)\.to_dense\(\)\.numpy\(\)$", ValueError)
