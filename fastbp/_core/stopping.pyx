"""Early stopping, for training loops with and without Python."""
from libc.math cimport NAN, isnan
from libc.string cimport memcpy


cdef bint improves(double value, double best, double min_delta, bint higher_is_better) noexcept nogil:
    """Whether a value is better by more than `min_delta`; NaN never is, and any other value is where best is NaN."""
    if isnan(value) or isnan(best):
        return not isnan(value)
    return value > best + min_delta if higher_is_better else value < best - min_delta


def is_better(double value, best, double min_delta, bint higher_is_better):
    """Whether an epoch's value is better than the best one, or None, by more than `min_delta`; NaN never is."""
    return bool(improves(value, NAN if best is None else best, min_delta, higher_is_better))


cdef bint should_stop(EarlyStopping *early_stopping, const double *result, Py_ssize_t epoch,
                      const char *params) noexcept nogil:
    """After an epoch: whether early stopping ends the training here."""
    cdef double value = result[early_stopping.monitored]
    if not improves(value, early_stopping.best, early_stopping.min_delta, early_stopping.higher_is_better):
        early_stopping.waited += 1
        return early_stopping.waited >= early_stopping.patience
    early_stopping.best, early_stopping.best_epoch, early_stopping.waited = value, epoch, 0
    if early_stopping.best_params is not NULL:
        memcpy(early_stopping.best_params, params, early_stopping.nbytes)
    return False
