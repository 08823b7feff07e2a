"""Epochs: what a training does between two looks of Python's - orders, steps, evaluation, early stopping - without the GIL.

A call takes some steps of an epoch, or all of several epochs. What they give does not depend on how they are cut into calls.
"""
from libc.math cimport INFINITY, NAN, isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from cpython.object cimport PyObject_GenericSetAttr
cimport numpy as cnp
from fastbp._core cimport cpu, teams
from fastbp._core.executor cimport Call, run_call
from fastbp._core.executable cimport Executable
from fastbp._core.random cimport permute
from fastbp._core.stopping cimport EarlyStopping, should_stop
from fastbp._core.calls cimport Snapshot, check_correct_counts, count, prepare
from fastbp._core.updates cimport Penalty, penalties_of

import math

import numpy as np

cnp.import_array()

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX

# of the results of an epoch, in the order of Result
NAMES = ("loss", "accuracy", "lr", "seconds", "samples_per_second", "val_loss", "val_accuracy")
assert len(NAMES) == RESULTS


# ---- an epoch --------------------------------------------------------------------------------------------------------


cdef void make_order(TrainingState *c) noexcept nogil:
    """The order of the epoch at hand."""
    cdef Py_ssize_t i
    if c.shuffled:
        permute(c.order, c.n, c.seed + <uint64_t>c.epoch)
        if c.rows is not NULL:
            for i in range(c.n):
                c.order[i] = c.rows[c.order[i]]


cdef Py_ssize_t run_segment(TrainingState *c, Segment *segment, Py_ssize_t first, Py_ssize_t steps, double *losses,
                            double *correct_counts,
                     int team) noexcept nogil:
    """Steps of a plan's, from row `first` on; returns how many were completed."""
    cdef Call *call = &segment.call
    call.first, call.steps, call.epoch, call.done = first, steps, segment.steps, 0
    call.losses, call.correct_counts = losses, correct_counts
    run_call(segment.program, call, &segment.program.passes, min(team, segment.team))
    return call.done


cdef Py_ssize_t train_steps(TrainingState *c, Segment *segment, Py_ssize_t first, Py_ssize_t steps,
                            int team) noexcept nogil:
    """The next steps of the epoch at hand."""
    cdef Call *call = &segment.call
    cdef Py_ssize_t at = c.base + c.step
    call.lr = c.rates + c.done if c.rates is not NULL else NULL
    call.taken, call.draws, call.order = c.taken + c.done, c.draws + <uint64_t>c.done, c.order
    steps = run_segment(c, segment, first, steps, c.losses + at, c.correct_counts + at if c.correct_counts is not NULL
                        else NULL, team)
    c.broken = segment.program.broken
    return steps


cdef double ratio(double correct, double counted) noexcept nogil:
    return correct / counted if counted > 0 else NAN


cdef void evaluate(TrainingState *c, double *result, int team) noexcept nogil:
    """The validation data's loss and accuracy, by the parameters as they are."""
    cdef double loss = 0, correct = 0, total
    cdef Segment *segment
    cdef Py_ssize_t step
    cdef int i
    for i in range(c.n_evaluated):
        segment = &c.evaluated[i]
        run_segment(c, segment, segment.first, segment.steps, c.val_losses, c.val_correct_counts, team)
        total = 0
        for step in range(segment.steps):
            total += c.val_losses[step]
            if c.val_correct_counts is not NULL:
                correct += c.val_correct_counts[step]
        loss += total * segment.weight
    result[<int>VAL_LOSS] = loss + penalties_of(c.params, c.item, c.penalties, c.n_penalties)
    result[<int>VAL_ACCURACY] = ratio(correct, c.val_counted)


cdef void end_epoch(TrainingState *c, double seconds, int team) noexcept nogil:
    """The results of the epoch at hand, which took so long, and whether it is the last one."""
    cdef double *result = c.results + c.finished * RESULTS
    cdef double loss = 0, correct = 0
    cdef Py_ssize_t step
    for step in range(c.whole.steps):
        loss += c.losses[c.base + step] * c.whole.weight
    if c.rest.program is not NULL:
        loss += c.losses[c.base + c.whole.steps] * c.rest.weight
    if c.correct_counts is not NULL:
        for step in range(c.steps):
            correct += c.correct_counts[c.base + step]
    result[<int>LOSS], result[<int>ACCURACY], result[<int>LR] = loss, ratio(correct, c.counted), c.lr
    result[<int>SECONDS] = seconds
    result[<int>SAMPLES_PER_SECOND] = c.n / seconds if seconds > 0 else INFINITY
    if c.n_evaluated > 0:
        evaluate(c, result, team)
    c.base += c.steps
    c.epoch += 1
    c.finished += 1
    c.step = 0
    if c.early_stopping.monitored >= 0:
        c.stopped = should_stop(&c.early_stopping, result, c.epoch - 1, c.params)


cdef bint is_contiguous(const TrainingState *c) noexcept nogil:
    """Whether nothing is to be done between this epoch and the next: all are one row of steps."""
    return (c.step == 0 and c.wanted - c.done > c.steps and not c.shuffled and c.rest.program is NULL and c.n_evaluated == 0
            and c.early_stopping.monitored < 0)


cdef void run_contiguous_epochs(TrainingState *c, int team) noexcept nogil:
    """All the epochs that are left of the call, in one row of steps."""
    cdef Py_ssize_t first = c.done, done = train_steps(c, &c.whole, 0, c.wanted - c.done, team), epoch
    cdef double now = teams.seconds(), seconds = (now - c.begun) / max(1, done) * c.steps
    c.done += done
    for epoch in range(done // c.steps):
        c.lr = c.rates[first + epoch * c.steps] if c.rates is not NULL else 0
        end_epoch(c, seconds, team)
    c.step = done % c.steps
    if c.step > 0:      # the epoch that was not finished
        c.lr = c.rates[first + done - c.step] if c.rates is not NULL else 0


cdef void run_epochs(TrainingState *c, int team) noexcept nogil:
    """`run_steps`, by the clock."""
    cdef double begun = teams.seconds()
    run_steps(c, team)
    c.seconds = teams.seconds() - begun


cdef void run_steps(TrainingState *c, int team) noexcept nogil:
    """The steps of the call, or fewer: to the first number that is not finite, or to the end of the epoch that early stopping
    ends the training with."""
    cdef Segment *segment
    cdef Py_ssize_t steps, done
    while c.done < c.wanted and not c.stopped:
        if c.step == 0:
            c.begun = teams.seconds()
            c.lr = c.rates[c.done] if c.rates is not NULL else 0
            make_order(c)
        if is_contiguous(c):
            run_contiguous_epochs(c, team)
            return
        segment = &c.whole if c.step < c.whole.steps else &c.rest
        steps = min(c.whole.steps - c.step, c.wanted - c.done) if segment is &c.whole else 1
        done = train_steps(c, segment, c.step * c.batch, steps, team)
        c.step += done
        c.done += done
        if done < steps:
            return
        if c.step == c.steps:
            end_epoch(c, teams.seconds() - c.begun, team)


def grown(old, begun, room):
    """An array of `room` numbers or more, of which those of `old` that the slice `begun` names are the first."""
    new = old if len(old) >= room else np.empty(room)
    new[:begun.stop - begun.start] = old[begun]
    return new


# ---- calls -----------------------------------------------------------------------------------------------------------


cdef class Epochs:
    """The epochs of one training.

    model: a network or an expression; optimizer: a fastbp.optimizers.Optimizer, or None for values and gradients only.
    n: rows of an epoch, batch: of a step; rows: int64 (n,), the numbers of the data's rows that are trained on, or None for the
    first n; shuffled: whether each epoch has an order of its own, epoch e that of `seed` + e. rest: whether the rows that are no
    whole batch are trained on as well. counted, val_counted: how many answers an accuracy of the data, or of the
    validation data, is of; 0 where there is none. penalties: [(begin, count, l1, l2), ...] of the parameters.
    """

    def __cinit__(self, model, optimizer, Py_ssize_t n, Py_ssize_t batch, rows, bint shuffled, uint64_t seed, bint rest=True,
                  counted=0, val_counted=0, penalties=()):
        cdef TrainingState *c = &self.at
        cdef int64_t[::1] numbers
        cdef Py_ssize_t i
        memset(c, 0, sizeof(TrainingState))
        self.model, self.optimizer, self.plans, self.first = model, optimizer, [], model.epochs
        c.n, c.batch, c.seed = n, batch, seed
        c.whole.steps, c.rest.steps = n // batch, 1
        c.whole.weight, c.rest.weight = batch / <double>n, n % batch / <double>n
        c.steps = c.whole.steps + (rest and n % batch > 0)
        c.shuffled, c.counted, c.val_counted = shuffled and batch < n, counted, val_counted
        c.early_stopping.monitored = -1
        self.rows_needed = n
        if rows is not None:
            self.rows = numbers = np.array(rows, np.int64)      # a copy, which nobody can change
            c.rows = &numbers[0]
            self.rows_needed = rows.max() + 1
        if c.shuffled or rows is not None:
            self.order = numbers = np.array(rows, np.int64) if rows is not None else np.arange(n, dtype=np.int64)
            c.order = &numbers[0]
        self.losses = self.correct_counts = self.results = np.empty(0)
        self.penalties = <Penalty *>calloc(max(1, len(penalties)), sizeof(Penalty))
        if self.penalties is NULL:
            raise MemoryError("no memory for penalties")
        for i, (begin, size, l1, l2) in enumerate(penalties):
            self.penalties[i] = Penalty(begin, size, l1, l2)
        c.penalties, c.n_penalties = self.penalties, <int>len(penalties)

    def __dealloc__(self):
        free(self.penalties)

    @property
    def epoch(self):
        """The epochs that are finished."""
        return self.at.epoch

    @property
    def step(self):
        """The steps of the epoch at hand that are taken; 0 between two epochs."""
        return self.at.step

    @property
    def steps(self):
        """The steps of an epoch."""
        return self.at.steps

    @property
    def done(self):
        """The steps of the last call."""
        return self.at.done

    @property
    def stopped(self):
        """Whether early stopping has ended the training."""
        return bool(self.at.stopped)

    @property
    def in_order(self):
        """Whether rows are read in an order, and not as they lie."""
        return self.order is not None

    def order_at_hand(self):
        """The order of the epoch at hand, int64 (n,), or None for the data as they lie."""
        if self.at.step == 0:
            make_order(&self.at)
        return self.order

    def last_losses(self):
        """The losses of the last call's steps, float64: of whole epochs, or of a part of one."""
        return self.losses[:self.at.done]

    def last_correct_counts(self):
        """How many answers were correct in each of these steps, float64, where an accuracy is counted."""
        return self.correct_counts[:self.at.done]

    def results_since(self, Py_ssize_t epoch):
        """float64 (epochs, len(NAMES)): the results of the last call's epochs from `epoch` on, counted from 0."""
        return self.results[epoch - self.first_result_epoch:self.at.finished]

    def remember(self):
        """Between two epochs: a call that fails goes back to what training has made of model and optimizer by now."""
        self.before, self.before_epoch = Snapshot(self.model, self.optimizer), self.at.epoch

    def run(self, list training, list evaluated, double[::1] rates, stopping, int team, steps=None):
        """The next len(rates) steps, or `steps` without an optimizer: some of the epoch at hand, or all of several epochs.

        training: [(plan, [(value, array), ...])] of the steps of whole batches and, where an epoch has one, of the rest's;
        evaluated: [(plan, arrays, first row, steps,
                     weight of a step)] of the validation data, two at most; stopping: None, or
        (an EarlyStopping that is to decide here, the index in NAMES of what it monitors, whether more of that is better).

        Steps, epochs and draws are counted in the model and its optimizer. Returns None; or, where a number stopped being finite,
        (the loss of the step at hand, None or a copy of parameters one of which its update made not finite, the epochs that were
        finished since `remember`, the number of the step in its epoch), everything being as it was then, if anything was.
        """
        try:
            self.bind(training, evaluated, rates, rates.shape[0] if steps is None else steps, stopping)
            team = cpu.team_limit(min(team, self.most_threads()))
            with nogil:
                run_epochs(&self.at, team)
            return self.settle(stopping)
        finally:
            self.release()

    cdef int bind(self, list training, list evaluated, double[::1] rates, Py_ssize_t steps, stopping) except -1:
        """Points the training state at plans and arrays, which must live until it has been settled."""
        cdef TrainingState *c = &self.at
        cdef Segment *segment
        cdef double[::1] place
        cdef Py_ssize_t longest
        cdef Executable plan
        cdef int i
        self.make_room(steps)
        c.wanted, c.done, c.base, c.finished, c.broken = steps, 0, 0, 0, False
        self.first_result_epoch = c.epoch
        c.rates = &rates[0] if self.optimizer is not None else NULL
        c.rest.program = NULL
        for i, (plan, arrays) in enumerate(training):
            segment = &c.rest if i else &c.whole
            self.plans.append(plan)
            check_correct_counts(plan, self.correct_counts[:steps] if c.counted > 0 else None, steps)
            prepare(plan, &segment.call, arrays, self.optimizer, 0, -1, True, self.rows_needed)
            segment.program, segment.team = &plan.program, plan.team
            segment.call.seed = self.model._dropout_key
            segment.call.constants = plan.constants
        c.params, c.item = c.whole.program.params, c.whole.program.item
        c.draws = self.model._draws
        c.taken = self.optimizer.steps if self.optimizer is not None else 0
        if len(evaluated) > EVALUATED:
            raise ValueError(f"evaluated has {len(evaluated)} parts, expected at most {EVALUATED}: whole batches, and the rest")
        c.n_evaluated = <int>len(evaluated)
        longest = max([part[3] for part in evaluated], default=0)
        if self.val_losses is None or len(self.val_losses) <= longest:
            self.val_losses, self.val_correct_counts = np.empty(longest + 1), np.empty(longest + 1)
        place = self.val_losses
        c.val_losses = &place[0]
        place = self.val_correct_counts
        c.val_correct_counts = &place[0] if c.val_counted > 0 else NULL
        for i, (plan, arrays, first, segment_steps, weight) in enumerate(evaluated):
            segment = &c.evaluated[i]
            self.plans.append(plan)
            check_correct_counts(plan, self.val_correct_counts[:segment_steps] if c.val_counted > 0 else None,
                                 segment_steps)
            prepare(plan, &segment.call, arrays, None, 0, -1, False, first + segment_steps * plan.batch)
            segment.program, segment.team = &plan.program, plan.team
            segment.first, segment.steps, segment.weight = first, segment_steps, weight
        return self.prepare_early_stopping(stopping)

    cdef int most_threads(self) noexcept:
        """That there is work for in any plan of the call."""
        cdef Executable plan
        cdef int most = 1
        for plan in self.plans:
            most = max(most, plan.team)
        return most

    cdef int make_room(self, Py_ssize_t steps) except -1:
        """For what the next steps give, behind what those of the epoch at hand have given."""
        cdef TrainingState *c = &self.at
        cdef double[::1] place
        cdef Py_ssize_t room = c.step + max(c.steps, steps)
        begun = slice(c.base, c.base + c.step)
        place = self.losses = grown(self.losses, begun, room)
        c.losses = &place[0]
        if c.counted > 0:
            place = self.correct_counts = grown(self.correct_counts, begun, room)
            c.correct_counts = &place[0]
        if len(self.results) <= room // c.steps:
            self.results = np.empty((room // c.steps + 1, RESULTS))
        c.results = <double *>cnp.PyArray_DATA(self.results)
        return 0

    cdef int prepare_early_stopping(self, stopping) except -1:
        cdef EarlyStopping *early_stopping = &self.at.early_stopping
        early_stopping.monitored, early_stopping.best_epoch, early_stopping.best_params = -1, -1, NULL
        self.best_params = None
        if stopping is None:
            return 0
        stopping, early_stopping.monitored, early_stopping.higher_is_better = stopping
        early_stopping.min_delta = stopping.min_delta
        early_stopping.best = NAN if stopping.best is None else stopping.best
        early_stopping.patience, early_stopping.waited = min(math.ceil(stopping.patience),
                                                             PY_SSIZE_T_MAX), stopping.waited
        if stopping.restore_best:
            self.best_params = np.empty_like(self.model.params)
            early_stopping.best_params = <char *>cnp.PyArray_DATA(self.best_params)
            early_stopping.nbytes = self.best_params.nbytes
        return 0

    cdef object settle(self, stopping):
        """What belongs to the steps of a call that is over; see `run`. Nothing of it is Python's, so that Ctrl-C finds parameters
        and what is counted of them together."""
        cdef TrainingState *c = &self.at
        cdef EarlyStopping *early_stopping = &c.early_stopping
        if c.done < c.wanted and not c.stopped:
            return self.go_back()
        count(self.model, "_draws", c.done)
        PyObject_GenericSetAttr(self.model, "_epochs", self.first + c.epoch)
        if self.optimizer is not None:
            count(self.optimizer, "steps", c.done)
        if stopping is not None:
            stopping = stopping[0]
            if early_stopping.best_epoch >= 0:
                stopping._best = (early_stopping.best, self.first + early_stopping.best_epoch, self.best_params)
            stopping.waited = early_stopping.waited
            if c.stopped:
                stopping.stopped_epoch = self.first + c.epoch - 1
        return None

    cdef object go_back(self):
        """After a call that failed."""
        cdef TrainingState *c = &self.at
        loss, step, epochs, broken = c.losses[c.base + c.step], c.step, c.epoch - self.before_epoch, None
        if self.before is None:
            return loss, None, epochs, step
        try:
            if c.broken and isfinite(loss):
                broken = self.before.params.copy()
            return loss, broken, epochs, step
        finally:    # also where there is no memory for it
            self.before.restore()
            c.epoch, c.step, c.base, c.finished = self.before_epoch, 0, 0, 0

    cdef int release(self) except -1:
        """Forgets the arrays of the call."""
        cdef Executable plan
        for plan in self.plans:
            plan.bound.clear()
        self.plans.clear()
        return 0
