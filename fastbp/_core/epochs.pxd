# Epochs of one training, run in compiled calls.
from fastbp._core.calls cimport Snapshot
from fastbp._core.training_state cimport TrainingState
from fastbp._core.updates cimport Penalty


cdef class Epochs:
    cdef TrainingState at
    cdef object model, optimizer
    cdef object penalty_factors         # float64 (steps,) or None: the training state's
    cdef object rows, order             # int64 (n,) or None: the memory of the training state's
    cdef object losses, correct_counts, val_losses, val_correct_counts, results, best_params
    cdef Penalty *penalties
    cdef Py_ssize_t rows_needed         # rows that the data must have
    cdef Py_ssize_t first               # epochs that the model had before
    cdef Py_ssize_t others              # that it was trained for meanwhile, by other threads or by a callback
    cdef Py_ssize_t trained             # the model's count of all of them when this training was last at it
    cdef Py_ssize_t first_result_epoch  # the epoch, counted from 0, of the first row of results
    cdef list plans                     # of the call at hand
    cdef Snapshot before                # what a call that fails goes back to, or None
    cdef Py_ssize_t before_epoch, before_step
    cdef int bind(self, list training, list evaluated, double[::1] rates, Py_ssize_t steps, stopping) except -1
    cdef int most_threads(self) noexcept
    cdef int make_room(self, Py_ssize_t steps) except -1
    cdef int prepare_early_stopping(self, stopping) except -1
    cdef object settle(self, stopping)
    cdef object go_back(self)
    cdef int release(self) except -1
