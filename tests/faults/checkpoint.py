"""Faults of checkpoints: what is not saved, not put back, not compared, or not on the disk."""

from tests.faults import Fault

ON, REFUSED = "tests/training/test_resuming.py", "tests/training/test_resuming_refused.py"
SAVING, FOLDER = "tests/training/test_checkpointing.py", "tests/files/test_checkpoint_folder.py"
BITS = f"{ON}::test_it_goes_on_bit_for_bit_from_any_batch"

FAULTS = [
    Fault(
        what="an epoch that goes on has the order that lay in memory",
        file="fastbp/_core/epochs.pyx",
        old="        if step > 0:\n            make_order(state)\n        self.remember()\n",
        new="        self.remember()\n",
        red=(f"{BITS}[1 steps-plain]", f"{ON}::test_expressions_go_on[float64]"),
    ),
    Fault(
        what="a call that fails after going on goes back to the beginning of the epoch",
        file="fastbp/_core/epochs.pyx",
        old="self.before_epoch, self.before_step, 0, 0\n",
        new="self.before_epoch, 0, 0, 0\n",
        red=(f"{ON}::test_a_number_that_is_not_finite_leaves_the_last_good_step_after_going_on",),
    ),
    Fault(
        what="early stopping has forgotten how long it has waited",
        file="fastbp/_training/resuming.py",
        old='        each.waited, each.stopped_epoch = row["waited"], row["stopped_epoch"]\n',
        new='        each.stopped_epoch = row["stopped_epoch"]\n',
        red=(f"{BITS}[3 steps-early stopping that decides in the core]",),
    ),
    Fault(
        what="a plateau has forgotten what it has observed",
        file="fastbp/_training/checkpointing.py",
        old='            "memory": None if memory is None else [',
        new='            "memory": None if True else [',
        red=(f"{BITS}[2-adam, float64, plateau]",),
    ),
    Fault(
        what="the masks of dropout begin anew",
        file="fastbp/_training/checkpointing.py",
        old='            "draws": model._draws,\n',
        new='            "draws": 0,\n',
        red=(f"{BITS}[2-momentum, dropout, weights]",),
    ),
    Fault(
        what="a compiled call goes past the step after which to save",
        file="fastbp/_training/job.py",
        old="            fit = min(fit, self.saving.steps_ahead())\n",
        new="            fit = max(fit, self.saving.steps_ahead())\n",
        red=(f"{SAVING}::test_epochs_and_steps_are_met_exactly",),
    ),
    Fault(
        what="after Ctrl-C nothing is saved",
        file="fastbp/_training/loop.py",
        old="    if job.saving is not None and not isinstance(failed, Exception):\n",
        new="    if job.saving is not None and failed is None and False:\n",
        red=(f"{SAVING}::test_ctrl_c_is_saved_from_whatever_step_it_came_after",),
    ),
    Fault(
        what="a state is saved that not all have heard of",
        file="fastbp/_training/checkpointing.py",
        old="        if at is not None and at.epoch == self.told:\n",
        new="        if at is not None:\n",
        red=(f"{SAVING}::test_what_ends_the_process_is_saved_where_it_came[KeyboardInterrupt]",),
    ),
    Fault(
        what="nobody looks at the checksum of a file",
        file="fastbp/serialization.py",
        old='    if metadata.get("sha256") != _digest(metadata["fastbp"], tensors):\n',
        new='    if metadata.get("sha256") is None:\n',
        red=(f"{REFUSED}::test_a_damaged_file_is_refused_wherever_it_is",
             f"{REFUSED}::test_a_network_is_read_out_of_a_checkpoint"),
    ),
    Fault(
        what="data of the same shape are the same data",
        file="fastbp/_training/described.py",
        old='"checksum": f"{zlib.crc32(values.data):08x}"}\n',
        new='"checksum": f"{len(values):08x}"}\n',
        red=(f"{REFUSED}::test_other_data_are_refused",),
    ),
    Fault(
        what="the older checkpoint is named when the new one is in its place",
        file="fastbp/_files/checkpoint_folder.py",
        old="        before = self.newest\n",
        new="        before = self.newest\n        writing.write_atomically(self.last, data)\n",
        red=(f"{FOLDER}::test_older_ones_are_kept_and_no_more[True]",),
    ),
    Fault(
        what="a disk that fails to synchronise a folder is passed over",
        file="fastbp/_files/writing.py",
        old="        if error.errno in _OF_THE_DISK:\n",
        new="        if error.errno in ():\n",
        red=("tests/files/test_writing.py::test_a_folder_that_the_disk_does_not_take_is_told[EIO]",),
    ),
]
