"""Faults in what is read and written: arrays that change, vectors that users reach, rows at any distance, Clang."""

from . import Fault

STRIDES, CHANGED, VECTORS = (
    "tests/check/test_strides.py",
    "tests/check/test_changed_arrays.py",
    "tests/check/test_public_vectors.py",
)
CLANG = (("CC", "clang"),)

FAULTS = [
    Fault(
        "the bytes of an element come from dividing by a row's distance, which may be 0",
        "fastbp/_core/rows.pyx",
        "prefetch_next(op, at, op.n_in)",
        "prefetch_next(op, at, op.x.row_bytes // op.x.ld)",
        (f"{STRIDES}::test_training_has_the_bits_of_training_on_a_copy",),
        CLANG,
    ),
    Fault(
        "an invariant product looks at rows to be prefetched, where there are none",
        "fastbp/_core/gemm.pyx",
        "    if not op.prefetch:    #",
        "    if (at.prefetch.rows - at.prefetch.row) * parts(at.prefetch.bytes, LINE) == 0 or not op.prefetch:    #",
        ("tests/test_fixed.py::test_a_product_of_parameters_alone_prefetches_no_rows",),
        CLANG,
    ),
    Fault(
        "a build without OpenMP says nothing",
        "setup.py",
        "                sys.stderr.write(SERIAL",
        "                str(SERIAL",
        ("tests/test_setup.py::test_a_build_without_openmp_says_so_and_what_to_do",),
    ),
    Fault(
        "int32 labels are used where they lie",
        "fastbp/_check/targets.py",
        '    y = given = np.array(y, order="C")',
        "    y = given = np.ascontiguousarray(y)",
        (
            f"{CHANGED}::test_what_compiled_code_finds_rows_by_is_a_copy",
            f"{CHANGED}::test_labels_that_a_callback_changes_are_those_of_the_beginning",
        ),
    ),
    Fault(
        "indices of a table's rows are used where they lie",
        "fastbp/_check/arrays.py",
        'values = np.array(values.reshape(-1, 1), order="C")',
        "values = np.ascontiguousarray(values.reshape(-1, 1))",
        (
            f"{CHANGED}::test_what_compiled_code_finds_rows_by_is_a_copy",
            f"{CHANGED}::test_so_are_those_of_an_expression",
        ),
    ),
    Fault(
        "labels of a call made again are bound as they lie",
        "fastbp/_core/fast_call.pyx",
        "place(self.plan, spec.index, <char *>spec.labels, sizeof(int32_t)",
        "place(self.plan, spec.index, <char *>narrow, sizeof(int32_t)",
        (f"{CHANGED}::test_a_thread_that_writes_labels_during_a_step_changes_nothing",),
    ),
    Fault(
        "data that have become shorter are read beyond their end",
        "fastbp/_core/calls.pyx",
        "    if rows_needed > least:",
        "    if rows_needed > least and rows_needed < 0:",
        (f"{CHANGED}::test_data_that_a_callback_resizes_are_refused",),
    ),
    Fault(
        "the shape of data is not looked at again",
        "fastbp/_core/binding.pyx",
        "cnp.PyArray_NDIM(given) == 2 and cnp.PyArray_DIM(given, 1) == width and (",
        "cnp.PyArray_NDIM(given) == 2 and (",
        (f"{CHANGED}::test_data_that_a_callback_resizes_are_refused",),
    ),
    Fault(
        "gradients are written whatever has become of the array",
        "fastbp/_core/binding.pyx",
        "    if not is_as_made(plan.grads,",
        "    if False and not is_as_made(plan.grads,",
        (f"{VECTORS}::test_a_vector_that_is_not_what_it_was_is_not_written",),
    ),
    Fault(
        "the state is written whatever has become of the array",
        "fastbp/_core/calls.pyx",
        "        if not is_as_made(state,",
        "        if False and not is_as_made(state,",
        (f"{VECTORS}::test_a_state_that_is_not_what_it_was_is_not_written",),
    ),
    Fault(
        "a state that is set is taken as it is",
        "fastbp/_check/optimizer_state.py",
        "    if not fits:\n",
        "    if value is not None:\n        return value\n    if not fits:\n",
        (f"{VECTORS}::test_a_state_that_cannot_be_one_is_refused",),
    ),
    Fault(
        "a copy of an optimizer goes on with parameters of any dtype",
        "fastbp/_check/optimizer_state.py",
        " or state.dtype != params.dtype):",
        "):",
        ("tests/check/test_optimizer_state.py::"
         "test_a_copy_goes_on_with_parameters_of_the_same_size_and_dtype_alone",),
    ),
    Fault(
        "a copy of an optimizer shares the state",
        "fastbp/optimizers.py",
        "        self.state = self.state  # a copy",
        "        # a copy",
        (f"{VECTORS}::test_copies_of_an_optimizer_have_a_state_of_their_own",),
    ),
    Fault(
        "an optimizer's state can be resized",
        "fastbp/optimizers.py",
        "optimizer_state.zeros(self, (self.slots, params.size), params.dtype))",
        "optimizer_state.zeros(self, (self.slots, params.size), params.dtype).copy())",
        (f"{VECTORS}::test_the_memory_of_a_vector_cannot_be_resized",),
    ),
    Fault(
        "a call made again does not look where its data lie",
        "fastbp/_core/fast_call.pyx",
        "        if self.learns and is_written(self.plan, ",
        "        if False and is_written(self.plan, ",
        (f"{VECTORS}::test_a_call_made_again_looks_too",),
    ),
    Fault(
        "training reads what it writes",
        "fastbp/_check/memory.py",
        "np.may_share_memory(array, vector)",
        "array is vector",
        (f"{VECTORS}::test_forward_and_backward_look_too",),
    ),
    Fault(
        "products read overlapping rows by their numbers",
        "fastbp/_compiler/input_rows.py",
        "dtype is None and not any_stride and _in_place",
        "dtype is None and _in_place",
        (f"{STRIDES}::test_so_it_has_in_every_scheme",),
    ),
    Fault(
        "lines of a matrix are read as if rows followed each other",
        "fastbp/_compiler/context.py",
        "not in self.any_stride:\n            return value",
        "not in self.any_stride or True:\n            return value",
        (f"{STRIDES}::test_expressions_read_the_same",),
    ),
    Fault(
        "a copy of rows makes blocks shorter",
        "fastbp/_compiler/lowering.py",
        'slot.mode == "local" and i not in copies',
        'slot.mode == "local" and i not in ()',
        (f"{STRIDES}::test_rows_that_are_copied_are_cut_into_the_same_blocks",),
    ),
    Fault(
        "the last number of overlapping rows is not looked at",
        "fastbp/_check/input_arrays.py",
        "abs(between) // item + width",
        "abs(between) // item + width - 1",
        (f"{STRIDES}::test_what_is_not_finite_is_found_wherever_rows_lie",),
    ),
    Fault(
        "rows that overlap are cast",
        "fastbp/_check/input_arrays.py",
        "between % item == 0 and array",
        "between >= width * item and array",
        (f"{STRIDES}::test_rows_at_any_distance_are_read_where_they_lie", f"{STRIDES}::test_windows_are_never_copied"),
    ),
    Fault(
        "a state that is replaced while a step uses it is gone",
        "fastbp/_core/calls.pyx",
        "        plan.bound.append(state)    #",
        "        # plan.bound.append(state)    #",
        ("tests/check/test_changed_arrays.py::test_a_state_is_kept_while_a_step_uses_it",),
    ),
    Fault(
        "data that get another dtype are read as they were",
        "fastbp/_check/input_arrays.py",
        "        elif array.dtype not in DTYPES:",
        "        elif False:",
        ("tests/check/test_changed_arrays.py::test_data_that_a_callback_gives_another_dtype_are_refused",),
    ),
]
