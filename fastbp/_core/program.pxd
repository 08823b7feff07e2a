# What a plan is once compiled: flat C structs that drivers and the executor read, without the GIL and without asking
# what dtype they hold. A step is one or more sweeps over the rows (invariant operations, then slices of the batch
# through the row operations) and a parameter phase (ranges of the parameter vector get their gradient and their
# update).
from libc.stdint cimport int64_t, uint64_t
from fastbp._core.kernels cimport (fbp_prefetch, fbp_any, fbp_reduce_partials, fbp_gemm, fbp_hook, fbp_map, fbp_pack_a,
                                   fbp_pack_b, fbp_penalty, fbp_reduce, fbp_update)

cdef enum:
    LINE = 64           # bytes of a cache line
    APART = 128         # bytes between what two threads write: prefetchers fetch lines in pairs
    FAR = 4096          # between what they read and write from end to end: prefetchers run ahead of it, up to the page's end

cdef enum Mode:
    LOCAL       # one block of rows, each thread has its own; forgotten when the block is done
    SHARED      # all rows of the batch
    DIRECT      # the caller's array, all rows of the data
    ORDERED     # the caller's array, its rows in an order of their own: index_of names those of the block
    INVARIANT   # batch-invariant: the same for all rows

# The rows of one node, or a part of them. Row r is at base + ... of `row_bytes`; `ld` is the same distance in elements.
cdef struct Value:
    char *base
    Py_ssize_t ld
    Py_ssize_t row_bytes
    Py_ssize_t thread_bytes     # from one thread's block to the next one's (LOCAL)
    Mode mode

# An operand of an elementwise operation.
cdef struct Operand:
    Value *value                # NULL where there is none
    bint moves                  # 1: each row has its own row of it; 0: all rows have the same one (broadcast)
    bint step                   # the same for columns

# Where a thread is: a block of rows of one slice of the batch, in one step.
cdef struct Place:
    Py_ssize_t first            # the batch's first row in the caller's data (or in `order`)
    Py_ssize_t row              # the block's first row in the batch
    Py_ssize_t rows
    Py_ssize_t unit, units      # the block of columns that is written, of a stage that is cut by units; else 0, 0
    int slice_
    int thread
    bint opens_slice            # the block is the first of its slice: sums start here
    bint opens_step             # the block is this thread's first of the stage: copies of the weights are stale
    Py_ssize_t stage            # the stage, counted over all steps, whose weights this thread has copies of, or -1
    uint64_t seed, draw         # of the step's dropout masks
    fbp_prefetch *prefetch      # what the thread prefetches while it computes
    Py_ssize_t next             # as `first`, of the step that follows, or -1
    const int64_t *order        # (n,) the caller's rows in the order of training, or NULL

ctypedef void (*Driver)(const Op *op, const Place *at) noexcept nogil

# One operation, over rows or over what is batch-invariant. fastbp/_compiler/operations.py says which fields a driver
# reads, and what each is.
cdef struct Op:
    Driver drive
    fbp_any *kernel
    fbp_gemm *gemm
    fbp_pack_b *pack_b
    fbp_pack_a *pack_a          # NULL: the left operand is read where it lies
    fbp_map *copy
    Py_ssize_t mr, nr           # the largest tile of gemm: rows, columns
    Py_ssize_t mc, kc           # rows of A that are packed at once; rows of B that all tiles use before gemm goes on
    Py_ssize_t item             # bytes of a real
    bint prefetch               # GEMM: prefetches the next step's rows; gather, convert: its source rows are prefetched
    Value *out
    Value *kept                 # what backward will read beside the output, or NULL
    Value *x
    Value *y
    Value *w
    Operand a, b, c             # of an elementwise operation
    Py_ssize_t group            # rows for each sample
    Py_ssize_t invariant_rows   # rows of an invariant operation, or 0
    char *W                     # (n_in, n_out)
    char *bias                  # (n_out,)
    char *packed_b              # W or its transpose, packed, or NULL
    Py_ssize_t packed_b_bytes   # from one thread's copy to the next one's; 0: shared, packed in the parameter phase
    Py_ssize_t b_row, b_tile    # bytes of a row of a tile of it, nr elements, and of all rows
    char *packed_a              # room for MC rows of the left operand
    Py_ssize_t packed_a_bytes   # from one thread's room to the next one's
    char *partial               # this operation's part of slice 0's vector of sums
    Py_ssize_t slice_bytes      # from one slice's vector to the next one's
    Py_ssize_t partial_ld       # between rows of that part, in elements
    bint begins                 # 1: it writes there first; 0: it adds to what is there
    bint ones                   # of a weight gradient: whether a row of sums over the batch follows it there
    int slices
    Py_ssize_t n_in, n_out      # of a conversion: n_in is the bytes of an element that it reads
    double scale, param         # of a loss or a total; param is also dropout's rate and a power's exponent
    double *sums                # (slices,) of a loss or a total
    uint64_t number             # of a dropout layer

# A gradient of a range of the parameters, summed over the whole batch; += where accumulate.
ctypedef void (*RangeDriver)(const RangeGradient *g, char *out, Py_ssize_t batch, const Place *at,
                             bint accumulate) noexcept nogil

cdef struct RangeGradient:
    RangeDriver drive
    const Op *op
    Py_ssize_t row, rows        # the range as rows of W, or columns of b

# Rows [row, row + rows) of weights that are packed: when a call begins, and by the range that updates them.
cdef struct Packing:
    const Op *op
    Py_ssize_t row, rows
    Py_ssize_t end              # how much of its range has been updated when it can be copied

# One range [begin, begin + count) of the parameter vector: its gradient, and what follows from it.
cdef struct Range:
    Py_ssize_t begin, count
    const char *partial         # its part of slice 0's vector of sums, or NULL
    Py_ssize_t slice_bytes      # from one slice's vector to the next one's
    RangeGradient *gradients
    int n_gradients
    const char *added           # an invariant value that is a term of it, or NULL
    double l1, l2
    Py_ssize_t piece            # elements that are updated, and packed while they are warm, at a time
    const Packing *packings
    int n_packings

# Ranges [first, last) of the parameter vector, which one thread does in a row, and the split that follows, or -1.
cdef struct Group:
    int first, last, split

# Operations [first, last) of Program.ops on some columns of the inputs, all rows of the batch; what its GEMMs prefetch,
# which goes on while the split's gradient is made.
cdef struct ColumnSplit:
    int first, last
    fbp_prefetch prefetch
    char apart[APART]           # padding: another thread writes the next split's cursor (digits16 on Zen 4: 2 %)

# A part of a pass over all rows: what is batch-invariant, then tasks of a slice x a block of units each.
cdef struct Stage:
    int invariant, invariant_end  # operations of Program.invariant
    int row, row_end            # operations of Program.ops
    Py_ssize_t units            # columns of a task, 0: all
    int blocks                  # of units

cdef enum:
    MOST_SIZES = 12     # of a team: 1, 2, 4 ... 1024, and all threads

# How fast teams of each size are at calls of a kind; see pace.pyx.
cdef struct Pace:
    double step[MOST_SIZES]     # seconds that a step took of late; 0: not known
    double least[MOST_SIZES]    # that it ever took
    double tried[MOST_SIZES]    # the moment when it was last measured
    double since                # the moment when the one in use was chosen
    double wait                 # seconds from the last trial to the next
    double measured, fastest    # seconds that have been measured and not been counted, and of the fastest step among them
    Py_ssize_t steps            # in how many steps
    int trials                  # that have been made
    int state                   # of the trial at hand
    int trial                   # the size that is tried
    int team                    # threads, at most

cdef struct Program:
    Py_ssize_t batch, slice_rows, block_rows
    int slices
    Op *ops
    int n_ops
    Op *invariant
    Stage *stages
    int n_stages
    Range *ranges
    int n_ranges
    Group *groups
    int n_groups
    ColumnSplit *splits
    int n_splits
    Packing *packings
    int n_packings
    Py_ssize_t item
    char *params
    char *grads
    char *scratch               # of each thread: a range's gradient that is used up at once
    Py_ssize_t scratch_bytes    # from one thread's to the next one's
    fbp_hook *enter             # what each thread calls before and after its part of a call, or NULL
    fbp_hook *leave
    fbp_reduce_partials *reduce_partials
    fbp_map *add
    fbp_penalty *penalty
    fbp_reduce *sum_squares
    fbp_reduce *all_finite
    double *root_sums           # (slices,) parts of the loss, or NULL where it is
    const char *root            # an invariant value, or NULL where there is no loss
    double *correct_sums        # (slices,) how many answers are correct, or NULL where nobody counts
    double *penalties           # (n_ranges,)
    double *squares             # (n_ranges,) squared norms of the gradient's ranges
    bint penalised
    # the update, set for each call
    fbp_update *update          # NULL: the gradient only
    char *s0
    char *s1
    double clip_norm            # 0: none
    Pace passes, updates        # of calls that run the operations, and of updates by themselves
    bint broken                 # a parameter or gradient stopped being finite


cdef inline char *rows_of(const Value *value, const Place *at) noexcept nogil:
    """The first row of the block at hand."""
    if value.mode == LOCAL:
        return value.base + at.thread * value.thread_bytes
    if value.mode == SHARED:
        return value.base + at.row * value.row_bytes
    if value.mode == INVARIANT or value.mode == ORDERED:
        return value.base
    return value.base + (at.first + at.row) * value.row_bytes


cdef inline Py_ssize_t units_of(const Place *at, Py_ssize_t n) noexcept nogil:
    """How many of n columns are the task's, from at.unit on."""
    return n if at.units == 0 else min(at.units, n - at.unit)


cdef inline const int64_t *index_of(const Value *value, const Place *at) noexcept nogil:
    """The numbers of the block's rows, where these lie in an order of their own; else NULL."""
    return at.order + at.first + at.row if value.mode == ORDERED else NULL
