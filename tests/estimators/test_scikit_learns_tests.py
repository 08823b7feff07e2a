"""scikit-learn's own tests of its multilayer perceptrons, those of the version that is installed, with ours instead."""

import importlib.util
from types import ModuleType

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

pytestmark = pytest.mark.filterwarnings("default")

IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor\n"
LEFT_OUT = {
    "test_gradient": "calls the private _loss_grad_lbfgs with scikit-learn's lists of activations and deltas; ours is "
                     "compared with differences in test_estimator_settings.py",
}


def with_ours():
    """Their module of tests, in which the two classes are ours."""
    found = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    if found is None:
        pytest.skip("this scikit-learn comes without its tests", allow_module_level=True)
    with open(found.origin, encoding="utf-8") as file:
        text = file.read()
    assert text.count(IMPORT) == 1
    module = ModuleType("their_tests")
    module.__dict__["__file__"] = found.origin
    text = text.replace(IMPORT, IMPORT.replace("sklearn.neural_network", "fastbp.sklearn"))
    exec(compile(text, found.origin, "exec"), module.__dict__)
    return {name: value for name, value in vars(module).items() if name.startswith("test_")}


THEIRS = with_ours()
globals().update({name: value for name, value in THEIRS.items() if name not in LEFT_OUT})


@pytest.fixture
def global_random_seed():
    """What their conftest gives."""
    return 0


def test_they_are_there():
    assert len(THEIRS) > 30 and LEFT_OUT.keys() <= THEIRS.keys()
    assert THEIRS["test_alpha"].__globals__["MLPClassifier"].__module__.startswith("fastbp.")
