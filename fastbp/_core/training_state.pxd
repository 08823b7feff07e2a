# Where a training stands, and what its epochs run on.
from libc.stdint cimport int64_t, uint64_t
from fastbp._core.executor cimport Call
from fastbp._core.program cimport Program
from fastbp._core.stopping cimport EarlyStopping
from fastbp._core.updates cimport Penalty

cdef enum:
    EVALUATED = 2

# What an epoch gives, a row of the results; NAMES in epochs.pyx says it in words.
cdef enum Result:
    LOSS
    ACCURACY
    LR
    SECONDS
    SAMPLES_PER_SECOND
    VAL_LOSS
    VAL_ACCURACY
    RESULTS

# Steps of one plan, a part of each epoch.
cdef struct Segment:
    Program *program            # NULL where an epoch has no such part
    Call call
    int team                    # the most threads of its plan
    Py_ssize_t first, steps     # the first row, or number of the order; steps in an epoch
    double weight               # that a step has in a mean over the samples

cdef struct TrainingState:
    # what is trained
    Segment whole, rest         # the steps of whole batches, and of the rows that are left
    Segment evaluated[EVALUATED]  # the same of the validation data, after each epoch
    int n_evaluated
    const char *params
    Py_ssize_t item             # bytes of a parameter
    const Penalty *penalties
    int n_penalties
    Py_ssize_t n, batch, steps  # rows of an epoch, rows of a step, steps of an epoch
    bint shuffled
    uint64_t seed               # of the first epoch's order
    const int64_t *rows         # (n,) numbers of the data's rows, or NULL for all as they lie
    int64_t *order              # (n,) the rows of the epoch at hand, or NULL for the data as they lie
    const double *penalty_factors   # (steps,) of each epoch's steps, or NULL where all are 1
    double penalty_weight       # by which the losses count these penalties
    double counted, val_counted  # answers that an accuracy counts
    # where it is
    Py_ssize_t epoch, step      # epochs finished since the beginning, steps of the epoch at hand
    double begun                # moment when the epoch at hand began
    double lr                   # of its first step
    # the call at hand
    Py_ssize_t wanted, done     # steps
    Py_ssize_t base             # where the losses of the epoch at hand begin
    Py_ssize_t finished         # epochs
    const double *rates         # (wanted,) learning rates, or NULL
    double *losses              # (base + steps of the epoch at hand ...,)
    double *correct_counts      # the same, correct answers of each step; NULL where nobody counts
    double *val_losses          # (steps,) of an evaluation
    double *val_correct_counts
    double *results             # (epochs, RESULTS) of those finished in this call
    double seconds              # that it took
    int64_t taken               # updates before this call
    uint64_t draws              # steps that drew dropout masks before this call
    EarlyStopping early_stopping
    bint stopped                # by early stopping
    bint broken                 # a parameter stopped being finite

cdef void make_order(TrainingState *state) noexcept nogil
cdef void run_epochs(TrainingState *state, int team) noexcept nogil
