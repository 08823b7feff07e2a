"""The bar over a training: where it is shown, what is on it, and a stream for it that never fails."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from typing import Any

from fastbp import _check as check
from fastbp._check.logs import TIMES


@contextmanager
def _unbroken():
    """Passes over what a stream raises that is closed, or gone, or no stream at all."""
    try:
        yield
    except (ValueError, AttributeError, TypeError):
        pass
    except OSError as error:
        # a TimeoutError, say, that the handler of a signal raises is not the stream's
        if type(error) is not OSError and error.errno is None:
            raise


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal. None, closed ones and objects that do not know are not."""
    with _unbroken():
        return bool(stream.isatty())
    return False


def _can_be_written_to(stream):
    """Whether a stream is there and open: flushing it, as tqdm does at the beginning, does not fail."""
    with _unbroken():
        stream.flush()
        return True
    return False


def in_notebook() -> bool:
    """Whether this is a notebook: code that IPython runs for a kernel, whose application is called IPKernelApp."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in (getattr(shell, "config", None) or ())


class _Stream:
    """A stream that takes no offence: what cannot be written is dropped, for no training should end by its bar."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        with _unbroken():
            self._stream.write(text)

    def flush(self):
        with _unbroken():
            self._stream.flush()

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __eq__(self, other):  # tqdm.write looks for bars on the stream that it writes to
        return self._stream == getattr(other, "_stream", other)

    def __hash__(self):
        return hash(self._stream)


_CELLS = (10, 5)  # of the bar: as many as it should have, and the least


def _layouts(epoch, share, count, time, rate, metrics):
    """[(what stands before the bar, behind it, the cells it needs)], the fullest first; None for no bar.

    The numbers are what people look for: so first goes what they can do without, then the names are shortened, and
    the bar goes before any number does.
    """
    full = ", ".join(f"{name}={value}" for name, value in metrics.items())
    short = "  ".join(f"{name.replace('accuracy', 'acc')} {value}" for name, value in metrics.items())
    pairs = []  # loss 0.1 val 0.2: each beside that of the rows held out
    for name, value in metrics.items():
        if not name.startswith("val_"):
            both = f" val {metrics['val_' + name]}" if f"val_{name}" in metrics else ""
            pairs.append(f"{name.replace('accuracy', 'acc')} {value}{both}")
    close = "  ".join(pairs)
    most, least = _CELLS
    some = [" ".join(pairs[:count]) for count in range(len(pairs) - 1, 0, -1)]  # as many of them as there is room for
    return [
        (f"{epoch} {share} ", f" {count} [{time}, {rate}]  {full}", most),
        (f"{epoch} {share} ", f" [{time}]  {full}", most),
        (f"{epoch} {share} ", f" [{time}]  {short}", most),
        (f"{epoch} {share} ", f" {short}", most),
        (f"{epoch} ", f" {short.replace('  ', ' ')}", least),
        (f"{epoch} {share} ", f" {close}", most),
        (f"{epoch} ", f" {close}", least),
        (f"{epoch}  {short}", "", None),
        (f"{epoch} {close.replace('  ', ' ')}", "", None),
        (close.replace("  ", " ") or share, "", None),
        *((text, "", None) for part in some for text in (f"{epoch} {part}", part)),
    ]


def _line(bar):
    """The line of a tqdm bar whose stream is as wide as it says."""
    shown, width = bar.format_dict, bar.format_dict["ncols"] - 1
    done, total, elapsed = shown["n"], shown["total"], shown["elapsed"]
    rate = shown["rate"] or (done / elapsed if elapsed > 0 and done else None)
    left = bar.format_interval((total - done) / rate) if rate else "?"
    layouts = _layouts(bar.desc.removesuffix(": "), f"{done / total if total else 1:4.0%}", f"{done}/{total}",
                       f"{bar.format_interval(elapsed)}<{left}", f"{rate:,.0f} batches/s" if rate else "? batches/s",
                       bar.metrics)
    for before, behind, cells in layouts:
        if cells is None and len(before) <= width:
            return before.rstrip()
        if cells is not None and len(before) + len(behind) + 2 + cells <= width:
            return bar.format_meter(**{**shown, "ncols": width, "bar_format": f"{before}|{{bar}}|{behind.rstrip()}"})
    return before[:max(width, 0)]


def _fitting(tqdm):
    """A kind of tqdm whose line fits a terminal of any width, with all metrics in it as long as there is room."""

    class Fitting(tqdm):
        metrics = {}  # noqa: RUF012  (replaced as a whole, never changed)

        def __str__(self):
            return _line(self) if self.format_dict["ncols"] else super().__str__()

    return Fitting


class Progress:
    """A tqdm bar over all batches of a training, or nothing at all.

    epochs, batches: ints, the number of epochs and of batches in each; first: the epochs that came before. show: True,
    False, or None for "where stderr is a terminal, and in a notebook". A program without stderr has no bar. For use in
    a `with` statement, which closes it.
    """

    def __init__(self, epochs: int, batches: int, show: bool | None = None, first: int = 0) -> None:
        if show is not None:
            show = check.flag("progress", show)
        self._epochs, self._bar = first + epochs, None
        if show is False or not _can_be_written_to(sys.stderr):
            return
        # tqdm is imported only where it is wanted: that takes longer than training a small network
        if in_notebook():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that there are no widgets, say: then the bar is of text
                from tqdm.auto import tqdm
        elif show or is_terminal(sys.stderr):
            from tqdm import tqdm

            tqdm = _fitting(tqdm)
        else:
            return
        self._bar = tqdm(total=epochs * batches, unit="batch", dynamic_ncols=True, file=_Stream(sys.stderr))

    def begin(self, epoch: int) -> None:
        """Shows that an epoch, counted from 0, begins."""
        if self._bar is not None:
            self._bar.set_description(f"epoch {epoch + 1}/{self._epochs}", refresh=False)

    def advance(self, batches: int) -> None:
        """Moves on by a number of batches."""
        if self._bar is not None:
            self._bar.update(batches)

    def end(self, logs: dict[str, float]) -> None:
        """Shows the values of a finished epoch, losses and all the others but for rates and times."""
        if self._bar is not None:
            shown = {k: f"{v:.4g}" for k, v in logs.items() if k not in TIMES}
            self._bar.metrics = shown
            self._bar.set_postfix(shown)

    def close(self):
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_):
        self.close()
