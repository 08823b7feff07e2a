"""A network in the formats of others: methods of Sequential, each of which opens the door `convert` when called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from fastbp._check.types import File
    from fastbp.network import Sequential


class Exports:
    """What a network can be written as. Each has what `predict` gives, the input scale and the loss's link in it."""

    def to_c(self, path: File, name: str | None = None) -> None:
        """Writes one C99 header, float32, without malloc and <math.h>: `{name}_predict(x, y)`, `predict` of one row.

        path: a path or an open binary file; name: what all names in it begin with, None for that of the file.
        Raises ValueError for parameters that are not finite or a name that C cannot have, TypeError for a layer of the
        user's own, OSError where it cannot be written; a file already at `path` is then as it was.
        """
        from fastbp.convert.c_header import to_c

        to_c(cast("Sequential", self), path, name)

    def to_onnx(self, path: File) -> None:
        """Writes an ONNX model (opset 17, float32): input "X" (n, inputs), output "Y" (n, units), for any n.

        path: a path or an open binary file. Dropout is left out. Raises ImportError without the package onnx (the extra
        "onnx"), else as `to_c`.
        """
        from fastbp.convert.onnx_export import to_onnx

        to_onnx(cast("Sequential", self), path)

    def to_torch(self, link: bool = True) -> Any:
        """A torch.nn.Sequential, in evaluation mode, with copies of the parameters, of the network's dtype.

        link: False leaves out the loss's link, softmax say: the outputs are logits then, as torch's losses take them.
        The scale of the inputs is in the first layer. Raises ImportError without torch, else as `to_c`.
        """
        from fastbp.convert.torch import to_torch

        return to_torch(cast("Sequential", self), link)
