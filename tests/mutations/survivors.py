"""Why some mutants are no faults: {what a file of results knows a mutant by: the reason}."""

REASONS: dict[str, str] = {
    "381fe4b88c8b": "input_arrays.py, scale <= 1 -> 0: integers are looked at as well; it takes time and finds nothing",
    "1644a36cbb98": "targets.py, shape[1] -> [0]: pieces of another size, the same answer",
    "b687917de067": "targets.py, units > 1 -> >= 1: one column for one unit is taken before this is reached",
    "11956753c192": "rows.pyx, at.next >= 0 -> 1: the rows of the first step are not prefetched; time alone",
    "54f9083196de": "timing.pyx, now - begun -> +: a time that is measured, which no test can know",
    "20988526640d": "portable.c, 1/27 -> 2/27: a term of log's series below the last bit of both parts of the result",
}
