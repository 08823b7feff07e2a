"""Epochs in C: what a training does between two looks of Python's - orders, steps, evaluation, early stopping.

Which results an epoch has does not depend on how many steps, or epochs, are run at once.
"""
from libc.math cimport INFINITY, NAN
from libc.stdint cimport uint64_t
from fastbp._core cimport teams
from fastbp._core.executor cimport Call, run_call
from fastbp._core.random cimport permute
from fastbp._core.stopping cimport should_stop
from fastbp._core.updates cimport penalties_of


cdef void make_order(TrainingState *state) noexcept nogil:
    """The order of the epoch at hand."""
    cdef Py_ssize_t i
    if state.shuffled:
        permute(state.order, state.n, state.seed + <uint64_t>state.epoch)
        if state.rows is not NULL:
            for i in range(state.n):
                state.order[i] = state.rows[state.order[i]]


cdef Py_ssize_t run_segment(TrainingState *state, Segment *segment, Py_ssize_t first, Py_ssize_t steps, double *losses,
                            double *correct_counts, int team) noexcept nogil:
    """Steps of a plan's, from row `first` on; returns how many were completed."""
    cdef Call *call = &segment.call
    call.first, call.steps, call.epoch, call.done = first, steps, segment.steps, 0
    call.losses, call.correct_counts = losses, correct_counts
    run_call(segment.program, call, &segment.program.passes, min(team, segment.team))
    return call.done


cdef Py_ssize_t train_steps(TrainingState *state, Segment *segment, Py_ssize_t first, Py_ssize_t steps,
                            int team) noexcept nogil:
    """The next steps of the epoch at hand."""
    cdef Call *call = &segment.call
    cdef Py_ssize_t at = state.base + state.step
    call.lr = state.rates + state.done if state.rates is not NULL else NULL
    call.taken, call.draws, call.order = state.taken + state.done, state.draws + <uint64_t>state.done, state.order
    call.penalty_factors = state.penalty_factors + state.step if state.penalty_factors is not NULL else NULL
    call.penalty_weight = state.penalty_weight
    steps = run_segment(state, segment, first, steps, state.losses + at,
                        state.correct_counts + at if state.correct_counts is not NULL else NULL, team)
    state.broken = segment.program.broken
    return steps


cdef double ratio(double correct, double counted) noexcept nogil:
    return correct / counted if counted > 0 else NAN


cdef void evaluate(TrainingState *state, double *result, int team) noexcept nogil:
    """The validation data's loss and accuracy, by the parameters as they are."""
    cdef double loss = 0, correct = 0, total
    cdef Segment *segment
    cdef Py_ssize_t step
    cdef int i
    for i in range(state.n_evaluated):
        segment = &state.evaluated[i]
        run_segment(state, segment, segment.first, segment.steps, state.val_losses, state.val_correct_counts, team)
        total = 0
        for step in range(segment.steps):
            total += state.val_losses[step]
            if state.val_correct_counts is not NULL:
                correct += state.val_correct_counts[step]
        loss += total * segment.weight
    result[<int>VAL_LOSS] = loss + penalties_of(state.params, state.item, state.penalties, state.n_penalties)
    result[<int>VAL_ACCURACY] = ratio(correct, state.val_counted)


cdef void end_epoch(TrainingState *state, double seconds, int team) noexcept nogil:
    """The results of the epoch at hand, which took so long, and whether it is the last one."""
    cdef double *result = state.results + state.finished * RESULTS
    cdef double loss = 0, correct = 0
    cdef Py_ssize_t step
    for step in range(state.whole.steps):
        loss += state.losses[state.base + step] * state.whole.weight
    if state.rest.program is not NULL:
        loss += state.losses[state.base + state.whole.steps] * state.rest.weight
    if state.correct_counts is not NULL:
        for step in range(state.steps):
            correct += state.correct_counts[state.base + step]
    result[<int>LOSS], result[<int>ACCURACY], result[<int>LR] = loss, ratio(correct, state.counted), state.lr
    result[<int>SECONDS] = seconds
    result[<int>SAMPLES_PER_SECOND] = state.n / seconds if seconds > 0 else INFINITY
    if state.n_evaluated > 0:
        evaluate(state, result, team)
    state.base += state.steps
    state.epoch += 1
    state.finished += 1
    state.step = 0
    if state.early_stopping.monitored >= 0:
        state.stopped = should_stop(&state.early_stopping, result, state.epoch - 1, state.params)


cdef bint is_contiguous(const TrainingState *state) noexcept nogil:
    """Whether nothing is to be done between this epoch and the next: all are one row of steps."""
    return (state.step == 0 and state.wanted - state.done > state.steps and not state.shuffled and state.penalty_factors is NULL
            and state.rest.program is NULL and state.n_evaluated == 0 and state.early_stopping.monitored < 0)


cdef void run_contiguous_epochs(TrainingState *state, int team) noexcept nogil:
    """All the epochs that are left of the call, in one row of steps."""
    cdef Py_ssize_t first = state.done, done = train_steps(state, &state.whole, 0, state.wanted - state.done, team), epoch
    cdef double now = teams.seconds(), seconds = (now - state.begun) / max(1, done) * state.steps
    state.done += done
    for epoch in range(done // state.steps):
        state.lr = state.rates[first + epoch * state.steps] if state.rates is not NULL else 0
        end_epoch(state, seconds, team)
    state.step = done % state.steps
    if state.step > 0:      # the epoch that was not finished
        state.lr = state.rates[first + done - state.step] if state.rates is not NULL else 0


cdef void run_epochs(TrainingState *state, int team) noexcept nogil:
    """`run_steps`, by the clock."""
    cdef double begun = teams.seconds()
    run_steps(state, team)
    state.seconds = teams.seconds() - begun


cdef void run_steps(TrainingState *state, int team) noexcept nogil:
    """The steps of the call, or fewer: to the first number that is not finite, or to the end of the epoch that early stopping
    ends the training with."""
    cdef Segment *segment
    cdef Py_ssize_t steps, done
    while state.done < state.wanted and not state.stopped:
        if state.step == 0:
            state.begun = teams.seconds()
            state.lr = state.rates[state.done] if state.rates is not NULL else 0
            make_order(state)
        if is_contiguous(state):
            run_contiguous_epochs(state, team)
            return
        segment = &state.whole if state.step < state.whole.steps else &state.rest
        steps = min(state.whole.steps - state.step, state.wanted - state.done) if segment is &state.whole else 1
        done = train_steps(state, segment, state.step * state.batch, steps, team)
        state.step += done
        state.done += done
        if done < steps:
            return
        if state.step == state.steps:
            end_epoch(state, teams.seconds() - state.begun, team)
