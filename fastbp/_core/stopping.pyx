"""Early stopping, for training loops with and without Python."""
from libc.math cimport NAN, isnan
from libc.string cimport memcpy


cdef bint improves(double value, double best, double least, bint rises) noexcept nogil:
    """Whether a value is better by more than `least`; NaN never is, and any other value is where best is NaN."""
    if isnan(value) or isnan(best):
        return not isnan(value)
    return value > best + least if rises else value < best - least


def is_better(double value, best, double least, bint rises):
    """Whether an epoch's value is better than the best one, or None, by more than `least`; NaN never is."""
    return bool(improves(value, NAN if best is None else best, least, rises))


cdef bint is_over(Watch *watch, const double *result, Py_ssize_t epoch, const char *params) noexcept nogil:
    """After an epoch: whether early stopping ends the training here."""
    cdef double value = result[watch.result]
    if not improves(value, watch.best, watch.least, watch.rises):
        watch.waited += 1
        return watch.waited >= watch.patience
    watch.best, watch.best_epoch, watch.waited = value, epoch, 0
    if watch.best_params is not NULL:
        memcpy(watch.best_params, params, watch.nbytes)
    return False
