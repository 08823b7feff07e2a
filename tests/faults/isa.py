"""Faults of ISAs: their list, their facts, how plans lay packed operands out by them, and who enters and leaves."""

from . import Fault

PACKED_B = "tests/csrc/test_isas.py::test_packed_weights_have_room_by_the_format_of_the_table"
PACKED_A = "tests/csrc/test_isas.py::test_packed_a_has_room_by_the_format_of_the_table"
HOOKS = "tests/csrc/test_isas.py::test_every_thread_enters_and_leaves_where_the_table_says_so"

FAULTS = [
    Fault(
        what="the room of packed B is for k as it is, not rounded up to what a tile of the table is deep",
        file="fastbp/_core/executable.pyx",
        old="return rounded(k, table.kr) * b_row_bytes(table)",
        new="return k * b_row_bytes(table)",
        red=(PACKED_B,),
    ),
    Fault(
        what="packed A has room for one limb of each element",
        file="fastbp/_core/executable.pyx",
        old="* table.limbs * table.a_bytes",
        new="* table.a_bytes",
        red=(PACKED_A,),
    ),
    Fault(
        what="the caller enters twice, as one of the team and by itself",
        file="fastbp/_core/executor.pyx",
        old="if member > 0 and p.enter is not NULL:",
        new="if p.enter is not NULL:",
        red=(HOOKS,),
    ),
    Fault(
        what="the caller does not leave",
        file="fastbp/_core/executor.pyx",
        old="    if p.leave is not NULL:\n        p.leave()\n",
        new="",
        red=(HOOKS,),
    ),
    Fault(
        what="a thread of the team enters for the next job before it has left the last one",
        file="fastbp/_core/teams.pyx",
        old="if (task < 0 or number != last) and worker.leave is not NULL:",
        new="if task < 0 and worker.leave is not NULL:",
        red=(HOOKS,),
    ),
    Fault(
        what="narrow products are made by the table itself",
        file="csrc/dispatch.c",
        old="return fbp_find_table(table->narrow, table->itemsize);",
        new="return fbp_find_table(NULL, table->itemsize);",
        red=("tests/csrc/test_isas.py::test_narrow_products_have_the_table_that_the_header_names",),
    ),
    Fault(
        what="no x86 processor has anything",
        file="csrc/dispatch.c",
        old="#define X86_HAS(feature, leaf, bit) __builtin_cpu_supports(feature)",
        new="#define X86_HAS(feature, leaf, bit) (__builtin_cpu_supports(feature) && 0)",
        red=("tests/csrc/test_dispatch.py::test_cpu_flags_and_tables_agree",),
    ),
    Fault(
        what="kernels are compiled without the flags of their ISA",
        file="setup.py",
        old="extra_postargs=[*extension.extra_compile_args, *spelt(flags)],",
        new="extra_postargs=[*extension.extra_compile_args],",
        red=("tests/test_setup.py::test_kernels_are_compiled_for_each_pair_into_a_folder_of_its_own",),
    ),
    Fault(
        what="every machine has the flags of every ISA",
        file="setup.py",
        old='rf"^ \\* flags on {MACHINE}: (.+)$"',
        new='r"^ \\* flags on \\w+: (.+)$"',
        red=("tests/test_setup.py::test_an_isa_has_the_flags_of_its_header_on_its_machine_alone",),
    ),
]
