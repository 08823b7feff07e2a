# Early stopping: whether a result has improved of late, and the parameters of its best epoch.

cdef struct EarlyStopping:
    int monitored               # the one of an epoch's results that is watched, or -1 for none
    bint higher_is_better       # whether more of it is better
    double min_delta            # that it must improve by
    double best                 # NaN before any
    Py_ssize_t best_epoch       # -1 where it is none of this call's
    Py_ssize_t waited, patience
    char *best_params           # (P,), or NULL where they are not kept
    Py_ssize_t nbytes           # of these

cdef bint should_stop(EarlyStopping *early_stopping, const double *result, Py_ssize_t epoch,
                      const char *params) noexcept nogil
