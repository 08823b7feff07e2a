"""The bar over a training: where it is shown, and a stream for it that never fails."""

import sys
import warnings
from contextlib import contextmanager

from fastbp import check


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


def is_terminal(stream):
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


def in_notebook():
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


class Progress:
    """A tqdm bar over all batches of a training, or nothing at all.

    epochs, batches: ints, the number of epochs and of batches in each. show: True, False, or None for "where stderr is
    a terminal, and in a notebook". A program without stderr has no bar. For use in a `with` statement, which closes it.
    """

    def __init__(self, epochs, batches, show=None):
        if show is not None:
            show = check.flag("progress", show)
        self._epochs, self._bar = epochs, None
        if show is False or not _can_be_written_to(sys.stderr):
            return
        # tqdm is imported only where it is wanted: that takes longer than training a small network
        if in_notebook():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that there are no widgets, say: then the bar is of text
                from tqdm.auto import tqdm
        elif show or is_terminal(sys.stderr):
            from tqdm import tqdm
        else:
            return
        self._bar = tqdm(total=epochs * batches, unit="batch", dynamic_ncols=True, file=_Stream(sys.stderr))

    def begin(self, epoch):
        """Shows that an epoch, counted from 0, begins."""
        if self._bar is not None:
            self._bar.set_description(f"epoch {epoch + 1}/{self._epochs}", refresh=False)

    def advance(self, batches):
        """Moves on by a number of batches."""
        if self._bar is not None:
            self._bar.update(batches)

    def end(self, logs):
        """Shows the losses and accuracies of a finished epoch."""
        if self._bar is not None:
            shown = {k: f"{v:.4g}" for k, v in logs.items() if k.endswith(("loss", "accuracy"))}
            self._bar.set_postfix(shown)

    def close(self):
        if self._bar is not None:
            self._bar.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
