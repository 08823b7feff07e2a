"""Faults of the benchmarks and of the laboratory."""

from tests.faults import Fault

FIT = "tests/test_bench_fit.py::"

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
]
