"""fastbp/_training/progress.py: where there is a bar, and that nothing about a stream ends a training."""

import errno
import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import fastbp as fb
from fastbp._training.progress import Progress, in_notebook, is_terminal


def show(progress):
    with Progress(2, 10, progress) as bar:
        for epoch in range(2):
            bar.begin(epoch)
            bar.advance(4)
            bar.advance(6)
            bar.end({"loss": 0.25, "val_accuracy": 0.5, "seconds": 1.0})


def test_progress_is_silent_without_a_terminal_or_when_asked(capsys, monkeypatch):
    show(None)
    show(False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    show(False)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", None)
    show(None)


def test_progress_shows_on_a_terminal_and_when_asked(capsys, monkeypatch):
    def shown(progress):
        show(progress)
        out, err = capsys.readouterr()
        assert out == ""
        last = err.rstrip().split("\r")[-1]
        assert "epoch 2/2" in last and "20/20" in last and "loss=0.25" in last and "val_accuracy=0.5" in last
        assert "seconds" not in err

    shown(True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown(None)


def test_progress_refuses_what_is_not_a_flag():
    with pytest.raises(TypeError, match=r"progress is 'yes', expected True or False"):
        Progress(1, 1, "yes")


# ---- streams of all kinds --------------------------------------------------------------------------------------------


class NoStream:
    """Neither writes nor knows what it is."""


class Gone(io.StringIO):
    """A terminal that was closed: the system says so."""

    def isatty(self):
        return True

    def write(self, text):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    def flush(self):
        self.write("")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS = {"none": lambda: None, "closed": closed, "no stream": NoStream, "gone": Gone, "text": io.StringIO}


@pytest.mark.parametrize("progress", [True, False, None])
@pytest.mark.parametrize("stream", STREAMS)
def test_no_stream_ends_a_training(stream, progress, monkeypatch):
    monkeypatch.setattr(sys, "stderr", STREAMS[stream]())
    net = fb.mlp(2, 3, 1)
    history = net.fit(np.ones((4, 2)), np.ones(4), epochs=2, progress=progress)
    assert len(history.epoch) == 2
    if stream == "text":
        assert ("epoch 2/2" in sys.stderr.getvalue()) is (progress is True)


def test_a_stream_that_goes_during_a_training_takes_the_bar_with_it(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    history = fb.mlp(2, 1).fit(np.ones((4, 2)), np.ones(4), epochs=3, progress=True,
                               callbacks=lambda net, epoch, logs: stream.close())
    assert len(history.epoch) == 3


def test_what_a_signals_handler_raises_is_not_passed_over():
    def late():
        raise TimeoutError

    with pytest.raises(TimeoutError):
        is_terminal(SimpleNamespace(isatty=late))


def test_a_terminal_is_one_that_says_so():
    assert is_terminal(Gone())
    assert not any(is_terminal(make()) for name, make in STREAMS.items() if name != "gone")


# ---- notebooks -------------------------------------------------------------------------------------------------------


def notebook(monkeypatch, config):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: config))


def test_a_notebook_has_a_bar_unasked_and_says_nothing_of_widgets(monkeypatch, capsys):
    notebook(monkeypatch, SimpleNamespace(config={"IPKernelApp": {}}))
    assert in_notebook()
    for name in ("tqdm.auto", "tqdm.autonotebook"):  # as if for the first time
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", SimpleNamespace())
    show(None)
    assert "20/20" in capsys.readouterr().err
    show(False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("shell", [None, SimpleNamespace(), SimpleNamespace(config={"TerminalIPythonApp": {}})])
def test_what_is_no_notebook(shell, monkeypatch, capsys):
    notebook(monkeypatch, shell)
    assert not in_notebook()
    show(None)
    assert capsys.readouterr().err == ""
