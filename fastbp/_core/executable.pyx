"""The executable: a program in C structs over one arena of memory, for one batch size, dtype and ISA."""
from libc.stdlib cimport calloc, free
from libc.string cimport memset
cimport numpy as cnp
from fastbp._core.cpu cimport find, table_for, table_of_columns
from fastbp._core.drivers cimport driver_named, range_driver_named
from fastbp._core.kernels cimport (fbp_any, fbp_reduce_partials, fbp_gemm, fbp_map, fbp_pack_a, fbp_pack_b, fbp_penalty,
                                   fbp_reduce, fbp_table, itemsize_of)
from fastbp._core.program cimport (APART, DIRECT, FAR, INVARIANT, LINE, LOCAL, ORDERED, SHARED, Group, Op, Operand,
                                   Packing, RangeGradient, ColumnSplit, Stage, Range, Value)

import numpy as np

from .memory import aligned_zeros

cnp.import_array()


cdef Py_ssize_t rounded(Py_ssize_t nbytes, Py_ssize_t to) noexcept:
    return (nbytes + to - 1) // to * to


cdef Py_ssize_t b_row_bytes(const fbp_table *table) noexcept:
    """Bytes of a row of packed B within a tile: NR elements."""
    return table.nr * table.limbs * table.b_bytes


cdef Py_ssize_t b_tile_bytes(const fbp_table *table, Py_ssize_t k) noexcept:
    """Bytes of a tile of packed B (k, nr)."""
    return rounded(k, table.kr) * b_row_bytes(table)


cdef Py_ssize_t packed_a_bytes(const fbp_table *table) noexcept:
    """Bytes of packed A: MC rows in tiles of nearly equal height, KC columns of each."""
    return (table.mc + table.mr) * rounded(table.kc, table.kr) * table.limbs * table.a_bytes


cdef class Executable:
    """One compiled graph.

    params, grads: the network's vectors (P,), float32 or float64, C-contiguous; the plan reads and writes them in place.
    program: the fastbp._compiler.program.Program that `lower` made of the graph.
    team: the largest number of threads that will run it.

    The arena, of `nbytes`, and `structs` bytes of structs are allocated here, once; running a plan allocates nothing.
    """

    def __cinit__(self, params, grads, program, int team):
        cdef const fbp_table *table
        cdef Program *p = &self.program
        memset(p, 0, sizeof(Program))
        self.params, self.grads, self.team, self.bound, self.parts, self.rows = params, grads, team, [], {}, {}
        self.size = program.size
        p.item = itemsize_of(params.dtype)
        self.real = cnp.NPY_FLOAT32 if p.item == sizeof(float) else cnp.NPY_FLOAT64
        table = table_for(<int>p.item)
        p.params = <char *>cnp.PyArray_DATA(params)
        p.grads = <char *>cnp.PyArray_DATA(grads)
        self.batch = p.batch = program.batch
        p.slice_rows, p.block_rows = program.slice_rows, program.block_rows
        p.slices = <int>((p.batch + p.slice_rows - 1) // p.slice_rows)
        p.enter, p.leave = table.enter, table.leave
        p.reduce_partials = <fbp_reduce_partials *>find(table, "reduce_partials")
        p.add = <fbp_map *>find(table, "add")
        p.penalty = <fbp_penalty *>find(table, "penalty")
        p.sum_squares = <fbp_reduce *>find(table, "sum_squares")
        p.all_finite = <fbp_reduce *>find(table, "all_finite")
        self._allocate(program)
        self._lay_out(program, table)
        self._make_values(program)
        self._make_operations(program, table)
        self._make_ranges(program)
        self._find_uses(program)

    def __dealloc__(self):
        free(self.uses)
        free(self.values)
        free(self.program.ops)
        free(self.program.invariant)
        free(self.program.stages)
        free(self.program.ranges)
        free(self.program.groups)
        free(self.program.splits)
        free(self.gradients)
        free(self.program.packings)
        free(self.program.penalties)

    cdef void *_zeros(self, Py_ssize_t count, Py_ssize_t size) except NULL:
        """`count` structs of `size` bytes, all zero, which __dealloc__ frees; of none a pointer nevertheless."""
        cdef void *found = calloc(max(1, count), size)
        if found is NULL:
            raise MemoryError("no memory for a plan")
        self.structs += count * size
        return found

    cdef int _allocate(self, program) except -1:
        cdef Program *p = &self.program
        self.n_values = <int>len(program.values)
        p.n_ops = <int>len(program.operations)
        p.n_stages = <int>len(program.stages)
        p.n_ranges = <int>len(program.ranges)
        p.n_groups = <int>len(program.groups)
        p.n_splits = <int>len(program.splits)
        p.n_packings = <int>len(program.packings)
        self.values = <Value *>self._zeros(self.n_values, sizeof(Value))
        p.ops = <Op *>self._zeros(p.n_ops + len(program.gradients), sizeof(Op))
        p.invariant = <Op *>self._zeros(len(program.invariant), sizeof(Op))
        p.stages = <Stage *>self._zeros(p.n_stages, sizeof(Stage))
        p.ranges = <Range *>self._zeros(p.n_ranges, sizeof(Range))
        p.groups = <Group *>self._zeros(p.n_groups, sizeof(Group))
        p.splits = <ColumnSplit *>self._zeros(p.n_splits, sizeof(ColumnSplit))
        self.gradients = <RangeGradient *>self._zeros(sum(len(item.gradients) for item in program.ranges),
                                                      sizeof(RangeGradient))
        p.packings = <Packing *>self._zeros(p.n_packings, sizeof(Packing))
        p.penalties = <double *>self._zeros(2 * p.n_ranges + p.slices * program.sums, sizeof(double))
        p.squares = p.penalties + p.n_ranges
        self.sums = p.squares + p.n_ranges
        return 0

    cdef Py_ssize_t _row_bytes(self, slot) except -1:
        """From one row of a local or shared slot to the next one."""
        cdef Py_ssize_t row_bytes = slot.width * slot.itemsize
        # Rows a multiple of 512 bytes apart fall into few sets of the L1 cache, and tiles read 14 of them at once.
        return row_bytes + LINE if slot.padded and row_bytes % 512 == 0 else row_bytes

    cdef Py_ssize_t _packed_b_bytes(self, operation) except -1:
        """One copy of an operation's weights, or of their transpose, packed."""
        cdef Py_ssize_t k = operation.n_in, n = operation.n_out
        if operation.name == "input_gradient":
            k, n = n, k
        cdef const fbp_table *table = table_of_columns(<int>self.program.item, n)
        return rounded((n + table.nr - 1) // table.nr * b_tile_bytes(table, k), APART)

    cdef int _lay_out(self, program, const fbp_table *table) except -1:
        """The arena: first each thread's own memory, all of it together; then shared rows, invariant values, shared packed B,
        the slices' sums. places: where each of them begins."""
        cdef Program *p = &self.program
        cdef Py_ssize_t size = 0, scratch
        slots, invariant, packed_b = [], {}, []
        for slot in program.slots:
            slots.append(size)
            if slot.mode == "local":
                size += rounded(self._row_bytes(slot) * p.block_rows, LINE)
        for operation in program.operations:
            packed_b.append(size)
            if operation.packed_b == "own":
                size += self._packed_b_bytes(operation)
        self.packed_a = size
        if any(operation.packed_a for operation in (*program.operations, *program.gradients)):
            size += rounded(packed_a_bytes(table), LINE)
        scratch = size
        apart = [item.count for item in program.ranges if item.partial is None or p.slices > 1]  # see gradient_of
        size += rounded(max(apart, default=0) * p.item, LINE)
        self.thread_bytes = rounded(size, APART) + (FAR if self.team > 1 else 0)
        size = self.thread_bytes * self.team
        for i, slot in enumerate(program.slots):
            if slot.mode == "shared":
                slots[i] = size
                size += rounded(self._row_bytes(slot) * p.batch, APART)
        for i, value in enumerate(program.values):
            if value.mode == "invariant" and value.base is None:
                size = rounded(size, LINE if value.rows * value.width > 1 else p.item)
                invariant[i] = size
                size += value.rows * value.width * p.item
        size = rounded(size, APART)
        for i, operation in enumerate(program.operations):
            if operation.packed_b == "shared":
                packed_b[i] = size
                size += self._packed_b_bytes(operation)
        if program.partials and p.slices > 1:
            self.slice_bytes = rounded(program.size * p.item, APART)
        self.extra_bytes = rounded(program.extra * p.item, APART)
        sums = size
        size += (self.slice_bytes + self.extra_bytes) * p.slices
        self.nbytes = size
        self.arena = aligned_zeros(size, np.uint8)
        self.base = <char *>cnp.PyArray_DATA(self.arena)
        p.scratch, p.scratch_bytes = self.base + scratch, self.thread_bytes
        # the sums of a single slice are the gradient
        self.partials = p.grads if p.slices == 1 else self.base + <Py_ssize_t>sums
        self.extras = self.base + <Py_ssize_t>sums + self.slice_bytes * p.slices
        self.places = (slots, invariant, packed_b)
        return 0

    cdef int _make_values(self, program) except -1:
        """Says where each value is."""
        cdef Program *p = &self.program
        cdef Value *value
        cdef Value *whole
        slots, invariant, _ = self.places
        for i, item in enumerate(program.values):
            value = &self.values[<int>i]
            value.mode = {"local": LOCAL, "shared": SHARED, "direct": DIRECT, "ordered": ORDERED,
                          "invariant": INVARIANT,
                          "parameter": INVARIANT}[item.mode]
            if item.base is not None:
                continue
            if value.mode == INVARIANT:
                value.ld = item.ld
                value.row_bytes = item.ld * p.item
                value.base = p.params + <Py_ssize_t>item.offset * p.item if item.mode == "parameter" else (
                    self.base + <Py_ssize_t>invariant[i])
                if item.initial is not None:
                    self.invariant_array(i, program)[...] = item.initial
                continue
            value.row_bytes = item.width * item.itemsize
            if value.mode == DIRECT or value.mode == ORDERED:
                self.rows[i] = (item.width, item.itemsize)
            if item.slot is not None:
                value.row_bytes = self._row_bytes(program.slots[item.slot])
                value.base = self.base + <Py_ssize_t>slots[item.slot]
                value.thread_bytes = self.thread_bytes
            value.ld = value.row_bytes // <Py_ssize_t>item.itemsize
        for i, item in enumerate(program.values):
            if item.base is None:
                continue
            offset, base = item.offset, item.base
            while program.values[base].base is not None:
                offset, base = offset + program.values[base].offset, program.values[base].base
            value, whole = &self.values[<int>i], &self.values[<int>base]
            value[0] = whole[0]
            if whole.base is not NULL:      # a caller's array is nowhere yet: see binding.place
                value.base = whole.base + <Py_ssize_t>offset * <Py_ssize_t>item.itemsize
            if value.mode == INVARIANT:
                value.ld = item.ld
                value.row_bytes = item.ld * p.item
            elif value.mode == DIRECT or value.mode == ORDERED:
                self.parts.setdefault(base, []).append((i, offset))
        return 0

    def invariant_array(self, i, program):
        """An invariant value as an array (rows, width), the plan's own memory."""
        item, (_, invariant, _) = program.values[i], self.places
        dtype = np.dtype(f"f{self.program.item}")
        begin = invariant[i]
        return self.arena[begin:begin + item.rows * item.width * dtype.itemsize].view(dtype).reshape(item.rows, item.width)

    cdef Value *_value(self, index) except? NULL:
        return NULL if index is None else &self.values[<int>index]

    cdef int _set_operand(self, Operand *place, operand) except -1:
        if operand is not None:
            place.value, place.moves, place.step = self._value(operand.value), operand.moves, operand.step
        return 0

    cdef int _make_operations(self, program, const fbp_table *table) except -1:
        cdef Program *p = &self.program
        cdef Py_ssize_t i
        self.found = {}
        for i, operation in enumerate((*program.operations, *program.gradients)):
            self._make_operation(&p.ops[i], operation, table)
            if operation.packed_b is not None:
                p.ops[i].packed_b = self.base + <Py_ssize_t>self.places[2][i]
                if operation.packed_b == "own":
                    p.ops[i].packed_b_bytes = self.thread_bytes
        for i, operation in enumerate(program.invariant):
            self._make_operation(&p.invariant[i], operation, table)
        for i, stage in enumerate(program.stages):
            p.stages[i] = Stage(stage.invariant, stage.invariant_end, stage.row, stage.row_end, stage.units, stage.blocks)
        for i, (first, last) in enumerate(program.splits):
            p.splits[i].first, p.splits[i].last = first, last
        sums, root = program.root
        if sums is not None:
            p.root_sums = self.sums + <Py_ssize_t>sums * p.slices
        elif root is not None:
            p.root = self.values[<int>root].base
        if program.correct is not None:
            p.correct_sums = self.sums + <Py_ssize_t>program.correct * p.slices
        return 0

    cdef int _make_operation(self, Op *op, operation, const fbp_table *table) except -1:
        cdef Program *p = &self.program
        cdef bint transposed = operation.name == "input_gradient"
        cdef const fbp_table *products = table_of_columns(<int>p.item, operation.n_in if transposed else operation.n_out)
        cdef Py_ssize_t partial
        op.drive = driver_named(operation.name)
        op.kernel = self._find(table, operation.kernel) if operation.kernel is not None else NULL
        op.gemm = <fbp_gemm *>self._find(products, "gemm")
        op.pack_b = <fbp_pack_b *>self._find(products, "pack_b_transposed" if transposed else "pack_b")
        op.pack_a = <fbp_pack_a *>self._find(products, "pack_a") if operation.packed_a else NULL
        op.packed_a, op.packed_a_bytes = self.base + self.packed_a, self.thread_bytes
        op.copy = <fbp_map *>self._find(table, "copy")
        op.mr, op.nr, op.mc, op.kc, op.item = products.mr, products.nr, products.mc, products.kc, p.item
        op.b_row = b_row_bytes(products)
        op.b_tile = b_tile_bytes(products, operation.n_out if transposed else operation.n_in)
        op.out, op.kept = self._value(operation.out), self._value(operation.kept)
        op.x, op.y, op.w = self._value(operation.x), self._value(operation.y), self._value(operation.w)
        self._set_operand(&op.a, operation.a)
        self._set_operand(&op.b, operation.b)
        self._set_operand(&op.c, operation.c)
        op.group, op.invariant_rows, op.slices = operation.group, operation.rows, p.slices
        op.n_in, op.n_out = operation.n_in, operation.n_out
        op.W = self.values[<int>operation.W].base if operation.W is not None else NULL
        op.bias = self.values[<int>operation.bias].base if operation.bias is not None else NULL
        partial = operation.partial
        if partial >= 0:
            op.partial, op.slice_bytes = self._sum_at(partial)
            op.partial_ld, op.begins, op.ones = operation.partial_ld, operation.begins, operation.ones
        op.prefetch = operation.prefetch
        op.scale, op.param, op.number = operation.scale, operation.param, operation.number
        op.sums = self.sums + <Py_ssize_t>operation.sums * p.slices
        if operation.name in ("gather_rows", "prefetch"):
            op.item = 1     # rows of bytes, whatever they hold
        return 0

    cdef fbp_any *_find(self, const fbp_table *table, str name) except NULL:
        """A kernel of a table, which is searched once for each name: a graph may have 100,000 operations."""
        key = (<size_t>table, name)
        address = self.found.get(key)
        if address is None:
            address = self.found[key] = <size_t>find(table, name)
        return <fbp_any *><size_t>address

    cdef (char *, Py_ssize_t) _sum_at(self, Py_ssize_t number):
        """Where a sum of slice 0 is, and how far it is to the next slice's: a parameter's, or one of the others."""
        cdef Py_ssize_t size = self.size
        if number < size:
            return self.partials + number * self.program.item, self.slice_bytes
        return self.extras + (number - size) * self.program.item, self.extra_bytes

    cdef int _make_ranges(self, program) except -1:
        cdef Program *p = &self.program
        cdef Range *range_
        cdef RangeGradient *gradient = self.gradients
        cdef Py_ssize_t i
        for i, item in enumerate(program.ranges):
            range_ = &p.ranges[i]
            range_.begin, range_.count, range_.l1, range_.l2 = item.begin, item.count, item.l1, item.l2
            p.penalised = p.penalised or range_.l1 != 0 or range_.l2 != 0
            if item.partial is not None:
                range_.partial, range_.slice_bytes = self._sum_at(item.partial)
            if item.added is not None:
                range_.added = self.values[<int>item.added].base + <Py_ssize_t>item.added_at * p.item
            range_.piece = item.piece or item.count
            range_.packings, range_.n_packings = &p.packings[<int>item.packings[0]], item.packings[1]
            range_.gradients, range_.n_gradients = gradient, <int>len(item.gradients)
            for index, row, count in item.gradients:
                gradient.op = &p.ops[p.n_ops + <int>index]
                gradient.row, gradient.rows = row, count
                gradient.drive = range_driver_named(program.gradients[index].name)
                gradient += 1
        for i, (first, last, split) in enumerate(program.groups):
            p.groups[i] = Group(first, last, split)
        for i, (operation, row, count, end) in enumerate(program.packings):
            p.packings[i] = Packing(&p.ops[<int>operation], row, count, end)
        return 0

    cdef int _find_uses(self, program) except -1:
        """Which operations read or write the caller's rows."""
        cdef int i, n = <int>len(program.operations)
        cdef dict found = {}    # {value: [first operation, last one, whether gradients of ranges do]}
        cdef set direct = {i for i, value in enumerate(program.values) if value.mode in ("direct", "ordered")}
        for i, operation in enumerate((*program.operations, *program.gradients)):
            operands = [operand.value for operand in (operation.a, operation.b, operation.c) if operand is not None]
            for index in (operation.out, operation.kept, operation.x, operation.y, operation.w, *operands):
                if index in direct:
                    use = found.setdefault(program.root_of(index), [n, -1, False])
                    if i < n:
                        use[0], use[1] = min(use[0], i), max(use[1], i)
                    else:
                        use[2] = True
        self.n_uses = <int>len(found)
        self.uses = <Use *>self._zeros(self.n_uses, sizeof(Use))
        for i, (index, (first, last, learns)) in enumerate(found.items()):
            self.uses[i] = Use(index, first, last, learns)
        return 0
