"""Names that a user chooses from, and what Keras, PyTorch and scikit-learn call the same things."""

from __future__ import annotations

import inspect
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any, TypeVar

from fastbp._check.numbers import settings_of
from fastbp._core.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fastbp._check.types import Config


_T = TypeVar("_T")

# For each kind of thing: the field's other names, without case, underscores and the endings of classes (Loss, LR),
# and the name here. A pair (name, why) is the nearest there is to something that is not here.
_OTHERS: dict[str, dict[str, str | tuple[str, str]]] = {
    "loss": {
        "categoricalcrossentropy": "cross_entropy", "sparsecategoricalcrossentropy": "cross_entropy",
        "softmaxcrossentropy": "cross_entropy", "xent": "cross_entropy",
        "ce": "cross_entropy", "nll": "cross_entropy", "negativeloglikelihood": "cross_entropy",
        "logloss": "cross_entropy", "log": "cross_entropy", "logistic": "binary_cross_entropy",
        "multiclass": "cross_entropy", "softmax": "cross_entropy",
        "bce": "binary_cross_entropy",
        "bcewithlogits": "binary_cross_entropy", "multilabelsoftmargin": "binary_cross_entropy",
        "sigmoidcrossentropy": "binary_cross_entropy", "sigmoid": "binary_cross_entropy",
        "binary": "binary_cross_entropy",
        "meansquarederror": "mse", "l2": "mse", "meansquared": "mse", "rmse": "mse", "rootmeansquarederror": "mse",
        "squared": "squared_error", "sse": "squared_error", "sumofsquares": "squared_error",
        "quadratic": "half_squared_error",
        "meanabsoluteerror": "mae", "l1": "mae", "absoluteerror": "mae", "leastabsolutedeviations": "mae",
        "smoothl1": "huber", "pinball": "quantile", "poissonnll": "poisson",
        "logcosh": ("huber", "it is quadratic near 0 and linear far from it as well"),
        "hinge": ("cross_entropy", "or 'binary_cross_entropy' for one output"),
        "squaredhinge": ("cross_entropy", "or 'binary_cross_entropy' for one output"),
        "categoricalhinge": ("cross_entropy", ""), "multimargin": ("cross_entropy", ""),
        "modifiedhuber": ("binary_cross_entropy", ""), "perceptron": ("binary_cross_entropy", ""),
        "focal": ("cross_entropy", "with class_weight for rare classes"),
        "kldivergence": ("cross_entropy", "whose gradient is the same for fixed targets"),
        "kldiv": ("cross_entropy", "whose gradient is the same for fixed targets"),
        "kld": ("cross_entropy", "whose gradient is the same for fixed targets"),
        "gaussiannll": ("mse", "or write it as an expression (fastbp.graph)"),
        "mape": ("mae", "or write it as an expression (fastbp.graph)"),
        "meanabsolutepercentageerror": ("mae", "or write it as an expression (fastbp.graph)"),
        "msle": ("mse", "of the logarithm of y"), "meansquaredlogarithmicerror": ("mse", "of the logarithm of y"),
        "cosinesimilarity": ("mse", "or write it as an expression (fastbp.graph)"),
        "cosineembedding": ("mse", "or write it as an expression (fastbp.graph)"),
        "tversky": ("cross_entropy", ""), "dice": ("cross_entropy", ""), "ctc": ("cross_entropy", ""),
        "epsiloninsensitive": ("huber", ""), "tweedie": ("poisson", ""), "gamma": ("poisson", ""),
    },
    "activation": {
        "swish": "silu", "identity": "linear", "none": "linear", "logistic": "sigmoid", "expit": "sigmoid",
        "lrelu": "leaky_relu", "rectifier": "relu", "rectified": "relu",
        "geluapproximate": "gelu_tanh", "gelunew": "gelu_tanh", "exp": "exponential", "hyperbolictangent": "tanh",
        "relu6": ("relu", "which is not cut off at 6"), "prelu": ("leaky_relu", "whose slope is fixed"),
        "rrelu": ("leaky_relu", "whose slope is fixed"), "celu": ("elu", ""), "hardtanh": ("tanh", ""),
        "hardswish": ("silu", ""), "hardsilu": ("silu", ""), "logsigmoid": ("sigmoid", ""),
        "logsoftmax": ("linear", "with the loss 'cross_entropy', which has log-softmax in it"),
        "softmin": ("softmax", ""), "sparsemax": ("softmax", ""), "glu": ("silu", ""), "swiglu": ("silu", ""),
        "threshold": ("relu", ""), "step": ("hard_sigmoid", ""), "heaviside": ("hard_sigmoid", ""),
        "sign": ("softsign", ""), "tanhshrink": ("tanh", ""), "softshrink": ("softsign", ""),
        "sin": ("tanh", "or write sin as an expression (fastbp.graph)"), "maxout": ("relu", ""),
    },
    "optimizer": {
        "stochasticgradientdescent": "sgd", "gradientdescent": "sgd", "gd": "sgd", "sgdmomentum": "sgd",
        "momentum": ("sgd", "as fb.SGD(lr, momentum=0.9)"), "nesterov": ("sgd", "as fb.SGD(lr, momentum=0.9, "
                                                                         "nesterov=True)"),
        "nag": ("sgd", "as fb.SGD(lr, momentum=0.9, nesterov=True)"), "adamweightdecay": "adamw",
        "adamax": ("adam", ""), "nadam": ("adam", ""), "radam": ("adam", ""), "amsgrad": ("adam", ""),
        "adabelief": ("adam", ""), "adadelta": ("rmsprop", ""), "rprop": ("rmsprop", "its form for mini-batches"),
        "lion": ("adamw", ""), "lamb": ("adamw", ""), "adafactor": ("adam", ""), "muon": ("adamw", ""),
        "sparseadam": ("adam", ""), "asgd": ("sgd", ""), "lars": ("sgd", ""), "ftrl": ("adagrad", ""),
        "lbfgs": ("adam", ""), "bfgs": ("adam", ""), "newton": ("adam", ""), "cg": ("adam", ""),
    },
    "init": {
        "kaiming": "he_normal", "kaimingnormal": "he_normal", "kaiminguniform": "he_uniform", "he": "he_normal",
        "xavier": "glorot_uniform", "xaviernormal": "glorot_normal", "xavieruniform": "glorot_uniform",
        "glorot": "glorot_uniform", "lecun": "lecun_normal", "zero": "zeros", "constant": "zeros",
        "variancescaling": ("he_normal", ""), "orthogonal": ("glorot_uniform", "or pass an array"),
        "truncatednormal": ("glorot_normal", "or pass an array"), "truncnormal": ("glorot_normal", "or pass an array"),
        "normal": ("glorot_normal", "or pass an array"), "randomnormal": ("glorot_normal", "or pass an array"),
        "uniform": ("glorot_uniform", "or pass an array"), "randomuniform": ("glorot_uniform", "or pass an array"),
        "random": ("glorot_uniform", "or pass an array"), "ones": ("zeros", "or pass an array"),
        "eye": ("glorot_uniform", "or pass an array"), "identity": ("glorot_uniform", "or pass an array"),
        "sparse": ("glorot_normal", "or pass an array"), "dirac": ("glorot_uniform", "or pass an array"),
    },
    "schedule": {
        "cosineannealing": "cosine", "cosinedecay": "cosine", "cosineannealingwarmrestarts": ("cosine", ""),
        "cosinedecayrestarts": ("cosine", ""), "exponentialdecay": "exponential", "exp": "exponential",
        "steplr": "step", "multistep": ("step", ""), "piecewiseconstantdecay": ("step", ""),
        "piecewiseconstant": ("step", ""), "1cycle": "one_cycle",
        "linearwarmup": "warm_up", "plateau": "reduce_on_plateau", "reducelronplateau": "reduce_on_plateau",
        "adaptive": "reduce_on_plateau", "linearlr": "linear", "lineardecay": "linear", "none": "constant",
        "fixed": "constant", "polynomial": ("linear", ""), "polynomialdecay": ("linear", ""),
        "invscaling": ("exponential", ""), "inversetimedecay": ("exponential", ""), "cyclic": ("one_cycle", ""),
        "triangular": ("one_cycle", ""), "noam": ("warm_up", ""), "lambda": ("exponential", ""),
    },
    "setting": {
        "learningrate": "lr", "eta": "lr", "initiallearningrate": "lr", "learningrateinit": "lr", "maxlr": "peak",
        "epsilon": "eps", "decay": "weight_decay", "l2": "weight_decay", "alpha": "weight_decay", "betas": "beta1",
        "globalclipnorm": "clip_norm", "maxgradnorm": "clip_norm", "nesterovsmomentum": "nesterov",
        "tmax": "steps", "totalsteps": "steps", "decaysteps": "steps", "stepsize": "every", "gamma": "factor",
        "decayrate": "decay", "etamin": "final", "minlearningrate": "min_lr",
    },
}
_KINDS = {"output": "activation", "bias_init": "init", "name": "loss"}
_ENDINGS = ("loss", "lr", "optimizer", "initializer", "schedule", "scheduler", "error")


def choice(name: str, value: object, choices: Iterable[str]) -> str:
    """`value` where it is one of `choices` (strings); otherwise an error that suggests the right name, or the nearest.

    The last word of `name` - loss, activation, output, optimizer, init, bias_init, schedule - says which other names
    are known.
    """
    choices = tuple(choices)
    listed = ", ".join(choices)
    if not isinstance(value, str):
        raise TypeError(f"{name} is {shown(value)}, expected a name, one of: {listed}; pass one of them")
    if value not in choices:
        advice = _hint(name, value, choices) or "choose one of them"
        raise ValueError(f"{name} is {shown(value)}, expected one of: {listed}; {advice}")
    return value


def build(what: str, table: Mapping[str, type[_T]], config: object) -> _T:
    """The object that config() described: {"name": a key of table, then arguments of that class by name}.

    Raises TypeError where config is not a dict, ValueError for an unknown name or argument.
    """
    if not isinstance(config, dict):
        raise TypeError(f"{what} is {shown(config)}, expected a dict such as the one config() gives; pass that")
    if "name" not in config:
        raise ValueError(f"{what} has no 'name', expected one of: {', '.join(table)}; add it")
    cls = table[choice(what, config["name"], table)]
    known: Config = cls.settings()  # type: ignore[attr-defined]  # of the classes that are built
    listed = ", ".join(known) or "none"
    settings = {key: value for key, value in config.items() if key != "name"}
    for key in settings:
        if key not in known:
            raise ValueError(_no_setting(f"{what} {config['name']!r}", key, known))
    for key in known:
        if known[key] is MISSING and key not in settings:
            raise ValueError(f"{what} {config['name']!r} lacks the setting {key!r}, expected: {listed}; add it")
    return cls(**settings)


def settings(cls: Any, given: Mapping[str, object]) -> None:
    """Refuses names of arguments that `cls`, a dataclass or a user's subclass with an `__init__` of its own, does not
    take: TypeError, as Python would raise, but with the name that is meant."""
    if given.keys() <= settings_of(cls).keys():
        return  # what it does not take of these, Python says
    _, *taken = inspect.signature(cls.__init__, follow_wrapped=False).parameters.values()  # without self
    if any(each.kind is each.VAR_KEYWORD for each in taken):
        return
    known = [each.name for each in taken if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    for key in given:
        if key not in known:
            raise TypeError(_no_setting(cls.__name__, key, known))


def _no_setting(what: str, key: str, known: Iterable[str]) -> str:
    advice = _hint("setting", key, known) or "leave it out"
    return f"{what} has no setting {key!r}, expected: {', '.join(known) or 'none'}; {advice}"


def nearest(value: str, **tables: Mapping[str, Any]) -> str:
    """What to say of a name that is none here but in one of these tables, {kind: {name: class}}, or "": whose class is
    meant, or is the nearest."""
    for kind, table in tables.items():
        for form in _forms(value):
            found = _OTHERS[kind].get(form)
            key, why = (found, "") if isinstance(found, str) else found or ("", "")
            if key in table:
                meant = f"fb.{table[key].__name__}" if kind == "optimizer" else f"fb.{kind}s.{table[key].__name__}"
                return f"the nearest is {meant}{', ' * bool(why)}{why}; "
    return ""


def _hint(name: str, value: str, choices: Iterable[str]) -> str:
    """What a message says of the name that was meant."""
    word = name.rpartition(".")[2].removeprefix("--")
    others = _OTHERS.get(_KINDS.get(word, word), {})
    known = tuple(choices)
    plain: dict[str, str | tuple[str, str]] = {_plain(each): each for each in known}
    forms = list(dict.fromkeys(form for text in (value, value.rpartition(".")[2]) for form in _forms(text)))
    for form in forms:
        found = plain.get(form) or others.get(form)
        if isinstance(found, str) and found in known:
            return f"did you mean {found!r}?"
        if found and found[0] in known:
            return f"there is none of that name, the nearest is {found[0]!r}{', ' * bool(found[1])}{found[1]}"
    import difflib  # only for somebody who has mistyped a name

    # a slip of the finger in a name here or in one of the others' names, or else what is not too far from a name here
    for names, cutoff in ((plain, 0.75), (others, 0.75), (plain, 0.5)):
        near = difflib.get_close_matches(forms[0][:100], names, n=1, cutoff=cutoff)
        if near:
            found = names[near[0]] if isinstance(names[near[0]], str) else names[near[0]][0]
            return f"did you mean {found!r}?" if found in known else ""
    return ""


def _plain(text: str) -> str:
    return "".join(each for each in text.lower() if each.isalnum())


def _forms(text: str) -> Iterator[str]:
    """A name as the table has it: all of it, and without what ends the names of classes."""
    text = _plain(text)
    yield text
    for ending in _ENDINGS:
        if text.endswith(ending) and len(text) > len(ending):
            yield text.removesuffix(ending)
