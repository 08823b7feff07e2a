"""Faults of what is wished for every day: values of one's own, training in parts, files that are no paths, data with
holes, data of other libraries."""

from tests.faults import Fault

LOGS, METRICS, PARTS = (
    "tests/check/test_logs.py",
    "tests/training/test_metrics.py",
    "tests/training/test_training_in_parts.py",
)
COUNTS, MONITORS = "tests/training/test_trainable.py", "tests/check/test_monitors.py"
MISSING, FRAMES = "tests/check/test_missing.py", "tests/check/test_frames.py"

FAULTS = [
    Fault(
        what="each epoch of a History costs as much as there were epochs",
        file="fastbp/callbacks.py",
        old="        if name not in self.history:\n            self.history[name] = [math.nan] * len(self.epoch)\n"
            "        return self.history[name]\n",
        new="        return self.history.setdefault(name, [math.nan] * len(self.epoch))\n",
        red=("tests/test_callbacks.py::test_an_epoch_costs_the_same_however_many_there_were",),
    ),
    Fault(
        what="a metric of one output has all differences of targets and predictions",
        file="fastbp/_training/metrics.py",
        old="_locked(p[:, 0] if self.y.ndim == 1 and p.shape[1] == 1 else p), {}\n",
        new="_locked(p), {}\n",
        red=("tests/training/test_metrics.py::test_one_output_has_the_shape_of_its_targets",),
    ),
    Fault(
        what="partial_fit ignores what is of fit",
        file="fastbp/sklearn/_base.py",
        old="                if (value := getattr(self, name)) not in (None, False):\n",
        new="                if (value := getattr(self, name)) is self:\n",
        red=("tests/test_sklearn.py::test_partial_fit_refuses_what_it_would_ignore",),
    ),
    Fault(
        what="what callbacks put into logs does not reach the History",
        file="fastbp/_training/loop.py",
        old="            history.amend(logs)\n",
        new="",
        red=(f"{LOGS}::test_what_a_callback_puts_is_in_the_history_and_seen_by_later_ones_alone",),
    ),
    Fault(
        what="a schedule is told of a callback's value before there is one",
        file="fastbp/_training/loop.py",
        old="        late = optimizer.monitored(calls.names, calls.undeclared) not in (None, *logs)\n",
        new="        late = False\n",
        red=(f"{LOGS}::test_a_plateau_waits_for_it",),
    ),
    Fault(
        what="a callback writes over what fit measured",
        file="fastbp/_check/logs.py",
        old="    if wrong:\n        logs.update(own)\n",
        new="",
        red=(f"{LOGS}::test_what_fit_measured_stays",),
    ),
    Fault(
        what="less is better, whatever a name says",
        file="fastbp/_check/logs.py",
        old="return False if words & _LESS else True if words & _MORE else None",
        new="return False",
        red=(f"{LOGS}::test_early_stopping_monitors_it_by_its_name",),
    ),
    Fault(
        what="a metric sees outputs before the loss's link",
        file="fastbp/_training/network_fit.py",
        old="self.metrics.of(self.model._linked(self.Y.copy()), when)",
        new="self.metrics.of(self.Y.copy(), when)",
        red=(f"{METRICS}::test_a_metric_is_of_the_targets_as_given_and_of_what_predict_says",),
    ),
    Fault(
        what="a metric writes into the targets",
        file="fastbp/_training/metrics.py",
        old="    view = array.view()\n    view.flags.writeable = False\n",
        new="    view = array.view()\n",
        red=(f"{METRICS}::test_what_it_is_given_cannot_be_changed",),
    ),
    Fault(
        what="every fit begins with the order of the first epoch",
        file="fastbp/_training/loop.py",
        old="    shuffled, before = (epochs, first if seed is None else 0)",
        new="    shuffled, before = (epochs, 0)",
        red=(f"{PARTS}::test_four_times_five_epochs_are_twenty",),
    ),
    Fault(
        what="a file has no count of dropout's masks",
        file="fastbp/_training/trainable.py",
        old='counts.get("draws", 0)',
        new="self._draws",
        red=(f"{PARTS}::test_four_times_five_epochs_are_twenty",),
    ),
    Fault(
        what="a seed of the call's own goes on, too",
        file="fastbp/_training/loop.py",
        old="    shuffled, before = (epochs, first if seed is None else 0)",
        new="    shuffled, before = (epochs, first)",
        red=(f"{PARTS}::test_the_order_is_that_of_all_epochs_and_a_seed_of_its_own_begins_them_anew",),
    ),
    Fault(
        what="a pickled estimator forgets its optimizer",
        file="fastbp/sklearn/_classifier.py",
        old="class MLPClassifier(ClassifierMixin, MultilayerPerceptron):\n",
        new="MultilayerPerceptron.__getstate__ = lambda self: "
        "{**vars(self), 'optimizer_': self.optimizer_.fresh()}\n\n\n"
        "class MLPClassifier(ClassifierMixin, MultilayerPerceptron):\n",
        red=(f"{PARTS}::test_an_estimators_partial_fits_are_its_fit",),
    ),
    Fault(
        what="what an open file did not take is lost",
        file="fastbp/_files/streams.py",
        old="            done += count\n",
        new="            done = len(data)\n",
        red=("tests/files/test_streams.py::test_binary_files_of_all_kinds",),
    ),
    Fault(
        what="an open file is read to its end",
        file="fastbp/_files/tensors.py",
        old="            data = np.frombuffer(self._read(self.size), np.uint8)\n",
        new="            data = np.frombuffer(self._read(self.size + 1)[: self.size], np.uint8)\n",
        red=("tests/files/test_streams.py::test_each_reads_its_own_and_leaves_the_rest",),
    ),
    Fault(
        what="a path that can write is taken for an open file",
        file="fastbp/_files/streams.py",
        old="not isinstance(value, (str, bytes, os.PathLike)) and callable",
        new="callable",
        red=("tests/files/test_paths.py::test_str_bytes_and_path_likes_are_paths",),
    ),
    Fault(
        what="a gzip file's checksum is not looked at",
        file="fastbp/_files/tensors.py",
        old="            self.file.peek(1)\n",
        new="            pass\n",
        red=("tests/files/test_tensors.py::test_a_gzip_file_that_is_damaged_or_cut_off",),
    ),
    Fault(
        what="the gradient of what is missing is NaN",
        file="csrc/losses.inc",
        old="vstore(dY + j, of_known(missing, t, factor * slope(y, t, p)));",
        new="vstore(dY + j, factor * slope(y, t, p));",
        red=(f"{MISSING}::test_gradients_are_those_of_central_differences",),
    ),
    Fault(
        what="infinite targets are missing as well",
        file="fastbp/_check/missing.py",
        old="    missing = np.isnan(values)\n",
        new="    missing = ~np.isfinite(values)\n",
        red=(f"{MISSING}::test_what_is_there_must_be_a_target",),
    ),
    Fault(
        what="an accuracy counts what is missing as wrong",
        file="fastbp/_training/accuracy.py",
        old="~np.isnan(targets)",
        new="np.ones(targets.shape, bool)",
        red=(f"{MISSING}::test_an_accuracy_is_of_the_targets_that_are_there",),
    ),
    Fault(
        what="an expression's inputs may be missing if they are a target as well",
        file="fastbp/_ir/analysis.py",
        old="    return found - others\n",
        new="    return found\n",
        red=(f"{MISSING}::test_what_is_no_target_alone_may_not_be_missing",),
    ),
    Fault(
        what="a loss in small nodes multiplies by NaN",
        file="fastbp/_ir/nn.py",
        old="    value = value if there is None else where(there, value, 0.0)\n",
        new="",
        red=(f"{MISSING}::test_hessians_of_expressions",),
    ),
    Fault(
        what="integers beside missing ones are objects",
        file="fastbp/_check/frames.py",
        old='        made: Array = column.to_numpy(dtype="float64", na_value=np.nan)\n',
        new="        return np.asarray(column)\n",
        red=(f"{FRAMES}::test_columns_of_a_tables_own_dtypes_are_joined",),
    ),
    Fault(
        what="a message does not name a table's column",
        file="fastbp/_check/arrays.py",
        old="({place_text(at)}{label_of(given, at)})\"\n",
        new="({place_text(at)})\"\n",
        red=(f"{FRAMES}::test_what_is_missing_is_named_by_its_column",),
    ),
    Fault(
        what="masked targets are to be filled",
        file="fastbp/_check/targets.py",
        old="    elif isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):\n",
        new="    elif False:\n",
        red=(f"{FRAMES}::test_masked_targets_are_not_to_be_filled",),
    ),
    Fault(
        what="a plan keeps its counts where a file has none",
        file="fastbp/_training/trainable.py",
        old='        self.epochs = counts.get("epochs", 0)\n        self._draws = counts.get("draws", 0)',
        new='        self.epochs = counts.get("epochs", self.epochs)\n'
        '        self._draws = counts.get("draws", self._draws)',
        red=(f"{COUNTS}::test_the_file_of_an_untrained_plan_begins_anew",),
    ),
    Fault(
        what="0 epochs go on with dropout's masks",
        file="fastbp/_training/trainable.py",
        old="        if not value:\n",
        new="        if False:\n",
        red=(f"{COUNTS}::test_0_epochs_begin_anew_with_the_first_orders_and_masks",),
    ),
    Fault(
        what="0 epochs of a copy rewind the masks of a loop by hand",
        file="fastbp/_training/trainable.py",
        old='        self.epochs = counts.get("epochs", 0)\n        self._draws = counts.get("draws", 0)',
        new='        self._draws = counts.get("draws", 0)\n        self.epochs = counts.get("epochs", 0)',
        red=(f"{COUNTS}::test_copies_of_what_was_trained_by_hand_alone_have_its_masks",),
    ),
    Fault(
        what="a count of epochs is whatever it is set to",
        file="fastbp/_training/trainable.py",
        old='        value = check.integer("epochs", value, minimum=0, maximum=2**62)\n',
        new="",
        red=(f"{COUNTS}::test_epochs_are_set_to_an_int_of_pythons", f"{COUNTS}::test_what_is_no_count_is_refused"),
    ),
    Fault(
        what="the rest is copied for each part that an open file takes",
        file="fastbp/_files/streams.py",
        old="memoryview(data)[done:]",
        new="data[done:]",
        red=("tests/files/test_streams.py::test_the_rest_is_not_copied_for_each_part_that_is_written",),
    ),
    Fault(
        what="an error of a class of somebody's is another one",
        file="fastbp/_files/streams.py",
        old="    try:\n        told = type(error)(text)\n    except Exception:  # a class of somebody's with arguments "
        "of its own\n        told = OSError(text)\n",
        new="    told = type(error)(text)\n",
        red=("tests/files/test_streams.py::test_an_error_with_arguments_of_its_own_is_told_as_an_oserror",),
    ),
    Fault(
        what="a picture goes into an open file as matplotlib writes it",
        file="fastbp/_files/streams.py",
        old="    if isinstance(path, str):\n        draw(path)\n",
        new="    if True:\n        draw(path)\n",
        red=(
            "tests/plot/test_training.py::test_an_open_file_has_all_of_a_png_whatever_the_settings_of_matplotlib",
            "tests/plot/test_curve.py::test_an_open_file_that_takes_a_part_at_a_time_has_all_of_the_animation",
        ),
    ),
    Fault(
        what="R squared is a number where targets do not differ",
        file="fastbp/cli/scores.py",
        old=" if total > 0 and (y != y[0]).any() else None",
        new=" if total > 0 else None",
        red=("tests/cli/test_scores.py::test_a_quantity",),
    ),
    Fault(
        what="only fields of a dataclass are settings",
        file="fastbp/_check/names.py",
        old="    _, *taken = inspect",
        new="    if '__dataclass_params__' in vars(cls):\n"
        "        raise TypeError(_no_setting(cls.__name__, min(given), settings_of(cls)))\n"
        "    _, *taken = inspect",
        red=("tests/check/test_names.py::test_what_an_init_takes_is_a_setting",),
    ),
    Fault(
        what="what a decorated init takes is what it did before",
        file="fastbp/_check/names.py",
        old=", follow_wrapped=False",
        new="",
        red=("tests/check/test_names.py::test_what_an_init_takes_is_a_setting",),
    ),
    Fault(
        what="a name says that more is better, though it is negated",
        file="fastbp/_check/logs.py",
        old="    if words & _TURNS or _NEGATED.search(name):\n        return None\n",
        new="",
        red=(
            f"{LOGS}::test_a_name_may_say_whether_more_is_better",
            f"{LOGS}::test_so_it_is_for_early_stopping_and_for_plateaus",
        ),
    ),
    Fault(
        what="less is better for a plateau, whatever the name says",
        file="fastbp/schedules.py",
        old="-float(value) if self._rises() else",
        new="-float(value) if self.mode == 'max' else",
        red=(f"{LOGS}::test_a_plateau_goes_by_the_name_as_well",),
    ),
    Fault(
        what="after a function any name may be monitored",
        file="fastbp/_check/logs.py",
        old=" and monitor not in BUILT_IN and not any(_slip(monitor, name) for name in names)",
        new=" and monitor not in RESERVED",
        red=(f"{MONITORS}::test_it_is_refused_before_the_first_step",),
    ),
    Fault(
        what="a callback without the hook that is given logs may put values there",
        file="fastbp/callbacks.py",
        old='            elif getattr(callback.on_epoch_end, "__func__", None) not in _PUT_NOTHING:\n',
        new="            else:\n",
        red=(f"{MONITORS}::test_it_is_refused_before_the_first_step",),
    ),
]
