"""Fixtures of all tests: every ISA of this machine, both dtypes, one and several threads."""

import os
import signal

import numpy as np
import pytest
from model_files import saved_model
from small_network import INPUTS, UNITS, N

from fastbp import cli
from fastbp._core import cpu


def pytest_ignore_collect(collection_path, config):
    """`pytest -m smoke` imports the files that have such tests and no others: that would take longer than the tests."""
    if config.getoption("markexpr") == "smoke" and collection_path.name.startswith("test_"):
        return "mark.smoke" not in collection_path.read_text(encoding="utf-8") or None
    return None


@pytest.fixture(scope="session", autouse=True)
def elsewhere(tmp_path_factory):
    """Tests run in an empty folder: in the checkout, a Python they start would import the sources, which are not
    compiled, instead of what is installed."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(before)


@pytest.fixture(scope="session", autouse=True)
def teams_of_any_size():
    """A test of three threads has three, on any machine and in any weather."""
    cpu.force_teams(True)
    yield
    cpu.force_teams(False)


THREADS = cpu.threads()


@pytest.fixture(autouse=True)
def default_number_of_threads():
    """Whatever a test sets, in the environment as well: this is set up first, and so is the last to end."""
    yield
    if cpu.threads() != THREADS:
        cpu.set_threads(None)


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Ctrl-C is an exception here and in every process a test starts, also where the tests were started by a shell in
    the background, which ignores it and hands that down."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def no_screen():
    """pytest-xdist tells its processes how wide the screen is; what the command prints there is for a pipe."""
    before = os.environ.pop("COLUMNS", None)
    yield
    if before is not None:
        os.environ["COLUMNS"] = before


@pytest.fixture(params=cpu.available())
def isa(request):
    """Each ISA of this machine in turn; it is in use during the test."""
    before = cpu.selected()
    cpu.use(request.param)
    yield request.param
    cpu.use(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    """The default number of threads during the test."""
    cpu.set_threads(request.param)
    yield request.param
    cpu.set_threads(None)


@pytest.fixture
def tolerance(dtype):
    """How far compiled results may be from the reference, relative to their size."""
    return {"float32": 1e-5, "float64": 1e-12}[dtype]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def data(rng):
    """X (50, 6), Y (50, 3) of float32, and labels (50,), for the network of small_network.py."""
    return (rng.standard_normal((N, INPUTS)).astype("float32"), rng.standard_normal((N, UNITS)).astype("float32"),
            rng.integers(0, UNITS, N))


@pytest.fixture
def saved(tmp_path):
    """A saved model's path, and a function that writes it again with its description or parameters changed."""
    path = tmp_path / "net.safetensors"
    return path, saved_model(path)


@pytest.fixture
def run_line(capsys):
    """Runs a command line, given word by word; gives exit code, stdout and stderr."""

    def run(*line):
        code = cli.main([str(each) for each in line])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The empty folder that the test runs in; afterwards there is one default number of threads."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    cpu.set_threads(None)
