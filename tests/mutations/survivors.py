"""Why some mutants are no faults: {what a file of results knows a mutant by: the reason}."""

REASONS: dict[str, str] = {}
