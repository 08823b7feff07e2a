"""Faults of what loses nothing: files that lie, disks that fail, interrupts, processes."""

from tests.faults import Fault

DISKS = "tests/files/test_disks.py"
EVALUATION, MOMENTS = "tests/models/test_network_evaluation.py", "tests/training/test_moments.py"
HOSTILE, PROCESSES = "tests/files/test_hostile_files.py", "tests/core/test_processes.py"

FAULTS = [
    Fault(
        what="of two tensors of one name the last one is taken",
        file="fastbp/_files/tensors.py",
        old="        if len(dict(pairs)) != len(pairs):\n",
        new="        if False:\n",
        red=(f"{HOSTILE}::test_what_a_header_claims_is_refused[a tensor twice]",
             f"{HOSTILE}::test_what_a_header_claims_is_refused[a description twice]"),
    ),
    Fault(
        what="tensors may overlap",
        file="fastbp/_files/tensors.py",
        old="        if entry is None or entry.begin != place:\n",
        new="        if entry is None:\n",
        red=(f"{HOSTILE}::test_what_a_header_claims_is_refused[two that overlap a little]",),
    ),
    Fault(
        what="a checkpoint's tensors are read before they are looked at",
        file="fastbp/serialization.py",
        old="    checkpoint_schema.check_tensors(description[\"state\"], found)\n",
        new="    _read_tensors(file)\n",
        red=(f"{HOSTILE}::test_nothing_is_read_of_tensors_that_do_not_fit",),
    ),
    Fault(
        what="a format with a point is one",
        file="fastbp/_files/schema.py",
        old="    if number != FORMAT or type(number) is not int:\n",
        new="    if number != FORMAT or isinstance(number, bool):\n",
        red=(f"{HOSTILE}::test_what_a_description_claims_is_refused[<lambda>-format is a number, expected 1]",),
    ),
    Fault(
        what="a file that is in its place is said not to be, as closing it failed",
        file="fastbp/_files/writing.py",
        old="        if aside is not None:   # else",
        new="        if True:   # else",
        red=(f"{DISKS}::test_a_save_of_which_anything_fails[5-a_network]",),
    ),
    Fault(
        what="a training ends where a checkpoint cannot be written",
        file="fastbp/_training/checkpointing.py",
        old="                self._tell(saver, error)\n                continue\n",
        new="                raise error\n",
        red=(f"{DISKS}::test_a_training_of_which_any_save_fails[28]",
             f"{DISKS}::test_a_disk_that_is_full_and_one_that_is_read_only"),
    ),
    Fault(
        what="Ctrl-C in a long prediction is noticed at its end",
        file="fastbp/_core/calls.pyx",
        old="    cdef bint interruptible = steps > 1 and model is None and not learns\n",
        new="    cdef bint interruptible = False\n",
        red=(f"{EVALUATION}::test_a_long_one_is_interrupted_between_two_of_its_batches[1-<lambda>0]",),
    ),
    Fault(
        what="the second part of a prediction begins at its first row again",
        file="fastbp/_core/calls.pyx",
        old="            call.first, call.losses, call.epoch, call.done = first + done * plan.batch,",
        new="            call.first, call.losses, call.epoch, call.done = first,",
        red=(f"{EVALUATION}::test_evaluate_in_chunks_is_the_mean_over_all_samples[float32-tiny]",),
    ),
    Fault(
        what="a shortage of memory is said to be no array",
        file="fastbp/_check/arrays.py",
        old="    except MemoryError:\n        raise\n",
        new="",
        red=(f"{MOMENTS}::test_data_that_raise_are_refused_before_the_first_step[X-error3]",),
    ),
    Fault(
        what="a quota of 1.5 CPUs is two threads",
        file="fastbp/_core/threads.py",
        old="        count = max(1, int(quota))\n",
        new="        count = max(1, round(quota + 0.01))\n",
        red=(f"{PROCESSES}::test_quotas_of_containers[v1-1.5-1]", f"{PROCESSES}::test_quotas_of_containers[v2-2.5-2]"),
    ),
    Fault(
        what="two threads predict with one plan",
        file="fastbp/_compiler/plan_cache.py",
        old="            plan = self.idle[key].pop()  # atomic",
        new="            plan = self.idle[key][-1]  # atomic",
        red=(f"{PROCESSES}::test_threads_that_want_one_network",),
    ),
    Fault(
        what="a copy in another process has forgotten the optimizer's steps",
        file="fastbp/optimizers.py",
        old="    def __getstate__(self) -> dict[str, Any]:\n",
        new="    def __getstate__(self) -> dict[str, Any]:\n        self.steps = 0\n",
        red=(f"{PROCESSES}::test_processes_of_multiprocessing[fork]",),
    ),
    Fault(
        what="the low bound of clip may be above the high one",
        file="fastbp/_ir/elementwise.py",
        old="        if (lower.value > upper.value).any():\n",
        new="        if False:\n",
        red=("tests/test_graph.py::test_what_is_refused[clip: bounds]",),
    ),
]
