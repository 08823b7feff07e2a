"""Trainings whose results are kept as they are: every one of these bits is a promise to those who trained with it.

`numbers.py` makes data, `networks.py`, `expressions.py` and `many.py` train, `TRAININGS` has them all;
`hashes.json` holds what came out, for each ISA and dtype; `files/` files that were written at that time,
which `files.py` reads. `record.py` writes both, by hand only: a bit that changes is a change that users see.
"""

from . import expressions, files, many, networks

TRAININGS = {**networks.TRAININGS, **expressions.TRAININGS, **many.TRAININGS, **files.TRAININGS}
