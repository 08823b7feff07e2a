"""A network from a torch module, and as one; its parameters by the names that torch has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp.convert.assembly import network_of, refused, taken
from fastbp.convert.steps import Step, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastbp._check.types import Array
    from fastbp.losses import Loss
    from fastbp.network import Sequential

# {torch's class: (our name, what its settings have to be)}
_ACTIVATIONS: dict[str, tuple[str, dict[str, tuple[Any, ...]]]] = {
    "ReLU": ("relu", {}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": (0.01,)}),
    "ELU": ("elu", {"alpha": (1.0,)}),
    "CELU": ("elu", {"alpha": (1.0,)}),
    "SELU": ("selu", {}),
    "SiLU": ("silu", {}),
    "Mish": ("mish", {}),
    "Softplus": ("softplus", {"beta": (1.0,), "threshold": (20.0,)}),
    "Sigmoid": ("sigmoid", {}),
    "Hardsigmoid": ("hard_sigmoid", {}),
    "Tanh": ("tanh", {}),
    "Softsign": ("softsign", {}),
    "Softmax": ("softmax", {"dim": (1, -1)}),
    "Exponential": ("exponential", {}),
}
_CLASSES = {name: kind for kind, (name, _) in reversed(_ACTIVATIONS.items())}
_HOMES = ("torch.nn.modules.", "fastbp.convert.torch_exponential")
_TAKEN = "Sequential, Linear, LayerNorm, Dropout, Identity, Flatten or an activation that fb.Dense has"


def from_torch(module: Any, *, loss: str | Loss | None = None, seed: int = 0) -> Sequential:
    """The network that a torch module of dense layers is, with copies of its parameters and its dtype.

    module: a torch.nn.Sequential of Linear, LayerNorm, Dropout and activations, nested ones too, or one of these.
    loss: None takes cross_entropy for a module that ends with Softmax, binary_cross_entropy with Sigmoid - `predict`
    gives what the module does, as these losses apply it - and otherwise squared_error. With one of these losses and a
    module without it at its end the module's outputs are logits, and `predict` gives probabilities.

    Raises ImportError without torch, TypeError for what is no module, ValueError naming the first layer that cannot be
    taken.
    """
    torch = needed()
    loss, seed = taken(loss), check.seed("seed", seed)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module is {check.shown(module)}, expected a torch.nn.Module; pass a torch.nn.Sequential")
    steps = list(_steps(torch, module, "module"))
    if all(step.W is None and step.gamma is None for step in steps):
        raise ValueError(f"module is {check.shown(module)}, expected one with parameters; pass a dense network")
    dtypes = {str(each.dtype).removeprefix("torch.") for each in module.parameters()} or {"float32"}
    if len(dtypes) > 1:
        raise ValueError(f"module has parameters of {' and '.join(sorted(dtypes))}, expected one dtype; call "
                         "module.float() first")
    dtype: Any = dtypes.pop()
    return network_of(steps, loss, dtype, seed)


def _steps(torch: Any, module: Any, where: str) -> Iterator[Step]:
    """The steps of a module and those in it, in order."""
    nn, kind = torch.nn, type(module)
    base: Any
    names = [name for name in ("_forward_hooks", "_forward_pre_hooks") if getattr(module, name)]
    place = f"{where} ({kind.__name__})"
    if names:
        raise refused(place, "with hooks, which may change what it gives", "a module without", "remove them")
    base = next((one for one in kind.__mro__ if one.__module__.startswith(_HOMES)), None)
    if base is None or base is nn.Module or kind.forward is not base.forward or "forward" in module.__dict__:
        raise refused(place, f"a {check.shown(kind.__qualname__)}", _TAKEN, "pass its layers in a torch.nn.Sequential")
    name = base.__name__
    if base is nn.Sequential:
        for key, child in module._modules.items():
            yield from _steps(torch, child, f"{where}[{key}]" if key.isdigit() else f"{where}.{key}")
    elif base is nn.Linear:
        W = _array(torch, module.weight, place).T
        bias = np.zeros(W.shape[1], W.dtype) if module.bias is None else _array(torch, module.bias, place)
        yield Step("dense", place, W=W, b=bias)
    elif base is nn.LayerNorm:
        yield _norm(torch, module, place)
    elif base is nn.Dropout:
        yield Step("dropout", place, rate=float(module.p))
    elif base is nn.GELU:
        yield Step("activation", place, name="gelu_tanh" if module.approximate == "tanh" else "gelu")
    elif base is nn.Flatten and (module.start_dim, module.end_dim) in ((1, -1), (1, 1), (-1, -1)):
        return
    elif name in _ACTIVATIONS:
        own, settings = _ACTIVATIONS[name]
        for setting, values in settings.items():
            if getattr(module, setting) not in values:
                raise refused(place, f"with {setting}={check.shown(getattr(module, setting))}",
                              " or ".join(map(str, values)), "choose an activation that fb.Dense has")
        yield Step("activation", place, name=own)
    elif base is not nn.Identity:
        raise refused(place, check.shown(module), _TAKEN, "leave it out, or replace it")


def _norm(torch: Any, module: Any, place: str) -> Step:
    """A LayerNorm over the one axis of a row, its scale and shift there or not."""
    if len(module.normalized_shape) != 1:
        raise refused(place, f"over the shape {tuple(module.normalized_shape)}", "one width", "pass a dense network")
    width = module.normalized_shape[0]
    gamma = None if module.weight is None else _array(torch, module.weight, place)
    beta = None if module.bias is None else _array(torch, module.bias, place)
    return Step("layer_norm", place, gamma=np.ones(width) if gamma is None else gamma,
                beta=np.zeros(width) if beta is None else beta, eps=float(module.eps))


def _array(torch: Any, tensor: Any, place: str) -> Array:
    """A parameter as an array of its own."""
    if tensor.dtype not in (torch.float32, torch.float64):
        raise refused(place, f"of {tensor.dtype}", "torch.float32 or torch.float64", "call module.float() first")
    if tensor.is_meta:
        raise refused(place, "on the device meta, without values", "parameters that are there", "load them first")
    return np.array(tensor.detach().cpu().numpy())


def to_torch(net: Sequential, link: bool = True) -> Any:
    """A torch.nn.Sequential, in evaluation mode, that gives what `predict` does, with copies of the parameters.

    link: False leaves out the loss's link, so that the outputs are logits, as torch's losses take them. The scale
    of the inputs is in the first layer's weights, or, of a LayerNorm, in its eps.

    Raises ImportError without torch, else as `to_c`.
    """
    torch = needed()
    check.flag("link", link)
    scale, modules = 1.0, []
    for step in steps_of(net, link):
        if step.kind == "scale":
            scale = step.factor
        elif step.kind == "dense":
            with np.errstate(over="ignore"):
                W = step.W.T * net.dtype.type(scale)
            _check_scaled(net, bool(np.isfinite(W).all()))
            modules.append(_filled(torch, torch.nn.Linear(*step.W.shape, dtype=_dtype(torch, net)), weight=W,
                                   bias=step.b))
            scale = 1.0
        elif step.kind == "layer_norm":
            eps = step.eps / scale / scale
            _check_scaled(net, scale == 1 or 1e-30 <= eps <= 1e30)  # what has a root and a square in float32
            made = torch.nn.LayerNorm(len(step.gamma), eps=eps, dtype=_dtype(torch, net))
            modules.append(_filled(torch, made, weight=step.gamma, bias=step.beta))
            scale = 1.0
        elif step.kind == "dropout":
            modules.append(torch.nn.Dropout(step.rate))
        else:
            modules.append(_activation(torch, step.name))
    return torch.nn.Sequential(*modules).eval()


def _check_scaled(net: Sequential, fits: bool) -> None:
    """Refuses a scale of the inputs that the first layer cannot have in it."""
    if not fits:
        raise ValueError(f"input_scale is {net.input_scale}, expected one that the first layer's numbers can be "
                         "multiplied by; scale the data instead")


def _dtype(torch: Any, net: Sequential) -> Any:
    return getattr(torch, net.dtype.name)


def _filled(torch: Any, module: Any, **values: Array) -> Any:
    """The module, with copies of these values as its parameters."""
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name).copy_(torch.from_numpy(np.ascontiguousarray(value)))
    return module


def _activation(torch: Any, name: str) -> Any:
    """The module of an activation."""
    if name in ("gelu", "gelu_tanh"):
        return torch.nn.GELU(approximate="tanh" if name == "gelu_tanh" else "none")
    if name == "exponential":
        from fastbp.convert.torch_exponential import Exponential

        return Exponential()
    return torch.nn.Softmax(dim=-1) if name == "softmax" else getattr(torch.nn, _CLASSES[name])()


def state_dict(net: Sequential) -> dict[str, Array]:
    """{torch's name: array} of the parameters, copies in torch's layout, as `net.to_torch().state_dict()` names them.

    The weights are the network's own: a scale of the inputs is not in them. Needs no torch.
    """
    return {name: np.array(view) for name, view in _named(net).items()}


def load_state_dict(net: Sequential, state: Mapping[str, Any]) -> None:
    """Writes a state_dict of torch's, tensors or arrays, into the parameters of a network of the same layers.

    Raises ValueError or TypeError for other names, shapes, or what is not finite; nothing is then changed.
    """
    check.vectors(net, ("params",))
    views, values = _named(net), {}
    if not hasattr(state, "keys"):
        raise TypeError(f"state is {check.shown(state)}, expected a dict of tensors or arrays; pass "
                        "module.state_dict()")
    if {*state} != {*views}:
        raise ValueError(f"state has the names {', '.join(map(str, state))}, expected {', '.join(views)}, as the "
                         "network's layers need; pass the state of the same layers")
    for name, view in views.items():
        tensor = state[name]
        array = np.asarray(tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else tensor)
        if array.shape != view.shape or array.dtype.kind != "f":
            raise ValueError(f"state[{name!r}] is {check.shown(array)}, expected floats of shape {view.shape}; pass "
                             "the state of the same layers")
        if not np.isfinite(array).all():
            raise ValueError(f"state[{name!r}] has numbers that are not finite, expected finite ones; train with a "
                             "smaller lr")
        values[name] = array.astype(net.dtype)
    for name, view in views.items():
        view[...] = values[name]


def _named(net: Sequential) -> dict[str, Array]:
    """{torch's name: a view of a parameter in torch's layout}."""
    found: dict[str, Array] = {}
    steps = [step for step in steps_of(net) if step.kind != "scale"]
    layers = {f"layers[{i}]": layer for i, layer in enumerate(net.layers)}
    for number, step in enumerate(steps):
        if step.kind in ("dense", "layer_norm"):
            weight, bias = layers[step.where].values()
            found[f"{number}.weight"], found[f"{number}.bias"] = weight.T, bias
    return found


def needed() -> Any:
    """The package torch."""
    try:
        import torch
    except ImportError:
        raise ImportError("torch is not installed, which modules need; pip install torch") from None
    return torch
