"""Faults of what comes from outside and Python itself cannot read or write: check/test_unspeakable.py and others."""

from tests.faults import Fault

_DOORS = "tests/check/test_unspeakable.py::test_it_is_refused_in_the_dialect"

FAULTS = [
    Fault("a value whose repr raises is shown by it",
          "fastbp/_core/shown.py",
          "    except Exception:  # of a class of somebody's",
          "    except ImportError:  # of a class of somebody's",
          ("tests/core/test_shown.py::test_what_python_cannot_write_is_told_of_in_other_words",
           f"{_DOORS}[silent-dtype]", f"{_DOORS}[huge-predict]")),
    Fault("an int out of range is written into the message, however long it is",
          "fastbp/_check/numbers.py",
          '''raise ValueError(f"{name} is {written(result)}, expected {wanted}; choose''',
          '''raise ValueError(f"{name} is {result}, expected {wanted}; choose''',
          (f"{_DOORS}[below-units]",)),
    Fault("a count is of any size",
          "fastbp/_check/numbers.py",
          "if abs(result) >= COUNTS:",
          "if abs(result) < -COUNTS:",
          (f"{_DOORS}[huge-inputs]", f"{_DOORS}[huge-mlp]",
           "tests/check/test_unspeakable.py::test_no_number_of_anything_is_as_large_as_2_to_the_256")),
    Fault("a number in a file has as many digits as it likes",
          "fastbp/_files/tensors.py",
          "if len(digits) > _DIGITS:",
          "if len(digits) < 0:",
          ("tests/test_serialization.py::test_description_that_is_not_one",)),
    Fault("a description is nested as deeply as it likes",
          "fastbp/_files/tensors.py",
          "if (depth := depth + 1) > _DEPTH:",
          "if (depth := depth + 1) < 0:",
          ("tests/test_serialization.py::test_description_that_is_not_one",
           "tests/training/test_resuming_refused.py::test_what_does_not_belong_together_is_refused")),
    Fault("the side of a slice is told of in Python's words",
          "fastbp/_ir/indexing.py",
          "            except TypeError:\n                raise IndexError(",
          "            except KeyError:\n                raise IndexError(",
          ("tests/check/test_unspeakable.py::test_the_sides_of_a_slice_are_ints",)),
]  # fmt: skip
