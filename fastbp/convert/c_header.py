"""A network as one C99 header, without malloc and <math.h>: for microcontrollers, games, and whoever has a compiler."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp._files.streams import target, write
from fastbp._files.writing import write_atomically
from fastbp.convert.steps import Step, as_float32, steps_of

if TYPE_CHECKING:
    from fastbp._check.types import Array, File
    from fastbp.network import Sequential

_WIDTH = 100  # of a line of numbers

_ABOUT = """\
/* {name}: a neural network, written by fastbp.
 *
 *     float x[{NAME}_INPUTS], y[{NAME}_OUTPUTS];
 *     {name}_predict(x, y);
 *
 * x: {inputs} inputs{scaled}; y: {outputs} outputs{linked}. They must not overlap.
 * In float32; no malloc, no <math.h>, no state: it may be called from several threads at once.
 * {numbers} numbers, {size} bytes, which are constants; {stack} bytes of stack for what is in between.
 * A NaN among the inputs gives NaN.{note} */
"""
_OF_A_TABLE = """
 * The inputs are those of the network, after what fastbp predict does to the columns of a file: scaling and words are
 * not in here."""
_LINKED = {None: "", "softmax": ", probabilities by softmax", "sigmoid": ", probabilities by sigmoid",
           "exponential": ", rates by exp"}


def to_c(net: Sequential, path: File, name: str | None = None) -> None:
    """Writes what a network predicts as a C99 header to `path`, a path or an open binary file.

    name: what the header's names begin with, as in `{name}_predict`; None takes it from the path, or "model".
    Raises ValueError for a name that is no C identifier or parameters that are not finite or not of float32, OSError
    where it cannot be written; a file already at `path` is then as it was.
    """
    place = target(path)
    name = _name(name, place)
    data = header(net, name).encode("ascii")
    if isinstance(place, str):
        write_atomically(place, data)
    else:
        write(place, data)


def _name(given: Any, place: Any) -> str:
    """What the names begin with, checked, or made from the file's name."""
    if given is None:
        stem = os.path.splitext(os.path.basename(place))[0] if isinstance(place, str) else "model"
        found = re.sub(r"\W", "_", stem, flags=re.ASCII).strip("_")
        return found if found[:1].isalpha() else f"model_{found}" if found else "model"
    if not isinstance(given, str):
        raise TypeError(f"name is {check.shown(given)}, expected what the names in C begin with; pass a str, such as "
                        "'model'")
    if not re.fullmatch(r"[A-Za-z]\w*", given, flags=re.ASCII):
        raise ValueError(f"name is {check.shown(given)}, expected letters, digits and _, a letter first, as the names "
                         "in C begin with it; pass one such as 'model'")
    return given


def header(net: Sequential, name: str) -> str:
    """The text of the header."""
    steps = [step for step in steps_of(net) if step.kind != "dropout"]
    arrays: list[tuple[str, Array]] = []
    code, needed, buffers = _body(steps, net, name, arrays)
    numbers = sum(array.size for _, array in arrays)
    about = _ABOUT.format(
        name=name,
        NAME=name.upper(),
        inputs=net.inputs,
        outputs=net.units,
        numbers=numbers,
        size=4 * numbers,
        stack=4 * sum(buffers.values()),
        scaled="" if net.input_scale == 1 else f", which are multiplied by {net.input_scale:.9g} in here",
        linked=_LINKED[net.loss.link],
        note="" if net.data_spec is None else _OF_A_TABLE,
    )
    pieces, included = _pieces()
    wanted = _closure(needed, {key: needs for key, (needs, _) in pieces.items()})
    places = [f"{key}[{width}]" for key, width in sorted(buffers.items())]
    declared = [f"    float {', '.join(places)};\n"] * bool(places)
    declared += ["    size_t i;\n"] * any("for (i" in line for line in code)
    return "".join([
        about,
        f"#ifndef {name.upper()}_PREDICT_H\n#define {name.upper()}_PREDICT_H\n\n{included}\n",
        f"#define {name.upper()}_INPUTS {net.inputs}\n#define {name.upper()}_OUTPUTS {net.units}\n\n",
        *(re.sub(r"\bmodel_", f"{name}_", body) for key, (_, body) in pieces.items() if key in wanted),
        *(f"static const float {name}_{key}[{array.size}] = {{\n{_numbers(array)}}};\n" for key, array in arrays),
        f"\nstatic inline void {name}_predict(const float *x, float *y)\n{{\n",
        *declared,
        *code,
        "}\n\n#endif\n",
    ])


def _body(
    steps: list[Step], net: Sequential, name: str, arrays: list[tuple[str, Array]]
) -> tuple[list[str], set[str], dict[str, int]]:
    """(lines of the function, pieces that they need, {buffer: numbers that it holds in between}); the constants are
    added to `arrays`."""
    code: list[str] = []
    needed: set[str] = set()
    buffers: dict[str, int] = {}
    place, width = "x", net.inputs
    last = max((i for i, step in enumerate(steps) if step.kind == "dense"), default=-1)

    def given(number: int) -> str:
        """Where the numbers of step `number` are put: y, as soon as nothing of another width follows."""
        if number >= last:
            return "y"
        free = "b" if place == "a" else "a"
        buffers[free] = max(width, buffers.get(free, 0))
        return free

    for number, step in enumerate(steps):
        if step.kind == "dense":
            inputs, width = step.W.shape
            W = _constant(arrays, step, "W", step.W.T)
            b = _constant(arrays, step, "b", step.b)
            to = given(number)
            code.append(f"    {name}_dense({place}, {name}_{W}, {name}_{b}, {to}, {inputs}, {width});\n")
            place = to
            needed.add("dense")
            continue
        if place == "x":  # which is the caller's
            place = given(number)
            factor = f" * {_number(step.factor)}" if step.kind == "scale" else ""
            code.append(f"    for (i = 0; i < {width}; i++) {place}[i] = x[i]{factor};\n")
        if step.kind == "layer_norm":
            gamma = _constant(arrays, step, "gamma", step.gamma)
            beta = _constant(arrays, step, "beta", step.beta)
            code.append(f"    {name}_layer_norm({place}, {name}_{gamma}, {name}_{beta}, {width}, "
                        f"{_number(step.eps)});\n")
            needed.add("layer_norm")
        elif step.kind == "activation" and step.name == "softmax":
            code.append(f"    {name}_softmax({place}, {width});\n")
            needed.add("softmax")
        elif step.kind == "activation":
            code.append(f"    for (i = 0; i < {width}; i++) {place}[i] = {name}_{step.name}({place}[i]);\n")
            needed.add(step.name)
    return code, needed, buffers


def _constant(arrays: list[tuple[str, Array]], step: Step, what: str, array: Array) -> str:
    """The name of a constant that has these numbers: W0 of layers[0]."""
    name = what + re.sub(r"\D", "", step.where)
    arrays.append((name, as_float32(step, what, array)))
    return name


@lru_cache(maxsize=1)
def _pieces() -> tuple[dict[str, tuple[list[str], str]], str]:
    """({name: (names of the pieces that it needs, its text)} of c_math.h, its lines of #include)."""
    text = files("fastbp.convert").joinpath("c_math.h").read_text(encoding="ascii")
    head, *parts = re.split(r"^/\* piece (\w+):(.*) \*/\n", text, flags=re.MULTILINE)
    made = {key: (needs.split(), re.sub(r"/\* ---- .*\n\n", "", body))
            for key, needs, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}
    return made, "".join(re.findall(r"^#include .*\n", head, flags=re.MULTILINE))


def _closure(wanted: set[str], needs: dict[str, list[str]]) -> set[str]:
    """The names, and all that they need."""
    found, rest = set(), list(wanted)
    while rest:
        one = rest.pop()
        if one not in found:
            found.add(one)
            rest += needs[one]
    return found


def _number(value: float | np.floating[Any]) -> str:
    """A float32 as C writes it, with as many digits as give its bits again."""
    return f"{np.float32(value)!s}f"


def _numbers(array: Array) -> str:
    """Numbers in lines, separated by commas."""
    lines, line = [], ""
    for text in map(_number, array.ravel()):
        if len(line) + len(text) + 2 > _WIDTH:
            lines.append(line.rstrip())
            line = ""
        line += text + ", "
    return "".join(f"    {line}\n" for line in [*lines, line.rstrip().rstrip(",")])
