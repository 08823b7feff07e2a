"""Which tests know a source file best: those first, then those of the whole part. None of them takes long."""

from pathlib import Path

PARTS = {
    "csrc": ("csrc/*.inc", "csrc/*.c"),
    "core": ("fastbp/_core/*.pyx",),
    "check": ("fastbp/_check/*.py",),
}
LEFT_OUT = {"types.py", "__init__.py"}  # nothing in them is computed

# Tests of threads and of time, which may fail on a busy machine.
WEATHER = ("tests/core/", "tests/test_promises.py", "tests/models/test_scaling.py")

KERNELS = ("csrc/test_kernels.py", "csrc/test_kernel_gradients.py")
OPERATIONS = ("ir/test_elementwise.py", "ir/test_indexing.py", "ir/test_nn.py")
STEPS = ("core/test_executor.py", "golden")

# {source file: the tests that know it best}, from tests/
NEAREST = {
    "csrc/gemm.inc": ("csrc/test_gemm.py", *KERNELS),
    "csrc/packing.inc": ("csrc/test_gemm.py", *KERNELS),
    "csrc/maps.inc": ("csrc/test_maps.py", *KERNELS),
    "csrc/vecmath.inc": ("csrc/test_vecmath.py", *KERNELS),
    "csrc/correct.inc": (*KERNELS, "core/test_correct.py"),
    "csrc/dispatch.c": ("csrc/test_dispatch.py", "csrc/test_isas.py", "core/test_random.py", "core/test_cpu.py"),
    "csrc/portable.c": ("core/test_portable.py",),
    "csrc/queue.c": ("csrc/test_queue.py", "core/test_teams.py"),
    "fastbp/_core/binding.pyx": (*STEPS, "check/test_changed_arrays.py", "check/test_strides.py"),
    "fastbp/_core/calls.pyx": (
        *STEPS,
        "training/test_epochs.py",
        "models/test_fast_calls.py",
        "check/test_changed_arrays.py",
    ),
    "fastbp/_core/cpu.pyx": ("core/test_cpu.py", "core/test_isa_in_use.py"),
    "fastbp/_core/drivers.pyx": STEPS,
    "fastbp/_core/epochs.pyx": (
        *STEPS,
        "training/test_epochs.py",
        "training/test_epochs_ended.py",
        "training/test_network_fit.py",
    ),
    "fastbp/_core/executable.pyx": STEPS,
    "fastbp/_core/executor.pyx": STEPS,
    "fastbp/_core/fast_call.pyx": ("models/test_fast_calls.py", "check/test_changed_arrays.py", *STEPS),
    "fastbp/_core/gemm.pyx": (*STEPS, "ir/test_nn.py"),
    "fastbp/_core/maps.pyx": (*STEPS, "ir/test_elementwise.py"),
    "fastbp/_core/memory.pyx": ("models/test_parameters.py", "check/test_public_vectors.py"),
    "fastbp/_core/os_threads.pyx": ("core/test_os_threads.py",),
    "fastbp/_core/pace.pyx": ("core/test_pace.py",),
    "fastbp/_core/portable.pyx": ("core/test_portable.py",),
    "fastbp/_core/random.pyx": ("core/test_random.py", "test_initializers.py"),
    "fastbp/_core/rows.pyx": (*STEPS, "ir/test_indexing.py"),
    "fastbp/_core/side_by_side.pyx": ("test_ensemble.py",),
    "fastbp/_core/stopping.pyx": ("training/test_epochs_ended.py",),
    "fastbp/_core/teams.pyx": ("core/test_teams.py", *STEPS),
    "fastbp/_core/timing.pyx": ("core/test_timing.py", "models/test_scaling.py"),
    "fastbp/_core/training_state.pyx": (
        "training/test_epochs_ended.py",
        "training/test_epochs.py",
        "golden",
        "training/test_training_in_parts.py",
    ),
    "fastbp/_core/updates.pyx": (*STEPS, "test_optimizers.py"),
    "fastbp/_check/arrays.py": ("check/test_check.py", "check/test_hints.py", "check/test_kinds_of_arrays.py"),
    "fastbp/_check/memory.py": ("check/test_check.py", "check/test_public_vectors.py"),
    "fastbp/_check/missing.py": ("check/test_missing.py",),
    "fastbp/_check/numbers.py": ("check/test_check.py", "check/test_unspeakable.py"),
    "fastbp/_check/names.py": ("check/test_names.py", "check/test_hints.py"),
    "fastbp/_check/targets.py": ("check/test_targets.py", "check/test_hints.py", "test_losses.py"),
    "fastbp/_check/logs.py": ("check/test_logs.py", "check/test_monitors.py"),
    "fastbp/_check/text.py": ("check/test_check.py",),
}
# ... and those of its part, which a mutant is tried by that lives there
OF_PART = {
    "csrc": ("golden", "test_agreement.py", "test_losses.py", "core/test_executor.py", *OPERATIONS,
             "layers/test_layer_norm.py", "test_optimizers.py", "training/test_network_fit.py"),
    "core": ("core/test_executor.py", "golden", "models", "training/test_epochs.py", "training/test_epochs_ended.py",
             "training/test_finite.py", "training/test_network_fit.py", "training/test_expression_fit.py",
             "test_network.py", "test_ensemble.py", "test_agreement.py", "compiler", "test_optimizers.py",
             "check/test_changed_arrays.py", "core/test_allocations.py", "training/test_training_in_parts.py",
             "ir/test_indexing.py", "ir/test_elementwise.py", "ir/test_nn.py", "test_promises.py"),
    "check": ("check", "test_messages.py", "test_network.py", "test_graph.py", "models", "training/test_network_fit.py",
              "training/test_expression_fit.py", "test_callbacks.py", "test_optimizers.py", "test_losses.py"),
}  # fmt: skip


def stages(file):
    """[[pytest's arguments]]: the tests of each stage, by which a mutant of a source file is tried."""
    part = next(part for part, patterns in PARTS.items() if any(Path(file).match(pattern) for pattern in patterns))
    first = NEAREST.get(file, KERNELS if part == "csrc" else (f"{part}/test_{Path(file).stem}.py",))
    return [[f"tests/{each}" for each in tests] for tests in (first, OF_PART[part])]
