"""What this machine is: the ISA in use, the kernels it offers, and how many threads to use and why.

`FASTBP_ISA` forces an ISA at import; `use` changes it for what is made afterwards (a network already compiled for
a batch size is compiled again). Nothing else in fastbp says OpenMP or reads a kernel table.
"""
from libc.stdint cimport int64_t, uint64_t, uintptr_t
cimport numpy as cnp
from fastbp._core cimport openmp, teams
from fastbp._core.os_threads cimport check_stack
from fastbp._core.kernels cimport fbp_any, fbp_forward, fbp_reduce, fbp_table, itemsize_of, real

import os
import platform

import numpy as np

from . import threads as _threads
from .shown import shown

cnp.import_array()

cdef extern from "fastbp.h" nogil:
    const fbp_table *fbp_find_table(const char *isa, int itemsize)
    const char *fbp_best_isa()
    const char *fbp_known_isa(int i)
    const fbp_table *fbp_narrow_table(const fbp_table *table)
    fbp_any *fbp_find_kernel(const fbp_table *table, const char *name)
    uint64_t fbp_threefry(uint64_t key, uint64_t counter)
    void fbp_threefry_words(uint64_t *words, uint64_t key, uint64_t first, Py_ssize_t count)
    void fbp_gather_rows(void *out, Py_ssize_t out_stride, const void *source, Py_ssize_t source_stride,
                         const int64_t *index, Py_ssize_t m, Py_ssize_t row_bytes)

cdef extern from *:
    const char *FASTBP_BUILD_FLAGS
    int FASTBP_WANTED_OPENMP
    const char *__VERSION__

cdef const fbp_table *_tables[2]    # of the ISA in use: float, double
cdef const fbp_table *_narrow[2]    # those for narrow products, or NULL; found once, as the CPU is asked for it
_default_threads, _reason = 1, ""
_unusable = ""                              # why there can be no team, in words
MOST_THREADS = _threads.MOST                # a number of threads that the core can be told
cdef long _version = 0                      # counts changes of ISA and threads


# ---- the choice of ISA ---------------------------------------------------------------------------------------------

def known():
    """Names of all ISAs fastbp has kernels for, best first."""
    names = []
    while fbp_known_isa(<int>len(names)) is not NULL:
        names.append(fbp_known_isa(<int>len(names)).decode())
    return tuple(names)


def available():
    """Names of the ISAs that this machine and this build have, best first."""
    return tuple(name for name in known() if fbp_find_table(name.encode(), sizeof(float)) is not NULL)


def selected():
    """The name of the ISA in use."""
    return _tables[0].isa.decode()


def use(isa, str name="isa"):
    """Use `isa` from now on. Raises ValueError, with the choices, for one that is unknown or not available here; name: what it
    calls the choice."""
    if isa not in available():
        why = "which is not available on this machine" if isa in known() else "which is unknown"
        raise ValueError(f"{name} is {shown(isa)}, {why}, expected one of: {', '.join(available())}; choose one of them")
    global _version
    _version += 1
    _tables[0] = fbp_find_table(isa.encode(), sizeof(float))
    _tables[1] = fbp_find_table(isa.encode(), sizeof(double))
    for i in range(2):
        _narrow[i] = fbp_narrow_table(_tables[i])


cdef const fbp_table *table_for(int itemsize) except NULL:
    return _tables[0] if itemsize == sizeof(float) else _tables[1]


cdef const fbp_table *table_of_columns(int itemsize, Py_ssize_t columns) except NULL:
    """The table that makes a product of so many columns."""
    cdef const fbp_table *narrow = _narrow[itemsize != sizeof(float)]
    return narrow if narrow is not NULL and columns <= narrow.lanes else table_for(itemsize)


cdef fbp_any *find(const fbp_table *table, str name) except NULL:
    cdef fbp_any *function = fbp_find_kernel(table, name.encode())
    if function is NULL:
        raise ValueError(f"there is no kernel {name!r}")
    return function


cpdef long version() noexcept:
    """Counts the changes of ISA and of threads: what was made for an older one is stale."""
    return _version


# ---- what the table holds ------------------------------------------------------------------------------------------

cdef const fbp_table *_table_named(isa, dtype) except NULL:
    cdef const fbp_table *table = fbp_find_table(isa.encode(), itemsize_of(dtype)) if isinstance(isa, str) else NULL
    if table is NULL:
        raise ValueError(f"isa is {shown(isa)}, expected one of: {', '.join(available())}; choose one of them")
    return table


def kernels(isa, dtype):
    """Every kernel of one table as (name, signature, reads, address); csrc/kernels.def says what these are."""
    cdef const fbp_table *table = _table_named(isa, dtype)
    cdef int i
    return [(table.kernels[i].name.decode(), table.kernels[i].signature.decode(), table.kernels[i].reads.decode(),
             <uintptr_t>table.kernels[i].function) for i in range(table.count)]


def tile(isa, dtype):
    """(reals in a vector, rows, columns) of the matrix product's largest tile."""
    cdef const fbp_table *table = _table_named(isa, dtype)
    return table.lanes, table.mr, table.nr


def _names(suffix):
    return tuple(name[:-len(suffix)] for name, *_ in kernels(selected(), "float32") if name.endswith(suffix))


def activations():
    """{name: "OUTPUT" or "INPUT"}, what the derivative of each activation is computed from; "" for linear, whose derivative is 1."""
    read = {name: reads for name, _, reads, _ in kernels(selected(), "float32")}
    return {name: read.get(f"{name}_backward", "") for name in _names("_forward")}


def losses():
    """Names of the compiled losses."""
    return _names("_loss")


def updates():
    """{name: vectors of state} of the compiled updates."""
    return {name[:-len("_update")]: int(reads) for name, signature, reads, _ in kernels(selected(), "float32")
            if signature == "update"}


def input_dtypes():
    """Names of the NumPy dtypes that rows are converted from as they are read."""
    prefix = "convert_"
    return tuple(name[len(prefix):] for name, *_ in kernels(selected(), "float32") if name.startswith(prefix))


def all_finite(array):
    """True if no element of a C-contiguous float32 or float64 array is NaN or infinite."""
    flat = array.reshape(-1)
    if flat.dtype == "float32":
        return _all_finite[float](flat)
    return _all_finite[double](flat)


cdef bint _all_finite(const real[::1] x):  # (n,)
    cdef const fbp_table *table = table_for(sizeof(real))
    cdef fbp_reduce *kernel = <fbp_reduce *>find(table, "all_finite")
    cdef double finite = 1
    if x.shape[0] > 0:
        with nogil:
            finite = kernel(&x[0], x.shape[0])
    return finite != 0


def activate(name, Y):
    """Applies an activation to a C-contiguous (n, units) float32 or float64 array in place; ValueError for any other."""
    if not cnp.PyArray_Check(Y) or cnp.PyArray_NDIM(Y) != 2 or not cnp.PyArray_ISCARRAY(Y):
        raise ValueError(f"Y is a {type(Y).__name__} of shape {getattr(Y, 'shape', None)}, expected a writable C-contiguous array "
                         "(n, units); pass np.array(Y, ndmin=2)")
    cdef const fbp_table *table = table_for(itemsize_of(Y.dtype))
    cdef fbp_forward *kernel = <fbp_forward *>find(table, f"{name}_forward")
    cdef Py_ssize_t n = Y.shape[0], units = Y.shape[1]
    cdef void *data = cnp.PyArray_DATA(Y)
    with nogil:
        kernel(data, units, NULL, 0, NULL, n, units)


def update_address(name, dtype):
    """The address of an update's kernel in the table in use, for the executor."""
    return <uintptr_t>find(table_for(itemsize_of(dtype)), f"{name}_update")


# ---- threads -------------------------------------------------------------------------------------------------------

def threads():
    """The number of threads used where a call does not say."""
    return 1 if teams.is_cut_off() else _default_threads


def set_threads(count):
    """Use `count` threads (1 or more) by default from now on. None goes back to what the machine and its limits say.

    It is an upper limit, as `threads=` of a call: where the system starts fewer, fewer run, and a warning says so once.
    """
    global _default_threads, _reason, _version
    if count is None:
        limit = openmp.thread_limit()
        limit, limited = (0, _unusable) if _unusable else (limit, f"OMP_THREAD_LIMIT={limit}")
        new = _threads.default_count(bool(openmp.FASTBP_OPENMP), cpus=_allowed(), limit=limit, limited=limited)
    else:
        new = _threads.checked("threads", count), "set by fastbp.cpu.set_threads"
    _default_threads, _reason = new
    _version += 1


def thread_reason():
    """Why `threads()` is what it is, in words."""
    if teams.is_cut_off():
        return "1 in a process forked from one that may have used OpenMP: its threads do not survive a fork"
    return _reason + " (in a forked process, which starts threads of its own)" * (teams.generation() > 1)


def team(wanted):
    """How many threads a call that wants `wanted` will have; they are started, if they are not there yet. Raises ValueError for
    what is no int, 1 or more."""
    return team_limit(_threads.checked("wanted", wanted))


def force_teams(forced):
    """Whether a call of so many threads has so many, also where there are fewer CPUs, or one thread is faster: for tests, and
    to measure teams. Raises TypeError for what is no bool."""
    if not isinstance(forced, (bool, np.bool_)):
        raise TypeError(f"forced is {shown(forced)}, expected True or False; pass one of them")
    teams.force(forced)


def capped(wanted):
    """The size of a team of at most `wanted` threads. Warns, once, where that is more than anybody needs. Raises ValueError for
    what is no int, 1 or more."""
    return teams.capped(_threads.checked("wanted", wanted))


def _allowed():
    """The set of CPUs that a team may run on.

    Where OpenMP binds threads to places, it has bound this one to the first of them when it was loaded: what is left to
    this thread says nothing, what is in the places all.
    """
    return set().union(*_places()) or _threads.affinity()


def _places():
    """The sets of CPUs that OpenMP binds the threads of a team to; none where it binds no threads."""
    cdef int cpus[4096]
    cdef int place, i, size
    places = []
    for place in range(openmp.places()):
        size = openmp.place_size(place)
        if 0 < size <= 4096:
            openmp.place_cpus(place, cpus)
            places.append({cpus[i] for i in range(size)})
    return places


def _why_unusable():
    """Why no thread can be started, in words, or "". GCC's runtime ends the process for a place without a CPU."""
    places = _places()
    bad = _threads.unusable(places) if places else None
    if not bad:
        return ""
    return f"GOMP_CPU_AFFINITY binds threads to CPU {min(bad)}, which is not there, and OpenMP could not start them"


def build():
    """How the core was built: compiler, flags, and whether it has OpenMP."""
    return {"compiler": __VERSION__.decode(), "flags": FASTBP_BUILD_FLAGS.decode(), "openmp": bool(openmp.FASTBP_OPENMP),
            "machine": platform.machine()}


cdef int team_limit(int wanted) except -1:
    """How many threads a call that wants `wanted` may have. Raises RuntimeError where this thread cannot make one."""
    check_stack()
    if wanted < 2:
        return 1
    wanted = teams.useful(wanted)
    return 1 if openmp.FASTBP_OPENMP == 0 or wanted < 2 else teams.team_of(wanted)


cdef long process() noexcept nogil:
    """A number that a process has not in common with the one that it was forked from; 1 or more."""
    return teams.generation()


cdef int prepare_teams() except -1:
    """Tells the teams what they must know of this machine, and finds out whether this process can have any."""
    cdef int llvm
    cdef const char *file = openmp.runtime(&llvm)
    teams.begin(not llvm or _threads.renews_after_fork(), _threads.openmp_stack(llvm=llvm), len(_allowed()), _unusable)
    if _threads.BEFORE is not None and llvm and file is not NULL and _threads.was_loaded(os.fsdecode(file)) and (
            not _threads.renews_after_fork()):
        teams.cut_off()     # somebody may have run a team on this runtime before the fork: nobody can know
    return 0


# ---- what is not vector code ---------------------------------------------------------------------------------------

cdef void gather_rows(void *out, Py_ssize_t out_stride, const void *source, Py_ssize_t source_stride,
                      const int64_t *index, Py_ssize_t m, Py_ssize_t row_bytes) noexcept nogil:
    fbp_gather_rows(out, out_stride, source, source_stride, index, m, row_bytes)


cdef uint64_t threefry(uint64_t key, uint64_t counter) noexcept nogil:
    return fbp_threefry(key, counter)


cdef void threefry_words(uint64_t *words, uint64_t key, uint64_t first, Py_ssize_t count) noexcept nogil:
    fbp_threefry_words(words, key, first, count)


_unusable = _why_unusable()
if FASTBP_WANTED_OPENMP and not openmp.FASTBP_OPENMP:
    _threads.warn_of_serial_build(len(_allowed()))
use(os.environ.get("FASTBP_ISA") or fbp_best_isa().decode(), "FASTBP_ISA")
set_threads(None)
prepare_teams()
