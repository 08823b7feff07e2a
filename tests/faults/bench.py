"""Faults of the benchmarks and of the laboratory."""

from tests.faults import Fault

FIT, LAB = "tests/test_bench_fit.py::", "tests/test_lab_trials.py::"

FAULTS = [
    Fault(
        what="a training through fit goes on from where the last one ended",
        file="bench/peers/fastbp_fit.py",
        old="        self.model.params[:] = self.start\n",
        new="",
        red=(FIT + "test_a_run_is_whole_trainings_from_the_beginning[iris-5]",),
    ),
    Fault(
        what="early stopping that stops",
        file="bench/peers/fastbp_fit.py",
        old="fb.EarlyStopping(patience=epochs)",
        new="fb.EarlyStopping(patience=3)",
        red=(FIT + "test_validation_never_stops_a_training",),
    ),
    Fault(
        what="the last, smaller batch of an epoch is not counted among its steps",
        file="bench/cases.py",
        old="return -(-self.rows // self.batch)",
        new="return self.rows // self.batch",
        red=(FIT + "test_a_run_is_whole_trainings_from_the_beginning[iris-5]",),
    ),
    Fault(
        what="NumPy keeps the parameters of the largest validation loss",
        file="bench/peers/numpy.py",
        old="if value < self.least:",
        new="if value > self.least:",
        red=(FIT + "test_peers_judge_the_same_rows_at_the_end_of_an_epoch[numpy]",),
    ),
    Fault(
        what="fit is compared with its steps on another number of threads",
        file="bench/report.py",
        old='if c["name"] == name and c["threads"] == threads)',
        new='if c["name"] == name)',
        red=(FIT + "test_table_has_fit_over_steps_and_the_best_peer_over_fit",),
    ),
    Fault(
        what="another door to fastbp is taken for the best peer",
        file="bench/report.py",
        old=' if not name.startswith("fastbp")',
        new="",
        red=(FIT + "test_table_has_fit_over_steps_and_the_best_peer_over_fit",),
    ),
    Fault(
        what="a quick run waits for an epoch of wide2048",
        file="bench/run.py",
        old='        if long and worker.name == "fastbp_fit":\n            continue\n',
        new="",
        red=(FIT + "test_a_long_training_is_left_out_of_a_quick_run",),
    ),
    Fault(
        what="results that know nothing of fit are given its columns",
        file="bench/report.py",
        old='return any(c["name"] == "fastbp_fit" for case',
        new='return True or any(c["name"] == "fastbp_fit" for case',
        red=(FIT + "test_a_result_without_fit_has_no_columns_for_it",),
    ),
    Fault(
        what="the polynomial's gradient without its factor of two",
        file="bench/peers/numpy.py",
        old="np.multiply(self.grads, 2 / len(self.x), out=self.grads)",
        new="np.multiply(self.grads, 1 / len(self.x), out=self.grads)",
        red=(FIT + "test_gradient_of_the_baselines_curve", FIT + "test_curves_descend_alike[numpy]"),
    ),
    Fault(
        what="a trial whose rounds all begin with the same job",
        file="bench/lab/turns.py",
        old="for i in rotated(len(names), round_):",
        new="for i in range(len(names)):",
        red=(LAB + "test_jobs_take_turns_and_each_begins_a_round",),
    ),
    Fault(
        what="a trial's ratio of medians, instead of the median of ratios",
        file="bench/lab/turns.py",
        old="[a / b for a, b in zip(taken, first, strict=True)]",
        new="[a / min(first) for a in taken]",
        red=(LAB + "test_jobs_take_turns_and_each_begins_a_round",),
    ),
    Fault(
        what="the loop by hand in another order than that of fit",
        file="bench/lab/by_hand.py",
        old="seed=self.model.seed + epoch)",
        new="seed=self.model.seed + epoch + 1)",
        red=(LAB + "test_fit_and_a_loop_by_hand_have_the_same_bits",),
    ),
    Fault(
        what="bytes that are cast before are not scaled",
        file="bench/lab/casting.py",
        old="C *= np.float32(scale)",
        new="C *= np.float32(1)",
        red=(LAB + "test_cast_before_or_read_as_it_is_a_training_is_the_same[uint8]",),
    ),
    Fault(
        what="every process has the best ISA",
        file="bench/lab/isa.py",
        old='Worker("fastbp", options.threads, FASTBP_ISA=isa)',
        new='Worker("fastbp", options.threads, FASTBP_ISA=options.isas[0])',
        red=(LAB + "test_isas_run_in_processes_of_their_own",),
    ),
    Fault(
        what="vector functions that run into infinity",
        file="bench/lab/vector_functions.py",
        old="np.full(COLUMNS, -1.5, dtype)",
        new="np.full(COLUMNS, 0.5, dtype)",
        red=(LAB + "test_functions_are_those_of_numpy_and_stay_finite",),
    ),
    Fault(
        what="the last call of none is taken off, however long it was held up",
        file="bench/worker.py",
        old="self.idle = min(self.idle, times[1] - times[0])",
        new="self.idle = times[1] - times[0]",
        red=("tests/test_bench.py::test_a_pause_in_a_call_of_none_takes_nothing_off",),
    ),
]
