"""Faults of training: what is counted, validated, said to the user and refused."""

from tests.faults import Fault

INTERRUPTED, TELLS, CALLBACKS = (
    "tests/training/test_interrupted.py",
    "tests/training/test_fit_tells.py",
    "tests/test_callbacks.py",
)

FAULTS = [
    Fault(
        what="a call that broke a parameter leaves it to Python to go back",
        file="fastbp/_core/epochs.pyx",
        old="            self.before.restore()\n",
        new="            pass\n",
        red=(f"{INTERRUPTED}::test_going_back_to_the_last_good_step_is_interrupted_between_two_steps",),
    ),
    Fault(
        what="draws are counted before the pass that draws",
        file="fastbp/_compiler/plan_cache.py",
        old="            dropout = model._dropout_key, model._draws\n",
        new="            dropout, model._draws, model = (model._dropout_key, model._draws), model._draws + 1, None\n",
        red=(f"{INTERRUPTED}::test_a_loop_by_hand_is_interrupted_before_or_after_a_call_and_never_within",),
    ),
    Fault(
        what="a History's lists grow one by one",
        file="fastbp/callbacks.py",
        old="        deque(map(list.append, lists, [epoch, *values]), maxlen=0)\n",
        new="        for each, value in zip(lists, [epoch, *values], strict=True):\n"
        "            each.append(value)\n",
        red=(f"{INTERRUPTED}::test_fit_is_interrupted_between_two_steps_wherever_it_is",),
    ),
    Fault(
        what="the best value and epoch are noted before the parameters are copied",
        file="fastbp/callbacks.py",
        old="            self._best = (value, epoch, net.params.copy() if self.restore_best else None)\n",
        new="            self._best = (value, epoch, self._best[2])\n"
        "            self._best = (value, epoch, net.params.copy() if self.restore_best else None)\n",
        red=(f"{INTERRUPTED}::test_the_best_parameters_are_put_back_whenever_it_comes",),
    ),
    Fault(
        what="a plateau's memory changes bit by bit",
        file="fastbp/schedules.py",
        old="        self.__dict__.update(current=current, _best=best, _waited=waited, _cooling=cooling)\n",
        new="        self.current, self._best, self._waited, self._cooling = current, best, waited, cooling\n",
        red=(f"{INTERRUPTED}::test_a_plateau_is_seen_whole_or_not_at_all",),
    ),
    Fault(
        what="a column whose deviation is not finite is trained on",
        file="fastbp/datasets/tables.py",
        old="finite = np.isfinite(mean) & np.isfinite(scale)",
        new="finite = np.isfinite(mean)",
        red=("tests/cli/test_command.py::test_what_could_not_be_saved_is_refused_before_it_is_trained",),
    ),
    Fault(
        what="quantities beyond float32 are trained on",
        file="fastbp/cli/train.py",
        old="not np.isfinite([mean, deviation]).all() or largest > limit",
        new="not np.isfinite([mean, deviation]).all()",
        red=("tests/cli/test_command.py::test_what_could_not_be_saved_is_refused_before_it_is_trained",),
    ),
    Fault(
        what="class_weight weighs what is held out",
        file="fastbp/_training/network_fit.py",
        old="None if weights is None else weights[edge:]]",
        new="None if by_class is None else by_class[edge:]]",
        red=(f"{TELLS}::test_the_same_rows_have_the_same_val_loss_in_both_ways",),
    ),
    Fault(
        what="the rate of an epoch is that of a later step",
        file="fastbp/_core/training_state.pyx",
        old="            state.lr = state.rates[state.done] if state.rates is not NULL else 0\n"
            "            make_order(state)",
        new="            state.lr = state.rates[state.wanted - 1] if state.rates is not NULL else 0\n"
            "            make_order(state)",
        red=(f"{TELLS}::test_the_rate_of_an_epoch_is_that_of_its_first_step",),
    ),
    Fault(
        what="NumPy's True does not stop",
        file="fastbp/callbacks.py",
        old="                stop |= bool(answer)\n",
        new="                stop |= answer is True\n",
        red=(f"{CALLBACKS}::test_only_true_stops",),
    ),
    Fault(
        what="any answer goes",
        file="fastbp/_check/hooks.py",
        old="    return value is None or isinstance(value, (bool, np.bool_))",
        new="    return True",
        red=(f"{CALLBACKS}::test_any_other_answer_is_an_error_and_all_hear_of_the_event",),
    ),
    Fault(
        what="the first callback that fails at the end is the last one that hears of it",
        file="fastbp/callbacks.py",
        old="                raised.append(error)\n",
        new="                raise\n",
        red=(f"{CALLBACKS}::test_all_hear_of_the_end_whatever_one_of_them_raises",),
    ),
    Fault(
        what="words of other libraries' hooks are not known",
        file="fastbp/_check/hooks.py",
        old="            plain = plain.replace(word, ours)\n",
        new="            plain = plain + word[:0] + ours[:0]\n",
        red=(f"{CALLBACKS}::test_a_method_that_is_called_almost_as_a_hook_is_warned_of",),
    ),
    Fault(
        what="seeds wrap at 2^64",
        file="fastbp/_check/numbers.py",
        old="    result = integer(name, value, minimum=0, maximum=SEEDS - 1)\n",
        new="    result = integer(name, value, minimum=0) % SEEDS\n",
        red=(f"{TELLS}::test_seeds_end_where_they_would_begin_again",),
    ),
    Fault(
        what="the seeds of later epochs wrap at 2^64",
        file="fastbp/_check/numbers.py",
        old="    if result + before + epochs > SEEDS:\n",
        new="    if result + before + 1 > SEEDS:\n",
        red=(f"{TELLS}::test_the_seed_of_every_epoch_is_one",),
    ),
    Fault(
        what="rows of several ones are classes",
        file="fastbp/_check/targets.py",
        old=" or not (piece.sum(axis=1) == 1).all():\n            return False\n    return len(y) > 0\n",
        new=":\n            return False\n    return len(y) > 0\n",
        red=(f"{TELLS}::test_rows_that_are_not_all_one_hot_are_numbers",),
    ),
    Fault(
        what="one-hot rows of a quadratic cost are numbers",
        file="fastbp/_training/accuracy.py",
        old="    if loss.one_hot and units > 1 and check.one_hot(targets, loss.ignores_missing):\n",
        new="    if targets is None:\n",
        red=(f"{TELLS}::test_one_hot_rows_have_the_history_of_their_labels",),
    ),
    Fault(
        what="a bar is opened on any stream",
        file="fastbp/_training/progress.py",
        old="        if show is False or not _can_be_written_to(sys.stderr):\n",
        new="        if show is False:\n",
        red=("tests/training/test_progress.py::test_no_stream_ends_a_training",),
    ),
    Fault(
        what="a notebook is no terminal",
        file="fastbp/_training/progress.py",
        old='    return "IPKernelApp" in (getattr(shell, "config", None) or ())\n',
        new="    return shell is not None and is_terminal(sys.stderr)\n",
        red=("tests/training/test_progress.py::test_a_notebook_has_a_bar_unasked_and_says_nothing_of_widgets",),
    ),
    Fault(
        what="a layer is dead where some samples are",
        file="fastbp/_training/hints.py",
        old="*(slice(first, first + ROWS) for first in range(0, n, ROWS))]\n",
        new="*(slice(first, first + ROWS) for first in range(0, 0, ROWS))]\n",
        red=("tests/training/test_hints.py::test_a_layer_that_lives_for_one_sample_is_not_dead",),
    ),
    Fault(
        what="who goes on training is told of large inputs",
        file="fastbp/_training/hints.py",
        old=" or optimizer.steps != len(history.epoch) * history.params[\"steps\"]:\n",
        new=":\n",
        red=("tests/training/test_hints.py::test_the_scale_of_the_network_counts_and_who_goes_on_is_left_alone",),
    ),
    Fault(
        what="a layer without a gradient in the last batch is dead, and one with one is looked at for nothing",
        file="fastbp/_training/hints.py",
        old=" and not any(gradient.any()",
        new=" and any(gradient.any()",
        red=("tests/training/test_hints.py::test_a_dead_layer_is_named",),
    ),
    Fault(
        what="indices count as large inputs",
        file="fastbp/_training/hints.py",
        old=" if array.dtype.kind == \"f\" or array.dtype.itemsize == 1}\n",
        new="}\n",
        red=("tests/training/test_hints.py::test_indices_of_an_expression_are_not_sizes",),
    ),
    Fault(
        what="labels in order are not looked at",
        file="fastbp/_training/network_fit.py",
        old="        if self.split and self.target_type is not None:\n",
        new="        if self.split and self.target_type is None:\n",
        red=("tests/training/test_hints.py::test_labels_in_order_are_warned_of_before_the_first_step",),
    ),
    Fault(
        what="estimators split into a part of nothing",
        file="fastbp/_training/splits.py",
        old="    if not 0 < count < n:",
        new="    if not 0 <= count <= n:",
        red=("tests/test_sklearn.py::test_a_part_of_nothing_is_refused",),
    ),
    Fault(
        what="a loss at a pole is not told from penalties",
        file="fastbp/_training/finite.py",
        old="    if not math.isfinite(net._outputs(X, targets, labels, weights)[1]):\n",
        new="    if not math.isfinite(0.0 * len(X)):\n",
        red=(f"{TELLS}::test_a_loss_that_is_not_finite_names_its_cause",),
    ),
]
