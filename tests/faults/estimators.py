"""The estimators of scikit-learn's kind, and what the engine has for them."""

from tests.faults import Fault

SAME = "tests/estimators/test_same_numbers.py::"
SETTINGS = "tests/estimators/test_estimator_settings.py::"
ORDER = "tests/core/test_set_order.py::"

FAULTS = [
    Fault(
        what="a penalty's gradient has no factor",
        file="fastbp/_core/updates.pyx",
        old="factor * range_.l1, factor * range_.l2)",
        new="range_.l1, range_.l2)",
        red=(f"{ORDER}test_orders_and_factors_are_those_of_the_steps", f"{SAME}test_settings_agree"),
    ),
    Fault(
        what="the factors of a call in the middle of an epoch are those of its beginning",
        file="fastbp/_core/training_state.pyx",
        old="state.penalty_factors + state.step if",
        new="state.penalty_factors if",
        red=(f"{ORDER}test_orders_and_factors_are_those_of_the_steps",),
    ),
    Fault(
        what="the epsilon hat is corrected",
        file="fastbp/_core/executor.pyx",
        old="-constants[H_EPS] / sqrt(hyper[H_CORRECTION2])",
        new="-constants[H_EPS]",
        red=(f"{ORDER}test_an_epsilon_beside_the_uncorrected_root", f"{SAME}test_coefficients_agree"),
    ),
    Fault(
        what="an order that leads beyond the rows is taken",
        file="fastbp/_core/epochs.pyx",
        old=" or order.min() < 0 or order.max() >= self.rows_needed:",
        new=":",
        red=(f"{ORDER}test_what_it_refuses",),
    ),
    Fault(
        what="each epoch shuffles the rows as they lie",
        file="fastbp/sklearn/_job.py",
        old="            self.order = self.order[indices]\n",
        new="            self.order = indices\n",
        red=(f"{SAME}test_coefficients_agree",),
    ),
    Fault(
        what="momentum forgets the rate it had",
        file="fastbp/sklearn/_optimizers.py",
        old="        optimizer.state *= float(optimizer.lr) / rate  # type: ignore[arg-type]\n",
        new="        pass\n",
        red=(f"{SAME}test_settings_agree", f"{SAME}test_training_that_goes_on_agrees"),
    ),
    Fault(
        what="what is refused leaves an estimator half made",
        file="fastbp/sklearn/_base.py",
        old="            if not began:\n",
        new="            if False:\n",
        red=(
            f"{SETTINGS}test_bad_settings_are_refused_and_leave_all_as_it_was",
            f"{SETTINGS}test_bad_data_are_refused",
        ),
    ),
    Fault(
        what="sparse rows are made dense as a whole",
        file="fastbp/sklearn/_sparse.py",
        old="        return _Rows(X), y, labels, weights, None\n",
        new="        return _Rows(X.toarray()), y, labels, weights, None\n",
        red=(f"{SETTINGS}test_sparse_rows_are_never_dense_as_a_whole",),
    ),
    Fault(
        what="an older name is taken without a word",
        file="fastbp/sklearn/_older_names.py",
        old='        caller.warn(f"{name} {_FUTURE}; pass {today}{more}", FutureWarning)\n',
        new="",
        red=("tests/estimators/test_older_names.py::test_an_older_name_is_that_of_today",),
    ),
]
