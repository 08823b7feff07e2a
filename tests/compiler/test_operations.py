"""fastbp/_compiler/operations.py: an operation's fields are the same in Python, in the C struct and in between."""

import dataclasses
import re

import pytest
from programs import NETWORKS, of_network
from source_files import ROOT, TEXTS

from fastbp import graph as g
from fastbp._check.allocation import zeros
from fastbp._compiler import lowering
from fastbp._compiler.operations import DRIVERS, FIELDS, OF_THE_PLAN
from fastbp._compiler.program import Operation
from fastbp._core import executable

CORE = ROOT / "fastbp" / "_core"
DEFAULTS = {field.name: field.default for field in dataclasses.fields(Operation)}


def without_comments(name):
    return re.sub(r'"""(?:.|\n)*?"""|#[^\n]*', "", TEXTS[CORE / name])


def struct_fields(name):
    """The fields of a C struct of program.pxd."""
    body = re.search(rf"^cdef struct {name}:\n((?: +[^\n]*\n|\n)*)", without_comments("program.pxd"), re.MULTILINE)
    lines = [line.strip() for line in body.group(1).splitlines() if line.strip()]
    return {one.strip(" *").split()[-1].lstrip("*") for line in lines for one in line.split(",")}


def test_every_field_of_python_and_of_c_has_a_row():
    assert list(FIELDS) == list(DEFAULTS)
    made = {field for row in FIELDS.values() for field in row.becomes}
    assert made | set(OF_THE_PLAN) == struct_fields("Op")
    assert not made & set(OF_THE_PLAN)


def test_what_is_copied_are_all_fields():
    text = without_comments("executable.pyx")
    assert set(re.findall(r"\b(?:op|p\.ops\[i\])\.(\w+)", text)) >= struct_fields("Op") - {"a", "b", "c"}
    for name in FIELDS:
        assert re.search(rf"\boperation\.{name}\b", text), name
    for operand in "abc":
        assert f"self._set_operand(&op.{operand}, operation.{operand})" in text


# ---- drivers -------------------------------------------------------------------------------------------------------


def drivers():
    """{name: the function of the core that drives it}, and those that make a range's gradient."""
    text = without_comments("drivers.pyx").split("cdef RangeDriver")
    found = []
    for part in text:
        pairs = re.findall(r"if name == ([^:]*):\s+return \w+\.(\w+)", part)
        found.append({name: function for names, function in pairs for name in re.findall(r'"(\w+)"', names)})
    return found


def test_every_driver_has_a_row():
    every, of_ranges = drivers()
    assert set(DRIVERS) == set(every)
    assert set(of_ranges) < set(every)


def functions():
    """{function of the drivers' files: (fields of Op that it reads, functions that it calls)}."""
    found = {}
    for name in ("gemm.pyx", "maps.pyx", "rows.pyx"):
        for part in re.split(r"^(?=cdef )", without_comments(name), flags=re.MULTILINE):
            head = re.match(r"cdef [^(]*?\*?(\w+)\(", part)
            if head:
                body = part[head.end():]
                found[head.group(1)] = set(re.findall(r"\bop\.(\w+)", body)), set(re.findall(r"\b(\w+)\(", body))
    return found


def read_by(function, known, seen=()):
    """The fields of Op that a function reads, and those that it calls."""
    fields, calls = known[function]
    for call in (calls & known.keys()) - {function, *seen}:
        fields = fields | read_by(call, known, (*seen, function))
    return fields


def test_a_driver_reads_the_fields_of_its_row():
    """And no others, but for those of a product that only some kinds of it set."""
    known = functions()
    every, of_ranges = drivers()
    unset = {"packed_a", "prefetch", "ones", "begins", "partial_ld", "group", "rows"}
    for name, driver in DRIVERS.items():
        read = read_by(every[name], known)
        if name in of_ranges:
            read |= read_by(of_ranges[name], known)
        fields = {field for field, row in FIELDS.items() if read & set(row.becomes)}
        allowed = unset | {"out", "w", "param"} if name == "correct" else unset  # it shares the driver of the loss
        assert fields - set(driver.fields) <= allowed, name
        # what pack_rows reads of a shared copy, and what is for ranges, for the arena, or for every sum alike
        alike = {"packed_b_size", "n_in", "partial_ld", "begins", "rows", "kernel"}
        assert set(driver.fields) - fields <= alike, name


def set_fields(operation):
    return {name for name, default in DEFAULTS.items() if name != "name" and getattr(operation, name) != default}


@pytest.fixture
def operations(monkeypatch):
    """The operations of all programs that a test makes."""
    made, lower = [], lowering.lower

    def noted(*arguments, **options):
        program = lower(*arguments, **options)
        made.extend([*program.operations, *program.invariant, *program.gradients])
        return program

    monkeypatch.setattr(lowering, "lower", noted)
    return made


def test_what_the_compiler_writes_sets_no_field_that_its_driver_does_not_read(operations):
    for scheme in NETWORKS:
        for kind in ("train", "keep", "evaluate", "gradients of samples", "norms of samples"):
            options = {"loss": "cross_entropy", "labels": True} if kind == "evaluate" else {"l2": 0.1, "dropout": 0.5}
            for gathered in (False, True):
                of_network(*NETWORKS[scheme], kind, gathered=gathered, weighted=True, **options)
        of_network(*NETWORKS[scheme], gathered=True, input_scale=0.5, target_type="multilabel")
    x, i, W = g.input("x", 4), g.input("i", integer=True), g.parameter("W", (4, 4))
    y = x - g.mean(g.tanh(x @ W) + g.gather(W, i), axis=0)
    loss = g.mean(g.square(y * g.sum(x, axis=-1))) + g.sum((g.tanh(W) @ W)[1:, 2:] ** 3) + g.sum(g.sum(W, axis=0) ** 2)
    plan = g.compile(loss + g.mean(g.tanh(x)) + g.squared_error(y, x))
    data = {"x": [[0.5, 1.0, 2.0, 3.0]] * 3, "i": [0, 1, 3]}
    plan.loss_and_grad(**data)
    plan.hvp(plan.params, **data)
    for operation in operations:
        assert set_fields(operation) <= set(DRIVERS[operation.name].fields), operation
    unused = set(DRIVERS) - {operation.name for operation in operations}
    assert not unused, f"no program above has {unused}: write what needs it into the expression"


def test_an_operation_without_a_driver_is_refused():
    program = of_network((3, 2), 4)
    program.operations[0].name = "nothing"
    vector = zeros(8, "float32", str, str)
    with pytest.raises(ValueError, match="no driver runs the operation 'nothing'"):
        executable.Executable(vector, vector, program, 1)
