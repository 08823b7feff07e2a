"""Loss objects: their kernels exist, their scales are those of the definitions, senseless outputs are refused."""

import json
import math

import numpy as np
import pytest

from fastbp import losses
from fastbp._core import cpu

ALL = [losses.get(name) for name in losses.LOSSES]
each = pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.name)
NAMES = ["squared_error", "half_squared_error", "mse", "mae", "huber", "cross_entropy", "binary_cross_entropy",
         "poisson", "quantile"]


def test_names_and_classes():
    assert list(losses.LOSSES) == NAMES
    assert [type(loss).__name__ for loss in ALL] == [
        "SquaredError", "HalfSquaredError", "MSE", "MAE", "Huber", "CrossEntropy", "BinaryCrossEntropy", "Poisson",
        "Quantile",
    ]


def test_every_kernel_is_used_and_every_loss_has_one():
    used = {loss.kernel(labels) for loss in ALL for labels in (False, True)}
    used |= {losses.get(loss.name).__class__(missing="ignore").kernel() for loss in ALL if not loss.takes_labels}
    assert used == set(cpu.losses())


def test_labels_choose_the_kernel():
    assert losses.CrossEntropy().kernel(False) == "cross_entropy"
    assert losses.CrossEntropy().kernel(True) == "cross_entropy_labels"
    assert losses.MSE().kernel(True) == losses.MSE().kernel(False) == "squared_error"


@each
def test_scale(loss):
    """From the definitions: 1 / n for sums over units and for cross-entropy, 1 / (n units) for the others."""
    summed = {"squared_error", "half_squared_error", "cross_entropy"}
    assert loss.scale(8, 5) == (1 / 8 if loss.name in summed else 1 / 40)


@each
def test_links(loss):
    links = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "poisson": "exponential"}
    assert loss.link == links.get(loss.name)
    assert loss.link is None or loss.link in cpu.activations()
    assert loss.classification == (loss.name in ("cross_entropy", "binary_cross_entropy"))


def test_params():
    assert losses.Huber(2).param == 2.0 and losses.Quantile(0.9).param == 0.9
    assert losses.CrossEntropy(0.1).param == 0.1
    assert [type(loss.param) for loss in ALL] == [float] * len(ALL)
    assert [loss.param for loss in ALL] == [0, 0, 0, 0, 1, 0, 0, 0, 0.5]


@pytest.mark.parametrize(
    "kind, make, message",
    [
        (ValueError, lambda: losses.Huber(0), "delta is 0, expected a finite number > 0; choose delta"),
        (ValueError, lambda: losses.Huber(math.inf), "delta is inf, expected a finite number > 0"),
        (TypeError, lambda: losses.Huber("1"), "delta is '1', expected a finite number > 0"),
        (ValueError, lambda: losses.CrossEntropy(1.0), "label_smoothing is 1.0, expected .* >= 0 and < 1; choose"),
        (ValueError, lambda: losses.CrossEntropy(-0.1), "label_smoothing is -0.1, expected"),
        (ValueError, lambda: losses.Quantile(0), "q is 0, expected a finite number > 0 and < 1; choose q"),
        (ValueError, lambda: losses.Quantile(1), "q is 1, expected"),
        (ValueError, lambda: losses.get("msse"), r"loss is 'msse', expected one of: squared_error, .*; did you mean "
                                                 r"'mse'\?"),
        (TypeError, lambda: losses.get(None), "loss is None, expected a name, one of: squared_error"),
        (TypeError, lambda: losses.get(losses.MSE), "loss is <class .*, expected a name"),
    ],
)
def test_bad_settings_are_refused(kind, make, message):
    with pytest.raises(kind, match=message):
        make()


@each
def test_linear_outputs_go_with_every_loss(loss):
    loss.check_output("linear", 3)


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy", "poisson"])
@pytest.mark.parametrize("activation", [name for name in cpu.activations() if name != "linear"])
def test_a_link_inside_wants_linear_outputs(name, activation):
    loss = losses.get(name)
    wanted = (f"output activation '{activation}' does not go with loss '{name}', expected 'linear': the loss applies "
              f"{loss.link} itself, and predict does too; make the last layer 'linear'")
    with pytest.raises(ValueError, match=wanted):
        loss.check_output(activation, 3)


@each
def test_other_losses_take_any_activation(loss):
    if loss.link is None:
        for activation in cpu.activations():
            loss.check_output(activation, 3)


def test_one_unit():
    with pytest.raises(ValueError, match=r"'cross_entropy' on 1 unit is always 0, expected 2 .* 'binary_cross_ent"):
        losses.CrossEntropy().check_output("linear", 1)
    losses.CrossEntropy().check_output("linear", 2)
    losses.BinaryCrossEntropy().check_output("linear", 1)
    with pytest.raises(ValueError, match=r"'softmax' on 1 unit is always 1, expected 2 .* 'sigmoid'"):
        losses.MSE().check_output("softmax", 1)
    losses.MSE().check_output("softmax", 2)


@pytest.mark.parametrize("loss", [*ALL, losses.Huber(0.5), losses.CrossEntropy(0.125), losses.Quantile(0.75)], ids=repr)
def test_config_and_back(loss):
    assert losses.from_config(json.loads(json.dumps(loss.config()))) == loss
    assert losses.get(loss) is loss


def test_equality_and_repr():
    assert losses.MSE() == losses.MSE() != losses.MAE()
    assert losses.Huber(1) == losses.Huber() != losses.Huber(2)
    assert repr(losses.Huber(np.float32(0.5))) == "Huber(delta=0.5)" and repr(losses.MSE()) == "MSE()"
    assert losses.Huber(0.5).config() == {"name": "huber", "delta": 0.5}


def test_losses_cannot_be_changed():
    with pytest.raises(AttributeError):
        losses.Huber().delta = -1


def test_a_loss_that_is_not_written_as_nodes_says_so():
    class Mine(losses.Loss):
        name = row = "mae"

    with pytest.raises(NotImplementedError, match=r"Mine has no nodes\(y, t\), expected the loss as nodes; write it"):
        Mine().nodes(None, None)
