"""The types that annotations name: what users pass, and what they are given.

Nothing here is imported when a program runs: modules do it for type checkers alone, under TYPE_CHECKING. What a value
has to be is checked by the functions beside this file; an annotation says of it what a type can say.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from fastbp.callbacks import Callback as CallbackObject

# ---- arrays --------------------------------------------------------------------------------------------------------

Data: TypeAlias = ArrayLike  # numbers as users have them: arrays, lists, tables of other libraries, tensors
Array: TypeAlias = NDArray[Any]  # of a dtype that depends on what was passed
Floats: TypeAlias = NDArray[np.floating[Any]]  # of the model's dtype, float32 or float64
Doubles: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Shape: TypeAlias = tuple[int, ...]
MaybeNone: TypeAlias = Any  # beside another type: it may be None, which nobody has to ask who knows that it is not

# ---- settings ------------------------------------------------------------------------------------------------------

# A dtype of a model: one of the two names, or NumPy's type or dtype of that name.
DType: TypeAlias = Literal["float32", "float64"] | type[np.float32] | type[np.float64] | np.dtype[Any]
Config: TypeAlias = dict[str, Any]  # what `config()` gives: JSON
Counts: TypeAlias = dict[str, int]  # what training goes on from: epochs and draws of dropout masks
ClassWeight: TypeAlias = Mapping[int, float] | Sequence[float] | NDArray[Any]
Missing: TypeAlias = Literal["refuse", "ignore"]
Mode: TypeAlias = Literal["auto", "min", "max"]

# ---- training --------------------------------------------------------------------------------------------------------

Logs: TypeAlias = dict[str, float]  # the values of an epoch, by name
Answer: TypeAlias = bool | np.bool_ | None  # of a callback: True ends the training
Callback: TypeAlias = "CallbackObject | Callable[[Any, int, Logs], Answer]"  # the function is of (net, epoch, logs)
Callbacks: TypeAlias = "Callback | Iterable[Callback]"
Metrics: TypeAlias = dict[str, Callable[[Any, Any], Any]]  # {name: f(y, p)}, which gives one number
ValidationData: TypeAlias = tuple[Data, Data] | tuple[Data, Data, Data | None] | list[Data]  # X, y, sample_weight

# ---- files ---------------------------------------------------------------------------------------------------------

Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
File: TypeAlias = Path | IO[bytes]  # a path, or an open binary file
