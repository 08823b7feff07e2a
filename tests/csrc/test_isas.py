"""csrc/isa: what the header of an ISA says stands in its tables, and plans are made by it."""

import ctypes
import mmap
import shutil
import subprocess
import sys

import numpy as np
import pytest
from kernel_calls import LISTED, narrow, said
from programs import of_network

import fastbp as fb
from fastbp._core import cpu, executable

LIBRARY = ctypes.CDLL(cpu.__file__)


class Table(ctypes.Structure):
    """fbp_table of csrc/fastbp.h."""

    _fields_ = [
        ("isa", ctypes.c_char_p), ("narrow", ctypes.c_char_p),
        *((name, ctypes.c_int) for name in (
            "itemsize", "lanes", "mr", "nr", "kr", "mc", "kc", "a_bytes", "b_bytes", "limbs")),
        ("enter", ctypes.c_void_p), ("leave", ctypes.c_void_p), ("count", ctypes.c_int), ("kernels", ctypes.c_void_p),
    ]


def found(name, *arguments):
    function = getattr(LIBRARY, name)
    function.restype = ctypes.POINTER(Table)
    pointer = function(*arguments)
    return pointer.contents if pointer else None


def table_of(isa, dtype):
    return found("fbp_find_table", isa.encode(), np.dtype(dtype).itemsize)


def test_the_list_names_every_isa():
    assert tuple(LISTED) == cpu.known()


def test_a_table_holds_the_facts_of_its_header(isa, dtype):
    table, item = table_of(isa, dtype), np.dtype(dtype).itemsize
    assert (table.isa.decode(), table.itemsize, table.count) == (isa, item, len(cpu.kernels(isa, dtype)))
    for fact in ("MR", "KR", "KC", "MC", "LIMBS"):
        assert getattr(table, fact.lower()) == int(said(isa, rf"^#define {fact} (\d+)")), fact
    lanes = 1 if isa == "scalar" else int(said(isa, r"^#define VECTOR_BYTES (\d+)")) // item
    assert (table.lanes, table.nr) == (lanes, 2 * lanes)
    assert (table.lanes, table.mr, table.nr) == cpu.tile(isa, dtype)
    assert (table.a_bytes, table.b_bytes) == (item, item)
    assert (table.enter, table.leave) == (None, None)


def test_narrow_products_have_the_table_that_the_header_names(isa, dtype):
    other = found("fbp_narrow_table", ctypes.byref(table_of(isa, dtype)))
    if narrow(isa) is None:
        assert other is None
    else:
        assert (other.isa.decode(), other.itemsize) == (narrow(isa), np.dtype(dtype).itemsize)
        assert other.lanes < table_of(isa, dtype).lanes


# ---- what plans make of them ---------------------------------------------------------------------------------------


class Changed:
    """A table with other facts while it is in use; its memory is read-only otherwise."""

    def __init__(self, isa, dtype, **facts):
        self.table, self.facts = table_of(isa, dtype), facts

    def __enter__(self):
        self.protect(3)
        self.before = {name: getattr(self.table, name) for name in self.facts}
        for name, value in self.facts.items():
            setattr(self.table, name, value)

    def __exit__(self, *error):
        for name, value in self.before.items():
            setattr(self.table, name, value)
        self.protect(1)

    def protect(self, how):
        begin = ctypes.addressof(self.table) // mmap.PAGESIZE * mmap.PAGESIZE
        end = ctypes.addressof(self.table) + ctypes.sizeof(Table)
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), how) == 0


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
TEAM = 3


def nbytes(program, dtype):
    params = np.zeros(program.size, dtype)
    return executable.Executable(params, np.zeros_like(params), program, TEAM).nbytes


def rounded(n, to):
    return -(-n // to) * to


@LINUX
@pytest.mark.parametrize("facts", [{}, {"b_bytes": 2, "limbs": 3, "kr": 32}], ids=["reals", "limbs"])
def test_packed_weights_have_room_by_the_format_of_the_table(isa, dtype, facts):
    """A copy for each thread, or one that they share: of W forward, of its transpose backward."""
    table, element = table_of(isa, dtype), 6 if facts else np.dtype(dtype).itemsize
    program = of_network((90, 300, 610, 10), 128, dtype=dtype)
    packed = [operation for operation in program.operations if operation.packed_b]
    assert {operation.name for operation in packed} == {"dense", "input_gradient"}
    with Changed(isa, dtype, **facts):
        for operation in packed:
            k, n = (operation.n_in, operation.n_out)[:: -1 if operation.name == "input_gradient" else 1]
            size = rounded(rounded(n, table.nr) * rounded(k, table.kr) * element, 128)
            before, whole = operation.packed_b, {}
            for how in ("own", "shared", None):
                operation.packed_b = how
                whole[how] = nbytes(program, dtype)
            operation.packed_b = before
            assert whole["shared"] - whole[None] == size
            assert whole["own"] - whole[None] == TEAM * size


@LINUX
@pytest.mark.parametrize("facts", [{}, {"a_bytes": 2, "limbs": 3, "kr": 48, "mc": 96}], ids=["reals", "limbs"])
def test_packed_a_has_room_by_the_format_of_the_table(isa, dtype, facts):
    table, element = table_of(isa, dtype), 6 if facts else np.dtype(dtype).itemsize
    program = of_network((90, 1100, 10), 128, dtype=dtype)
    packing = [operation for operation in (*program.operations, *program.gradients) if operation.packed_a]
    assert packing
    with Changed(isa, dtype, **facts):
        whole = nbytes(program, dtype)
        for operation in packing:
            operation.packed_a = False
        size = rounded((table.mc + table.mr) * rounded(table.kc, table.kr) * element, 128)
        assert whole - nbytes(program, dtype) == TEAM * size


COUNTING = """
int entered, left, wrong;
static __thread int inside;
void enter(void) { if (inside++) __sync_fetch_and_add(&wrong, 1); __sync_fetch_and_add(&entered, 1); }
void leave(void) { if (!inside--) __sync_fetch_and_add(&wrong, 1); __sync_fetch_and_add(&left, 1); }
"""


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs mprotect and a C compiler")
def test_every_thread_enters_and_leaves_where_the_table_says_so(isa, dtype, threads, tmp_path):
    """Each once in a call, alone or in a team; a thread of the team leaves when it takes a task of another job."""
    path = tmp_path / "counting.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", path], input=COUNTING, text=True, check=True)
    counting = ctypes.CDLL(str(path))
    counts = [ctypes.c_int.in_dll(counting, name) for name in ("entered", "left", "wrong")]
    hooks = {name: ctypes.cast(getattr(counting, name), ctypes.c_void_p).value for name in ("enter", "leave")}
    X = np.random.default_rng(0).random((600, 60)).astype(dtype)
    y = np.arange(600) % 10

    def trained(**options):
        net = fb.mlp(60, 48, 10, loss="cross_entropy", seed=1, dtype=dtype)
        net.fit(X, y, epochs=2, batch_size=300, threads=threads, **options)
        return net.params.tobytes()

    want = trained()
    assert [count.value for count in counts] == [0, 0, 0]
    with Changed(isa, dtype, **hooks):
        assert trained() == want
        assert all(trained() == want for _ in range(10))
        entered, left, wrong = (count.value for count in counts)
        assert wrong == 0 and entered >= 11
        assert 0 <= entered - left <= threads - 1  # the caller has left
        nets = [fb.mlp(60, 48, 10, loss="cross_entropy", seed=1, dtype=dtype) for _ in range(3)]
        fb.fit_many(nets, X, y, epochs=2, batch_size=300, threads=threads)
        assert {net.params.tobytes() for net in nets} == {want}
        assert counts[0].value - entered >= 3 and counts[2].value == 0  # each network by itself
    before = counts[0].value
    assert trained() == want
    assert counts[0].value == before and counts[2].value == 0
