"""Memory, sanitizers, and how many plans are kept."""

from tests.faults import Fault

PLANS, ALLOCATIONS = "tests/compiler/test_plan_cache.py::test_", "tests/core/test_failing_allocations.py::test_"

FAULTS = [
    Fault(
        what="plans are kept whatever they hold",
        file="fastbp/_compiler/plan_cache.py",
        old="        if count <= LATEST or (count <= MOST and total <= MOST_BYTES):\n",
        new="        if count <= MOST:\n",
        red=(PLANS + "plans_of_a_large_network_are_kept_by_their_bytes",),
    ),
    Fault(
        what="a plan that is found again goes as if it had not been used",
        file="fastbp/_compiler/plan_cache.py",
        old="        plan = self.plans.pop(key, None)\n",
        new="        plan = self.plans.get(key)\n",
        red=(PLANS + "the_plan_that_is_used_most_stays_among_ever_new_ones",),
    ),
    Fault(
        what="as many plans are left as threads were there at once",
        file="fastbp/_compiler/plan_cache.py",
        old="        if not idle or (len(idle) + 1) * plan.nbytes <= MOST_BYTES:",
        new="        if True:",
        red=(PLANS + "threads_at_once_leave_no_more_large_plans_than_there_is_room_for",),
    ),
    Fault(
        what="the times of tasks keep their memory",
        file="fastbp/_core/timing.pyx",
        old="        free(spent)\n",
        new="",
        red=(ALLOCATIONS + "what_the_core_and_numpy_ask_the_c_library_for",),
    ),
    Fault(
        what="a plan without memory for its structs is made all the same",
        file="fastbp/_core/executable.pyx",
        old='        if found is NULL:\n            raise MemoryError("no memory for a plan")\n',
        new='        if found is NULL:\n            return <void *>1\n',
        red=(ALLOCATIONS + "what_the_core_and_numpy_ask_the_c_library_for",),
    ),
    Fault(
        what="a plan that goes leaves its operations behind",
        file="fastbp/_core/executable.pyx",
        old="        free(self.program.ops)\n",
        new="",
        red=(ALLOCATIONS + "what_the_core_and_numpy_ask_the_c_library_for",),
    ),
    Fault(
        what="who opens the next phase does not see what the last one's tasks wrote",
        file="csrc/queue.c",
        old="return __atomic_sub_fetch(&queue->left, 1, __ATOMIC_ACQ_REL) == 0;",
        new="return __atomic_sub_fetch(&queue->left, 1, __ATOMIC_RELAXED) == 0;",
        red=("tests/test_sanitize.py::test_no_team_over_the_queue_races",),
    ),
]
