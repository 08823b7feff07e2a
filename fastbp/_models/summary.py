"""A table of a network's layers: what each gives, what it is trained by, and what it multiplies."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastbp._check.formatting import WIDTH

if TYPE_CHECKING:
    from fastbp.network import Sequential

TITLES = ("", "layer", "output", "parameters", "multiply-adds")


class LayerRow(NamedTuple):
    """A layer's row. number: its place in the network, from 0; layer: its repr; output: the shape of what it gives, of
    which the first axis is the batch's; parameters: how many numbers it is trained by; multiply_adds: of its matrix
    products, for one row forward. A training step takes three times as many: the inputs' gradients and the weights'."""

    number: int
    layer: str
    output: str
    parameters: int
    multiply_adds: int


class Summary:
    """What `Sequential.summary` returns: a table where it is shown, as text or, in a notebook, as HTML.

    rows: [LayerRow, ...]; parameters, multiply_adds: of all; head: what the network takes and how it is judged; foot:
    the bytes of its parameters.
    """

    def __init__(self, net: Sequential) -> None:
        self.rows, width = [], net.inputs
        for number, layer in enumerate(net.layers):
            width = width if layer.units is None else layer.units
            self.rows.append(LayerRow(number, repr(layer), f"(n, {width})", layer.size, layer.multiply_adds))
        self.parameters = sum(row.parameters for row in self.rows)
        self.multiply_adds = sum(row.multiply_adds for row in self.rows)
        self.head = f"Sequential: rows of {net.inputs} numbers, loss {net.loss!r}, {net.dtype.name}"
        self.foot = f"{_bytes(net.params.nbytes)} of parameters, as much of gradients"

    def _cells(self) -> list[tuple[str, ...]]:
        """The rows as texts, the last one of all layers together."""
        rows = [(str(row.number), row.layer, row.output, f"{row.parameters:,}", f"{row.multiply_adds:,}")
                for row in self.rows]  # fmt: skip
        return [*rows, ("", "all", "", f"{self.parameters:,}", f"{self.multiply_adds:,}")]

    def __str__(self) -> str:
        rows = [TITLES, *self._cells()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(TITLES))]
        most = max(len("layer"), WIDTH - sum(widths) + widths[1] - 2 * (len(widths) - 1))  # a layer's repr may be long
        widths[1] = min(widths[1], most)
        lines = []
        for number, layer, output, *counts in rows:
            shown = layer if len(layer) <= most else layer[: most - 3] + "..."
            left = f"{number:>{widths[0]}}  {shown:<{widths[1]}}  {output:<{widths[2]}}"
            right = (f"{count:>{width}}" for count, width in zip(counts, widths[3:], strict=True))
            lines.append("  ".join([left, *right]))
        rule = "-" * max(map(len, lines))
        return "\n".join([self.head, lines[0], rule, *lines[1:-1], rule, lines[-1], self.foot])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        import html

        def line(cells: tuple[str, ...], kind: str) -> str:
            return "<tr>" + "".join(
                f'<{kind} style="text-align: {"left" if i in (1, 2) else "right"}">{html.escape(cell)}</{kind}>'
                for i, cell in enumerate(cells)
            ) + "</tr>"  # fmt: skip

        body = "".join(line(cells, "td") for cells in self._cells())
        return (
            f"<table><caption>{html.escape(self.head)}</caption><thead>{line(TITLES, 'th')}</thead>"
            f"<tbody>{body}</tbody></table><p>{html.escape(self.foot)}</p>"
        )


def _bytes(size: int) -> str:
    """A number of bytes as people say it."""
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"
