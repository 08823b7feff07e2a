"""fastbp/convert/torch.py: modules become networks that say the same, and networks modules, by torch's own names."""

import copy
import pickle
import re

import numpy as np
import pytest

import fastbp as fb
from convert.networks import EXAMPLES, rows
from fastbp import convert
from fastbp._core import cpu

torch = pytest.importorskip("torch")
nn = torch.nn


def said_by_torch(module, X):
    with torch.no_grad():
        return module(torch.from_numpy(np.ascontiguousarray(X))).numpy()


def close(found, wanted):
    tolerance = 1e-12 if found.dtype == np.float64 else 1e-6
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_network_becomes_a_module_and_a_network_again(name, dtype):
    config = {**EXAMPLES[name].config(), "dtype": dtype}
    net = fb.Sequential.from_config(config)
    net.params[:] = EXAMPLES[name].params
    X = rows(net)
    module = net.to_torch()
    close(said_by_torch(module, X), net.predict(X))
    again = fb.from_torch(module)
    assert again.dtype == net.dtype and [layer.kind for layer in again.layers] == [layer.kind for layer in net.layers]
    close(again.predict(X), net.predict(X))
    assert not any(np.shares_memory(each.detach().numpy(), net.params) for each in module.parameters())


def test_every_activation_is_tried():
    assert {*cpu.activations()} <= {*EXAMPLES}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nested_modules_of_every_kind(dtype):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Flatten(), nn.LayerNorm(6, elementwise_affine=False), nn.Linear(6, 9, bias=False), nn.SiLU(), nn.Identity(),
        nn.Sequential(nn.Dropout(0.3), nn.Linear(9, 8), nn.GELU(), nn.Sequential(nn.LayerNorm(8, bias=False))),
        nn.Linear(8, 3), nn.Softmax(dim=1)).to(dtype).eval()  # fmt: skip
    X = torch.randn(20, 6, dtype=dtype)
    net = fb.from_torch(module, seed=4)
    close(net.predict(X.numpy()), module(X).detach().numpy())
    assert (net.loss.name, net.seed, net.layers[2].rate) == ("cross_entropy", 4, 0.3)
    assert [layer.kind for layer in net.layers] == ["layer_norm", "dense", "dropout", "dense", "layer_norm", "dense"]


def test_logits_become_probabilities_by_the_loss():
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    X = torch.randn(7, 4)
    net = fb.from_torch(module, loss="cross_entropy")
    close(net.predict(X.numpy()), module(X).softmax(1).detach().numpy())
    close(net.forward(X.numpy()), module(X).detach().numpy())
    close(said_by_torch(net.to_torch(link=False), X.numpy()), module(X).detach().numpy())
    assert fb.from_torch(module).loss.name == "squared_error"
    assert fb.from_torch(nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())).loss.name == "binary_cross_entropy"


def test_a_gradient_is_that_of_torch():
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(4, 6), nn.Mish(), nn.LayerNorm(6), nn.Linear(6, 3)).double()
    X, y = torch.randn(9, 4, dtype=torch.float64), torch.randint(0, 3, (9,))
    net = fb.from_torch(module, loss="cross_entropy")
    loss = nn.functional.cross_entropy(module(X), y)
    loss.backward()
    assert abs(net.loss_and_grad(X.numpy(), y.numpy()) - loss.item()) < 1e-12
    close(net.layers[0].dW, module[0].weight.grad.T.numpy())
    close(net.layers[1].dgamma, module[2].weight.grad.numpy())


@pytest.mark.parametrize("name", ["norms", "relu", "link of poisson", "float64", "scaled"])
def test_state_dicts_have_torchs_names_and_go_either_way(name):
    net = EXAMPLES[name]
    module = net.to_torch()
    state = convert.state_dict(net)
    wanted = module.state_dict()
    assert [(key, value.shape) for key, value in state.items()] == [
        (key, tuple(value.shape)) for key, value in wanted.items()]
    if net.input_scale == 1:
        assert all((state[key] == wanted[key].numpy()).all() for key in state)
    assert not any(np.shares_memory(value, net.params) for value in state.values())
    module.load_state_dict({key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in state.items()})
    other = copy.deepcopy(net)
    other.params[:] = 0
    convert.load_state_dict(other, module.state_dict())
    assert (other.params == net.params).all()


@pytest.mark.parametrize(("change", "said"), [
    (lambda state: state.pop("0.bias"), "state has the names 0.weight, 2.weight, 2.bias, expected 0.weight, 0.bias"),
    (lambda state: state.update({"0.weight": np.zeros((3, 2))}), "state['0.weight'] is an array of shape (3, 2)"),
    (lambda state: state.update({"2.bias": np.array(["a", "b"])}), "state['2.bias'] is an array of shape (2,)"),
    (lambda state: state.update({"2.bias": np.array([np.nan, 1])}), "state['2.bias'] has numbers that are not finite"),
])
def test_other_state_dicts_are_refused_and_nothing_changes(change, said):
    net = fb.mlp(4, 3, 2)
    before, state = net.params.copy(), {key: value + 1 for key, value in convert.state_dict(net).items()}
    change(state)
    with pytest.raises(ValueError, match=re.escape(said)):
        convert.load_state_dict(net, state)
    with pytest.raises(TypeError, match=r"state is 3 .*, expected a dict of tensors or arrays; pass module.state_dict"):
        convert.load_state_dict(net, 3)
    assert (net.params == before).all()


class Doubling(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


class Renamed(nn.Sequential):
    pass


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        return self.layer(x)


def hooked():
    module = nn.Sequential(nn.Linear(4, 2), nn.Tanh())
    module[1].register_forward_hook(lambda *_: None)
    return module


def replaced():
    module = nn.Sequential(nn.Linear(4, 2))
    module.forward = lambda x: 2 * x
    return module


REFUSED = {
    "a forward of the object's own": (replaced(), "module (Sequential) is a 'Sequential', expected Sequential, Linear"),
    "a convolution": (nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Conv1d(1, 1, 2))), "module[1][0] (Conv1d) is"),
    "batch normalisation": (nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)), "module[1] (BatchNorm1d) is"),
    "another slope": (nn.Sequential(nn.Linear(4, 2), nn.LeakyReLU(0.2)),
                      "module[1] (LeakyReLU) is with negative_slope=0.2 (float), expected 0.01; choose an activation"),
    "softmax over the rows": (nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=0)), "module[1] (Softmax) is with dim=0"),
    "softmax in between": (nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=1), nn.Linear(2, 2)),
                           "module[1] (Softmax) is a softmax with module[2] (Linear) behind it"),
    "a forward of its own": (nn.Sequential(Doubling(nn.Linear(4, 2))), "module[0] (Doubling) is a 'Doubling'"),
    "a module of one's own": (Own(), "module (Own) is a 'Own', expected Sequential, Linear, LayerNorm"),
    "hooks": (hooked(), "module[1] (Tanh) is with hooks, which may change what it gives, expected a module without"),
    "half precision": (nn.Sequential(nn.Linear(4, 2)).half(), "module[0] (Linear) is of torch.float16, expected"),
    "two dtypes": (nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2).double()),
                   "module has parameters of float32 and float64, expected one dtype; call module.float() first"),
    "no values": (nn.Sequential(nn.Linear(4, 2, device="meta")), "module[0] (Linear) is on the device meta"),
    "all left out": (nn.Sequential(nn.Linear(4, 4), nn.Dropout(1.0), nn.Linear(4, 2)), "module[1] (Dropout): rate is"),
    "widths that do not fit": (nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 2)), "takes 4 inputs, expected 3"),
    "nothing": (nn.Sequential(), "module is Sequential() (Sequential), expected one with parameters"),
    "an image": (nn.Sequential(nn.LayerNorm([2, 3]), nn.Linear(4, 2)), "module[0] (LayerNorm) is over the shape"),
    "flattened whole": (nn.Sequential(nn.Flatten(0), nn.Linear(4, 2)), "module[0] (Flatten) is"),
    "a lazy layer": (nn.Sequential(nn.LazyLinear(2)), "module[0] (LazyLinear) is"),
}


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("name", REFUSED)
def test_the_first_layer_that_cannot_be_taken_is_named(name):
    module, said = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(said)):
        fb.from_torch(module)


@pytest.mark.parametrize(("scale", "first"), [
    (1e-25, fb.LayerNorm(4)), (1e25, fb.LayerNorm(4)), (3e38, fb.Dense(4, 4)),
])
def test_a_scale_that_the_first_layer_cannot_have_in_it_is_refused(scale, first):
    net = fb.Sequential(first, fb.Dense(4, 2), input_scale=scale)
    net.params[:] = 2
    with pytest.raises(ValueError, match=r"input_scale is .*, expected one that the first layer's numbers can be"):
        net.to_torch()


def test_what_is_no_module_and_no_loss_is_refused():
    with pytest.raises(TypeError, match=r"module is 3 .*, expected a torch.nn.Module; pass a torch.nn.Sequential"):
        fb.from_torch(3)
    with pytest.raises(ValueError, match="loss is 'no loss', expected"):
        fb.from_torch(nn.Linear(2, 2), loss="no loss")
    with pytest.raises(TypeError, match="link is"):
        fb.mlp(2, 2).to_torch(link="yes")
    broken = nn.Linear(4, 2)
    with torch.no_grad():
        broken.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"module \(Linear\) has weights that are not finite"):
        fb.from_torch(broken)


def test_a_subclass_that_adds_nothing_is_taken_and_exp_is_a_module_that_pickles():
    assert fb.from_torch(Renamed(nn.Linear(4, 2))).units == 2
    module = EXAMPLES["link of poisson"].to_torch()
    X = rows(EXAMPLES["link of poisson"])
    assert (said_by_torch(pickle.loads(pickle.dumps(module)), X) == said_by_torch(module, X)).all()
