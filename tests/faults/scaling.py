"""Stages that are cut in two dimensions, the size of a team, and the model of many threads."""

from tests.faults import Fault

STAGES, SCALING, PACE = "tests/compiler/test_stages.py", "tests/models/test_scaling.py", "tests/core/test_pace.py"
BITS = f"{STAGES}::test_the_cut_changes_no_bit"

FAULTS = [
    Fault(
        what="what is a thread's own lies beside another one's",
        file="fastbp/_core/executable.pyx",
        old="(FAR if self.team > 1 else 0)",
        new="0",
        red=(
            "tests/compiler/test_plan_cache.py"
            "::test_each_thread_has_blocks_of_its_own_and_no_more_threads_than_slices",
        ),
    ),
    Fault(
        what="the model takes all threads where fewer are faster",
        file="fastbp/_models/scaling.py",
        old="for size in sizes(threads)), key",
        new="for size in [threads]), key",
        red=(f"{SCALING}::test_a_large_network_scales_and_a_tiny_one_does_not",),
    ),
    Fault(
        what="what all tasks of a stage read makes room for what they write",
        file="fastbp/_compiler/buffers.py",
        old="for value in [value for value in dying if until.get(value, 0) > i]:",
        new="for value in [value for value in dying if until.get(value, 0) > i + 9]:",
        red=("tests/compiler/test_buffers.py::test_what_tasks_of_a_stage_read_stays_until_its_end",),
    ),
    Fault(
        what="what waits for the end of a stage makes room for nothing more",
        file="fastbp/_compiler/buffers.py",
        old="waiting.pop(i, ())",
        new="waiting.pop(i - 1, ())",
        red=(f"{STAGES}::test_rows_that_are_needed_no_more_make_room",),
    ),
    Fault(
        what="each block of units reads the packed weights of the first one",
        file="fastbp/_core/gemm.pyx",
        old="op.packed_b + packed_at(op, at) if packed",
        new="op.packed_b if packed",
        red=(BITS,),
    ),
    Fault(
        what="each block of units has the biases of the first one",
        file="fastbp/_core/gemm.pyx",
        old="op.bias + offset if op.bias is not NULL else NULL, at.rows, n)",
        new="op.bias, at.rows, n)",
        red=(BITS,),
    ),
    Fault(
        what="a block of units of the derivative reads the activations of the first one",
        file="fastbp/_core/rows.pyx",
        old="rows_of(op.x, at) + offset, op.x.ld // op.group, m,",
        new="rows_of(op.x, at), op.x.ld // op.group, m,",
        red=(BITS,),
    ),
    Fault(
        what="the last block of units is as wide as the others",
        file="fastbp/_core/program.pxd",
        old="min(at.units, n - at.unit)",
        new="at.units",
        red=(BITS, f"{STAGES}::test_teams_of_any_size_have_the_same_bits"),
    ),
    Fault(
        what="two lanes have a task in common, and another one is left out",
        file="fastbp/_core/executor.pyx",
        old="return lane * (tasks // lanes) + min(lane, tasks % lanes) + task // lanes",
        new="return lane * (tasks // lanes) + task // lanes",
        red=(f"{STAGES}::test_teams_of_any_size_have_the_same_bits",),
    ),
    Fault(
        what="after a stage that is cut, columns of the next tasks begin where its last one did",
        file="fastbp/_core/executor.pyx",
        old="    if stage.blocks > 1:\n        at.unit = at.units = 0\n",
        new="",
        red=(BITS,),
    ),
    Fault(
        what="a product whose weights each thread packs is cut",
        file="fastbp/_compiler/stages.py",
        old='operation.name == "input_gradient" and operation.packed_b == "shared"',
        new='operation.name == "input_gradient"',
        red=(f"{STAGES}::test_weights_that_each_thread_packs_are_not_cut",),
    ),
    Fault(
        what="a step that ends by a number that is not finite is timed",
        file="fastbp/_core/timing.pyx",
        old="        if call.done <= steps:\n",
        new="        if call.done < 0:\n",
        red=("tests/core/test_timing.py::test_numbers_that_are_not_finite_end_it_in_words",),
    ),
    Fault(
        what="sizes that are no neighbours are never tried again",
        file="fastbp/_core/pace.pyx",
        old="return max(LEAST if is_neighbour else RARE, pace.wait)",
        new="return max(LEAST, pace.wait) if is_neighbour else 1e9",
        red=(f"{PACE}::test_a_bad_beginning_is_made_good_whatever_lies_between",),
    ),
    Fault(
        what="what a trial of long steps costs does not count",
        file="fastbp/_core/pace.pyx",
        old="return max(LEAST if is_neighbour else RARE, pace.wait)",
        new="return LEAST if is_neighbour else RARE",
        red=(f"{PACE}::test_trials_of_long_steps_are_rare",),
    ),
    Fault(
        what="a larger team is taken although it is no faster",
        file="fastbp/_core/pace.pyx",
        old="pace.step[size] * GAIN < pace.step[found]",
        new="pace.step[size] * 0.9 < pace.step[found]",
        red=(f"{PACE}::test_the_fastest_size_is_found_and_trials_cost_little",),
    ),
    Fault(
        what="sizes between one thread and all are never tried",
        file="fastbp/_core/pace.pyx",
        old="    for size in range(last, -1, -1):\n        if pace.step[size] == 0:\n",
        new="    for size in range(last, -1, -1):\n        if pace.step[size] == 0 and size in (0, last):\n",
        red=(f"{PACE}::test_sizes_are_powers_of_two_and_all_threads",),
    ),
    Fault(
        what="a model counts what a lane has written itself",
        file="fastbp/_models/traffic.py",
        old="(pieces[:, 4] != lane)",
        new="(pieces[:, 4] == lane)",
        red=("tests/models/test_traffic.py::test_one_thread_reads_only_what_it_wrote",),
    ),
    Fault(
        what="idle threads of the model take nobody's tasks",
        file="fastbp/_models/scaling.py",
        old="done = now + phase.seconds",
        new="done = (now if lane == member % lanes else now + 2 * end) + phase.seconds",
        red=(f"{SCALING}::test_a_phase_is_as_long_as_its_busiest_thread",),
    ),
]
