"""Faults of what is wished for every day: values of one's own, training in parts, files that are no paths, data with
holes, data of other libraries."""

from tests.faults import Fault

LOGS, METRICS = "tests/test_logs.py", "tests/test_metrics.py"

FAULTS = [
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
]
