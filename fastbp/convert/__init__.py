"""A door to other formats and libraries. A library is imported when a function that needs it is called."""

from fastbp.convert.c_header import to_c
from fastbp.convert.onnx_export import to_onnx
from fastbp.convert.onnx_import import from_onnx
from fastbp.convert.scipy import minimize
from fastbp.convert.sklearn import from_sklearn
from fastbp.convert.torch import from_torch, load_state_dict, state_dict, to_torch

__all__ = [
    "from_onnx",
    "from_sklearn",
    "from_torch",
    "load_state_dict",
    "minimize",
    "state_dict",
    "to_c",
    "to_onnx",
    "to_torch",
]
