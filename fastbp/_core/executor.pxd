# The executor: what one call runs, and the function that runs it.
from libc.stdint cimport int64_t, uint64_t
from fastbp._core.kernels cimport H_COUNT
from fastbp._core.program cimport Pace, Place, Program
from fastbp._core.teams cimport WorkerState

# What a call is at. The table at the head of executor.pyx says what each phase does and which comes after it.
cdef enum Phase:
    PACK
    SPLITS
    ROWS
    PARAMETERS
    CHECKS
    UPDATES
    OVER        # no phase: the call has ended

cdef struct Call:
    int first_op, last_op       # of the row operations: forward, backward or both
    bint learns                 # whether the parameter phase runs
    bint updates                # whether it is an update by the gradients as they stand, and nothing else
    Py_ssize_t first, steps     # the first step's first row, and how many steps of `batch` rows follow
    Py_ssize_t epoch            # steps after which the rows begin again at `first`
    const int64_t *order        # (n,) or NULL for the rows as they lie
    const double *lr            # (steps,)
    const double *constants     # (H_CONSTANTS,) the optimizer's
    const double *penalty_factors   # (steps,) by which the penalties' gradients count in each step; NULL where all are 1
    double penalty_weight       # by which the loss counts what they then are; read where there are factors
    double *losses              # (steps,)
    double *correct_counts      # (steps,) how many answers were correct, of a plan that counts them; or NULL
    int64_t taken               # updates taken before this call
    uint64_t seed, draws        # of dropout: the key, and how many steps drew from it before this call
    # where the call is; written between two phases, when no task is under way
    Phase phase
    int stage                   # of the phase ROWS
    int lanes                   # of the queue that hands its tasks out
    Py_ssize_t stop             # the step that it runs to for now
    Py_ssize_t done             # steps that were completed
    double loss                 # of the step at hand
    Py_ssize_t row, next_row    # the first row of its batch, and of the next step's, or -1
    double hyper[H_COUNT]       # of its update

cdef void enter(WorkerState *worker, const Call *call, int member) noexcept nogil
cdef int begin(Program *p, Call *call) noexcept nogil
cdef void run_task(Program *p, const Call *call, Place *at, int index) noexcept nogil
cdef int advance(Program *p, Call *call) noexcept nogil
cdef int start(Program *p, Call *call, Pace *pace, int team) except -1
cdef void run_call(Program *p, Call *call, Pace *pace, int team) noexcept nogil
