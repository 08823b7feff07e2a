"""Faults of what is wished for every day: values of one's own, training in parts, files that are no paths, data with
holes, data of other libraries."""

from tests.faults import Fault

LOGS, METRICS, PARTS = "tests/test_logs.py", "tests/test_metrics.py", "tests/test_training_in_parts.py"
COUNTS = "tests/test_counts.py"
GAPS, FRAMES = "tests/test_gaps.py", "tests/test_frames.py"

FAULTS = [
    Fault(
        what="a metric of one output has all differences of targets and predictions",
        file="fastbp/metrics.py",
        old="_locked(p[:, 0] if self.y.ndim == 1 and p.shape[1] == 1 else p), {}\n",
        new="_locked(p), {}\n",
        red=("tests/test_metrics.py::test_one_output_has_the_shape_of_its_targets",),
    ),
    Fault(
        what="partial_fit ignores what is of fit",
        file="fastbp/sklearn.py",
        old="            if value is not None and value != without:\n",
        new="            if False:\n",
        red=("tests/test_sklearn.py::test_partial_fit_refuses_what_it_would_ignore",),
    ),
    Fault(
        what="what callbacks put into logs does not reach the History",
        file="fastbp/loop.py",
        old="            history.amend(logs)\n",
        new="",
        red=(f"{LOGS}::test_what_a_callback_puts_is_in_the_history_and_seen_by_later_ones_alone",),
    ),
    Fault(
        what="a schedule is told of a callback's value before there is one",
        file="fastbp/loop.py",
        old="        late = optimizer.monitored(logs, calls.may_put) not in (None, *logs)\n",
        new="        late = False\n",
        red=(f"{LOGS}::test_a_plateau_waits_for_it",),
    ),
    Fault(
        what="a callback writes over what fit measured",
        file="fastbp/logs.py",
        old="    if wrong:\n        logs.update(own)\n",
        new="",
        red=(f"{LOGS}::test_what_fit_measured_stays",),
    ),
    Fault(
        what="less is better, whatever a name says",
        file="fastbp/logs.py",
        old="return False if words & _LESS else True if words & _MORE else None",
        new="return False",
        red=(f"{LOGS}::test_early_stopping_monitors_it_by_its_name",),
    ),
    Fault(
        what="a metric sees outputs before the loss's link",
        file="fastbp/train.py",
        old="self.metrics.of(self.model._linked(Y), when)",
        new="self.metrics.of(Y, when)",
        red=(f"{METRICS}::test_a_metric_is_of_the_targets_as_given_and_of_what_predict_says",),
    ),
    Fault(
        what="a metric writes into the targets",
        file="fastbp/metrics.py",
        old="    view = array.view()\n    view.flags.writeable = False\n",
        new="    view = array.view()\n",
        red=(f"{METRICS}::test_what_it_is_given_cannot_be_changed",),
    ),
    Fault(
        what="every fit begins with the order of the first epoch",
        file="fastbp/loop.py",
        old="    shuffled, before = (epochs, first if seed is None else 0)",
        new="    shuffled, before = (epochs, 0)",
        red=(f"{PARTS}::test_four_times_five_epochs_are_twenty",),
    ),
    Fault(
        what="a file has no count of dropout's masks",
        file="fastbp/counts.py",
        old='counts.get("draws", 0)',
        new="model._draws",
        red=(f"{PARTS}::test_four_times_five_epochs_are_twenty",),
    ),
    Fault(
        what="a seed of the call's own goes on, too",
        file="fastbp/loop.py",
        old="    shuffled, before = (epochs, first if seed is None else 0)",
        new="    shuffled, before = (epochs, first)",
        red=(f"{PARTS}::test_the_order_is_that_of_all_epochs_and_a_seed_of_its_own_begins_them_anew",),
    ),
    Fault(
        what="a pickled estimator forgets its optimizer",
        file="fastbp/sklearn.py",
        old="class MLPClassifier(ClassifierMixin, _MLP):\n",
        new="_MLP.__getstate__ = lambda self: {k: v for k, v in vars(self).items() if k != 'optimizer_'}\n\n\n"
        "class MLPClassifier(ClassifierMixin, _MLP):\n",
        red=(f"{PARTS}::test_an_estimators_partial_fits_are_its_fit",),
    ),
    Fault(
        what="what an open file did not take is lost",
        file="fastbp/streams.py",
        old="            done += count\n",
        new="            done = len(data)\n",
        red=("tests/test_streams.py::test_binary_files_of_all_kinds",),
    ),
    Fault(
        what="an open file is read to its end",
        file="fastbp/tensors.py",
        old="            data = read(file, end, shown)\n",
        new="            data = read(file, end + 1, shown)[:end]\n",
        red=("tests/test_streams.py::test_each_reads_its_own_and_leaves_the_rest",),
    ),
    Fault(
        what="a path that can write is taken for an open file",
        file="fastbp/streams.py",
        old="not isinstance(value, (str, bytes, os.PathLike)) and callable",
        new="callable",
        red=("tests/test_streams.py::test_str_bytes_and_path_likes_are_paths",),
    ),
    Fault(
        what="a gzip file's checksum is not looked at",
        file="fastbp/tensors.py",
        old="        file.peek(1)\n",
        new="        pass\n",
        red=("tests/test_tensors.py::test_a_gzip_file_that_is_damaged_or_cut_off",),
    ),
    Fault(
        what="the gradient of what is missing is NaN",
        file="csrc/losses.inc",
        old="vstore(dY + j, of_known(missing, t, factor * slope(y, t, p)));",
        new="vstore(dY + j, factor * slope(y, t, p));",
        red=(f"{GAPS}::test_gradients_are_those_of_central_differences",),
    ),
    Fault(
        what="infinite targets are missing as well",
        file="fastbp/check/gaps.py",
        old="    gaps = np.isnan(values)\n",
        new="    gaps = ~np.isfinite(values)\n",
        red=(f"{GAPS}::test_what_is_there_must_be_a_target",),
    ),
    Fault(
        what="an accuracy counts what is missing as wrong",
        file="fastbp/network.py",
        old="        return right[~np.isnan(targets)] if gaps else right\n",
        new="        return right\n",
        red=(f"{GAPS}::test_an_accuracy_is_of_the_targets_that_are_there",),
    ),
    Fault(
        what="an expression's inputs may be missing if they are a target as well",
        file="fastbp/derived.py",
        old="    return found - others\n",
        new="    return found\n",
        red=(f"{GAPS}::test_what_is_no_target_alone_may_not_be_missing",),
    ),
    Fault(
        what="a loss in small nodes multiplies by NaN",
        file="fastbp/products.py",
        old="    value = value if there is None else where(there, value, 0.0)\n",
        new="",
        red=(f"{GAPS}::test_hessians_of_expressions",),
    ),
    Fault(
        what="integers beside missing ones are objects",
        file="fastbp/check/frames.py",
        old='        return column.to_numpy(dtype="float64", na_value=np.nan)\n',
        new="        return np.asarray(column)\n",
        red=(f"{FRAMES}::test_columns_of_a_tables_own_dtypes_are_joined",),
    ),
    Fault(
        what="a message does not name a table's column",
        file="fastbp/check/arrays.py",
        old="({place_text(at)}{label_of(given, at)}), ",
        new="({place_text(at)}), ",
        red=(f"{FRAMES}::test_what_is_missing_is_named_by_its_column",),
    ),
    Fault(
        what="masked targets are to be filled",
        file="fastbp/check/targets.py",
        old="    elif isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):\n",
        new="    elif False:\n",
        red=(f"{FRAMES}::test_masked_targets_are_not_to_be_filled",),
    ),
    Fault(
        what="a plan keeps its counts where a file has none",
        file="fastbp/counts.py",
        old='    model.epochs = counts.get("epochs", 0)\n    model._draws = counts.get("draws", 0)',
        new='    model.epochs = counts.get("epochs", model.epochs)\n'
        '    model._draws = counts.get("draws", model._draws)',
        red=(f"{COUNTS}::test_the_file_of_an_untrained_plan_begins_anew",),
    ),
    Fault(
        what="0 epochs go on with dropout's masks",
        file="fastbp/counts.py",
        old="    if not value:\n",
        new="    if False:\n",
        red=(f"{COUNTS}::test_0_epochs_begin_anew_with_the_first_orders_and_masks",),
    ),
    Fault(
        what="0 epochs of a copy rewind the masks of a loop by hand",
        file="fastbp/counts.py",
        old='    model.epochs = counts.get("epochs", 0)\n    model._draws = counts.get("draws", 0)',
        new='    model._draws = counts.get("draws", 0)\n    model.epochs = counts.get("epochs", 0)',
        red=(f"{COUNTS}::test_copies_of_what_was_trained_by_hand_alone_have_its_masks",),
    ),
    Fault(
        what="a count of epochs is whatever it is set to",
        file="fastbp/counts.py",
        old='    value = check.integer("epochs", value, minimum=0, maximum=2**62)\n',
        new="",
        red=(f"{COUNTS}::test_epochs_are_set_to_an_int_of_pythons", f"{COUNTS}::test_what_is_no_count_is_refused"),
    ),
]
