"""The entrance of training: a call takes some steps of an epoch, or all of several epochs, without the GIL.

What they give does not depend on how they are cut into calls.
"""
from libc.math cimport NAN, isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from cpython.object cimport PyObject_GenericSetAttr
cimport numpy as cnp
from fastbp._core cimport cpu
from fastbp._core.executable cimport Executable
from fastbp._core.stopping cimport EarlyStopping
from fastbp._core cimport teams
from fastbp._core.calls cimport Snapshot, check_correct_counts, count, prepare
from fastbp._core.training_state cimport EVALUATED, RESULTS, Segment, TrainingState, make_order, run_epochs
from fastbp._core.updates cimport Penalty

import math

import numpy as np

cnp.import_array()

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX

# of the results of an epoch, in the order of Result
NAMES = ("loss", "accuracy", "lr", "seconds", "samples_per_second", "val_loss", "val_accuracy")
assert len(NAMES) == RESULTS


def grown(old, begun, room):
    """An array of `room` numbers or more, of which those of `old` that the slice `begun` names are the first."""
    new = old if len(old) >= room else np.empty(room)
    new[:begun.stop - begun.start] = old[begun]
    return new


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
        cdef TrainingState *state = &self.at
        cdef int64_t[::1] numbers
        cdef Py_ssize_t i
        memset(state, 0, sizeof(TrainingState))
        self.model, self.optimizer, self.plans = model, optimizer, []
        self.first, self.trained = model.epochs, model._epochs_of_all
        state.n, state.batch, state.seed = n, batch, seed
        state.whole.steps, state.rest.steps = n // batch, 1
        state.whole.weight, state.rest.weight = batch / <double>n, n % batch / <double>n
        state.steps = state.whole.steps + (rest and n % batch > 0)
        state.shuffled, state.counted, state.val_counted = shuffled and batch < n, counted, val_counted
        state.early_stopping.monitored = -1
        self.rows_needed = n
        if rows is not None:
            self.rows = numbers = np.array(rows, np.int64)      # a copy, which nobody can change
            state.rows = &numbers[0]
            self.rows_needed = rows.max() + 1
        if state.shuffled or rows is not None:
            self.order = numbers = np.array(rows, np.int64) if rows is not None else np.arange(n, dtype=np.int64)
            state.order = &numbers[0]
        self.losses = self.correct_counts = self.results = np.empty(0)
        self.penalties = <Penalty *>calloc(max(1, len(penalties)), sizeof(Penalty))
        if self.penalties is NULL:
            raise MemoryError("no memory for penalties")
        for i, (begin, size, l1, l2) in enumerate(penalties):
            self.penalties[i] = Penalty(begin, size, l1, l2)
        state.penalties, state.n_penalties = self.penalties, <int>len(penalties)

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

    def set_order(self, order, penalty_factors=None, double penalty_weight=1):
        """What the epoch at hand, and those that follow it, are like, until this is called again.

        order: int64 (n,), the rows in their order, of a training that was given `rows` and does not shuffle; or None, as it is.
        penalty_factors: float64 (steps,), by which the penalties count in each step of an epoch, or None for 1; the losses
        then count what they are times penalty_weight. ValueError where they are not so, with nothing changed."""
        cdef TrainingState *state = &self.at
        cdef double[::1] factors
        if order is not None:
            if self.order is None or state.shuffled:
                raise ValueError("order is given to a training without rows, or that shuffles, expected None; make it with rows")
            order = np.asarray(order)
            if order.dtype != np.int64 or order.shape != (state.n,) or order.min() < 0 or order.max() >= self.rows_needed:
                raise ValueError(f"order is {order.dtype} {order.shape}, expected int64 ({state.n},) of rows below "
                                 f"{self.rows_needed}; pass a permutation of the rows")
        if penalty_factors is not None:
            penalty_factors = np.array(penalty_factors, np.float64)
            if penalty_factors.shape != (state.steps,) or not np.isfinite(penalty_factors).all():
                raise ValueError(f"penalty_factors is {penalty_factors.shape}, expected finite numbers ({state.steps},), one for "
                                 "each step of an epoch; pass as many")
        if order is not None:
            self.order[...] = order
        self.penalty_factors, state.penalty_factors, state.penalty_weight = penalty_factors, NULL, penalty_weight
        if penalty_factors is not None:
            factors = penalty_factors
            state.penalty_factors = &factors[0]

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
        """Between two calls: one that fails in an epoch that begins, or goes on, here goes back to what training has made of
        model and optimizer by now."""
        self.before, self.before_epoch, self.before_step = Snapshot(self.model, self.optimizer), self.at.epoch, self.at.step

    def epoch_at_hand(self):
        """What is known of the epoch at hand: (its first rate, the seconds since it began, the losses of its steps, how many
        answers were correct in each, where these are counted)."""
        if self.at.step == 0:
            return 0.0, 0.0, np.empty(0), np.empty(0)
        taken = slice(self.at.base, self.at.base + self.at.step)
        return self.at.lr, teams.seconds() - self.at.begun, self.losses[taken].copy(), self.correct_counts[taken].copy()

    def go_on(self, Py_ssize_t first, Py_ssize_t epoch, Py_ssize_t step, double lr, double seconds, losses, correct_counts):
        """Goes on where another one stood, before the first call: after `epoch` epochs and `step` steps of the next, of which
        `epoch_at_hand` told the rest. first: the epochs that the model had before that training."""
        cdef TrainingState *state = &self.at
        if not 0 <= step < state.steps or len(losses) != step or len(correct_counts) != (step if state.counted > 0 else 0):
            raise ValueError(f"step is {step} with {len(losses)} losses, expected one for each of fewer than {state.steps} "
                             "steps; pass those of the epoch at hand")
        self.first, self.trained, self.others = first, self.model._epochs_of_all, 0
        state.epoch, state.step, self.first_result_epoch = epoch, step, epoch
        state.lr, state.begun = lr, teams.seconds() - seconds
        self.losses, self.correct_counts = np.array(losses, np.float64), np.array(correct_counts, np.float64)
        if step > 0:
            make_order(state)
        self.remember()

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
        cdef TrainingState *state = &self.at
        cdef Segment *segment
        cdef double[::1] place
        cdef Py_ssize_t longest
        cdef Executable plan
        cdef int i
        self.make_room(steps)
        state.wanted, state.done, state.base, state.finished, state.broken = steps, 0, 0, 0, False
        self.first_result_epoch = state.epoch
        state.rates = &rates[0] if self.optimizer is not None else NULL
        state.rest.program = NULL
        for i, (plan, arrays) in enumerate(training):
            segment = &state.rest if i else &state.whole
            self.plans.append(plan)
            check_correct_counts(plan, self.correct_counts[:steps] if state.counted > 0 else None, steps)
            prepare(plan, &segment.call, arrays, self.optimizer, 0, -1, True, self.rows_needed)
            segment.program, segment.team = &plan.program, plan.team
            segment.call.seed = self.model._dropout_key
            segment.call.constants = plan.constants
        state.params, state.item = state.whole.program.params, state.whole.program.item
        state.draws = self.model._draws
        state.taken = self.optimizer.steps if self.optimizer is not None else 0
        if len(evaluated) > EVALUATED:
            raise ValueError(f"evaluated has {len(evaluated)} parts, expected at most {EVALUATED}: whole batches, and the rest")
        state.n_evaluated = <int>len(evaluated)
        longest = max([part[3] for part in evaluated], default=0)
        if self.val_losses is None or len(self.val_losses) <= longest:
            self.val_losses, self.val_correct_counts = np.empty(longest + 1), np.empty(longest + 1)
        place = self.val_losses
        state.val_losses = &place[0]
        place = self.val_correct_counts
        state.val_correct_counts = &place[0] if state.val_counted > 0 else NULL
        for i, (plan, arrays, first, segment_steps, weight) in enumerate(evaluated):
            segment = &state.evaluated[i]
            self.plans.append(plan)
            check_correct_counts(plan, self.val_correct_counts[:segment_steps] if state.val_counted > 0 else None,
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
        cdef TrainingState *state = &self.at
        cdef double[::1] place
        cdef Py_ssize_t room = state.step + max(state.steps, steps)
        begun = slice(state.base, state.base + state.step)
        place = self.losses = grown(self.losses, begun, room)
        state.losses = &place[0]
        if state.counted > 0:
            place = self.correct_counts = grown(self.correct_counts, begun, room)
            state.correct_counts = &place[0]
        if len(self.results) <= room // state.steps:
            self.results = np.empty((room // state.steps + 1, RESULTS))
        state.results = <double *>cnp.PyArray_DATA(self.results)
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
        cdef TrainingState *state = &self.at
        cdef EarlyStopping *early_stopping = &state.early_stopping
        if state.done < state.wanted and not state.stopped:
            return self.go_back()
        count(self.model, "_draws", state.done)
        self.others += self.model._epochs_of_all - self.trained
        count(self.model, "_epochs_of_all", state.epoch - self.first_result_epoch)
        self.trained = self.model._epochs_of_all
        PyObject_GenericSetAttr(self.model, "_epochs", self.first + self.others + state.epoch)
        if self.optimizer is not None:
            count(self.optimizer, "steps", state.done)
        if stopping is not None:
            stopping = stopping[0]
            if early_stopping.best_epoch >= 0:
                stopping._best = (early_stopping.best, self.first + early_stopping.best_epoch, self.best_params)
            stopping.waited = early_stopping.waited
            if state.stopped:
                stopping.stopped_epoch = self.first + state.epoch - 1
        return None

    cdef object go_back(self):
        """After a call that failed."""
        cdef TrainingState *state = &self.at
        loss, step, epochs, broken = state.losses[state.base + state.step], state.step, state.epoch - self.before_epoch, None
        if self.before is None:
            return loss, None, epochs, step
        try:
            if state.broken and isfinite(loss):
                broken = self.before.params.copy()
            return loss, broken, epochs, step
        finally:    # also where there is no memory for it
            self.before.restore()
            state.epoch, state.step, state.base, state.finished = self.before_epoch, self.before_step, 0, 0

    cdef int release(self) except -1:
        """Forgets the arrays of the call."""
        cdef Executable plan
        for plan in self.plans:
            plan.bound.clear()
        self.plans.clear()
        return 0
