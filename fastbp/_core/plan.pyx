"""A plan: a compiled graph in C structs, with one arena of memory, for one batch size, dtype and ISA."""
from libc.stdlib cimport calloc, free
from libc.string cimport memset
cimport numpy as cnp
from fastbp._core cimport dense, rows, updates
from fastbp._core.cpu cimport find, table_for
from fastbp._core.kernels cimport (fbp_combine, fbp_gemm, fbp_pack, fbp_penalty, fbp_reduce, fbp_table, itemsize_of)
from fastbp._core.program cimport DIRECT, LOCAL, SHARED, Driver, Mode, Op, Packing, Task, Value

import math

import numpy as np

cnp.import_array()

cdef enum:
    LINE = 64           # bytes: every part of the arena begins on a cache line
    APART = 128         # bytes between what two threads write: prefetchers fetch lines in pairs


cdef Driver driver_named(str name) except NULL:
    """The driver of a row operation: one row an operation."""
    if name == "dense":
        return dense.dense
    if name == "input_gradient":
        return dense.input_gradient
    if name == "weight_gradient":
        return dense.weight_partial
    if name == "bias_gradient":
        return dense.bias_partial
    if name == "activation_gradient":
        return rows.activation_gradient
    if name == "dropout":
        return rows.dropout
    if name == "loss":
        return rows.loss
    if name == "gather":
        return rows.gather
    raise ValueError(f"no driver runs the operation {name!r}")


def aligned_zeros(shape, dtype):
    """np.zeros whose first element begins a cache line. NumPy's own large arrays begin 16 bytes after one, and then every
    vector as wide as a line is read from two."""
    cdef size_t skip
    size = (math.prod(shape) if isinstance(shape, tuple) else shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + LINE, np.uint8)
    skip = (LINE - <size_t>cnp.PyArray_DATA(memory) % LINE) % LINE
    return memory[skip:skip + size].view(dtype).reshape(shape)


cdef Py_ssize_t rounded(Py_ssize_t nbytes, Py_ssize_t to) noexcept:
    return (nbytes + to - 1) // to * to


cdef class Plan:
    """One compiled graph.

    params, grads: the network's vectors (P,), float32 or float64, C-contiguous; the plan reads and writes them in place.
    program: what `fastbp.graph.lower` made of the graph: values, operations, ranges, and the regime's numbers.
    team: the largest number of threads that will run it.

    The arena (`nbytes`) is allocated here, once; running a plan allocates nothing.
    """

    def __cinit__(self, params, grads, program, int team):
        cdef const fbp_table *table
        cdef Program *p = &self.program
        memset(p, 0, sizeof(Program))
        self.params, self.grads, self.team, self.bound = params, grads, team, []
        p.item = itemsize_of(params.dtype)
        table = table_for(<int>p.item)
        p.params = <char *>cnp.PyArray_DATA(params)
        p.grads = <char *>cnp.PyArray_DATA(grads)
        self.batch = p.batch = program.batch
        p.slice_rows, p.block_rows = program.slice_rows, program.block_rows
        p.slices = <int>((p.batch + p.slice_rows - 1) // p.slice_rows)
        p.combine = <fbp_combine *>find(table, "combine")
        p.penalty = <fbp_penalty *>find(table, "penalty")
        p.sum_squares = <fbp_reduce *>find(table, "sum_squares")
        p.all_finite = <fbp_reduce *>find(table, "all_finite")
        self._allocate(program)
        self._make_values(program)
        self._make_operations(program, table)
        self._make_ranges(program)

    def __dealloc__(self):
        free(self.values)
        free(self.program.ops)
        free(self.program.tasks)
        free(self.program.packings)
        free(self.program.penalties)

    cdef int _allocate(self, program) except -1:
        cdef Program *p = &self.program
        self.n_values = <int>len(program.values)
        p.n_ops = <int>len(program.operations)
        p.n_tasks = <int>len(program.ranges)
        p.n_packings = <int>len(program.packings)
        self.values = <Value *>calloc(max(1, self.n_values), sizeof(Value))
        p.ops = <Op *>calloc(max(1, p.n_ops + len(program.gradients)), sizeof(Op))
        p.tasks = <Task *>calloc(max(1, p.n_tasks), sizeof(Task))
        p.packings = <Packing *>calloc(max(1, p.n_packings), sizeof(Packing))
        p.penalties = <double *>calloc(2 * p.n_tasks + p.slices, sizeof(double))
        if self.values is NULL or p.ops is NULL or p.tasks is NULL or p.packings is NULL or p.penalties is NULL:
            raise MemoryError("no memory for a plan")
        p.squares = p.penalties + p.n_tasks
        p.sums = p.squares + p.n_tasks
        if program.partials and p.slices > 1:
            p.slice_bytes = rounded(len(self.params) * p.item, APART)
        return 0

    cdef int _make_values(self, program) except -1:
        """Lays the arena out: blocks, panels, partial gradients; then says where each value is."""
        cdef Program *p = &self.program
        cdef Py_ssize_t size = 0, i
        cdef Value *value
        offsets = []
        for i, (mode, width, itemsize) in enumerate(program.values):
            value = &self.values[i]
            value.mode = {"local": LOCAL, "shared": SHARED, "direct": DIRECT}[mode]
            value.row_bytes = width * itemsize
            # Rows a multiple of 512 bytes apart fall into few sets of the L1 cache, and tiles read 14 of them at once.
            if value.row_bytes % 512 == 0 and value.mode != DIRECT:
                value.row_bytes += LINE
            value.ld = value.row_bytes // itemsize
            offsets.append(size)
            if value.mode == LOCAL:
                value.thread_bytes = rounded(value.row_bytes * p.block_rows, APART)
                size += value.thread_bytes * self.team
            elif value.mode == SHARED:
                size += rounded(value.row_bytes * p.batch, APART)
        for operation in program.operations:
            copies = {None: 0, "own": self.team, "shared": 1}[operation.panels]
            offsets.append(size)
            size += copies * rounded(operation.panels_size * p.item, APART)
        offsets.append(size)
        size += p.slice_bytes * p.slices
        self.nbytes = size
        self.arena = aligned_zeros(size, np.uint8)
        self.base = <char *>cnp.PyArray_DATA(self.arena)
        for i in range(self.n_values):
            if self.values[i].mode != DIRECT:
                self.values[i].base = self.base + <Py_ssize_t>offsets[i]
        for i in range(p.n_ops):
            p.ops[i].panels = self.base + <Py_ssize_t>offsets[self.n_values + i]
        # the gradient of a single slice is the gradient
        p.partials = p.grads if p.slices == 1 else self.base + <Py_ssize_t>offsets[self.n_values + p.n_ops]
        return 0

    cdef Value *_value(self, index) except? NULL:
        return NULL if index is None else &self.values[<int>index]

    cdef int _make_operations(self, program, const fbp_table *table) except -1:
        cdef Program *p = &self.program
        cdef Op *op
        cdef Py_ssize_t i
        for i, operation in enumerate((*program.operations, *program.gradients)):
            op = &p.ops[i]
            op.drive = driver_named(operation.name)
            op.kernel = find(table, operation.kernel) if operation.kernel is not None else NULL
            op.gemm = <fbp_gemm *>find(table, "gemm")
            op.pack = <fbp_pack *>find(table, "pack_transposed" if operation.name == "input_gradient" else "pack")
            op.mr, op.nr, op.item = table.mr, table.nr, p.item
            op.out, op.kept = self._value(operation.out), self._value(operation.kept)
            op.x, op.y, op.w = self._value(operation.x), self._value(operation.y), self._value(operation.w)
            op.n_in, op.n_out = operation.n_in, operation.n_out
            if operation.W is not None:
                op.W = p.params + <Py_ssize_t>operation.W * p.item
                op.partial = p.partials + <Py_ssize_t>operation.W * p.item
            if operation.b is not None:
                op.b = p.params + <Py_ssize_t>operation.b * p.item
                op.partial = op.partial if operation.W is not None else p.partials + <Py_ssize_t>operation.b * p.item
            op.slice_bytes = p.slice_bytes
            if operation.panels is None:
                op.panels = NULL
            elif operation.panels == "own":
                op.panels_bytes = rounded(operation.panels_size * p.item, APART)
            op.scale, op.param, op.number = operation.scale, operation.param, operation.number
            op.sums = p.sums
            if operation.name == "gather":
                op.item = 1     # rows are copied byte by byte, whatever they hold
        return 0

    cdef int _make_ranges(self, program) except -1:
        cdef Program *p = &self.program
        cdef Task *task
        cdef Py_ssize_t i
        for i, item in enumerate(program.ranges):
            task = &p.tasks[i]
            task.begin, task.count, task.l1, task.l2 = item.begin, item.count, item.l1, item.l2
            p.penalised = p.penalised or task.l1 != 0 or task.l2 != 0
            if item.gradient is None:
                task.gradient = updates.combine
            else:
                task.op = &p.ops[p.n_ops + <int>item.gradient]
                task.row, task.rows = item.row, item.rows
                task.gradient = dense.bias_columns if task.op.W is NULL else dense.weight_rows
        for i, (operation, panel) in enumerate(program.packings):
            p.packings[i].op = &p.ops[<int>operation]
            p.packings[i].panel = panel
        return 0

    cdef int bind(self, int index, array) except -1:
        """Value `index` is the rows of `array` (n, width) or (n,), C-contiguous rows, until the call ends."""
        cdef Value *value = &self.values[index]
        value.base = <char *>cnp.PyArray_DATA(array)
        value.row_bytes = cnp.PyArray_STRIDE(array, 0)
        value.ld = value.row_bytes // cnp.PyArray_ITEMSIZE(array)
        self.bound.append(array)
        return 0
