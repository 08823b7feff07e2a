"""The dialect of messages: what came, what was expected, what to do. Read from the source, of every message there is.

A ValueError or TypeError speaks of an argument, an option or a cell:

    {name} is {value}, expected {what}; {what to do}

Of any other error the reader is told what to do as well, but for those that Python raises itself, in its own words.
"""

import ast
import re

from source_files import PYTHON, TEXTS, name

OF_INPUT = {"ValueError", "TypeError", "IndexError"}
OF_OPTIONS = {"ArgumentTypeError"}  # argparse adds what to do: (see fastbp train --help)
OF_PYTHON = {"AttributeError", "NotImplementedError"}  # a name that is missing, a method that nobody wrote
# What follows of these comes from a message of its own, whose words are tried where it is made.
PASSED_ON = {
    "{error}, or ask with `is` whether two nodes are the same one",
    "{path}: not a usable {what}: {error}",
    "{step.where}: {error}",
    "{column.at(row)}: {self._wrong(texts[row], notation, count, len(texts))}",
    "{column.at(row)}: {self._wrong(text, self.unknown(column))}",
}


def template(node):
    """A string as it is written, with {the source} of what is put into it; None of what is no string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{" + ast.unparse(part.value) + "}"
                       for part in node.values)  # fmt: skip
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [template(node.left), template(node.right)]
        return None if parts == [None, None] else "".join("{more}" if part is None else part for part in parts)
    return None


def errors(tree):
    """(name of the class, its message as a template, line) of what is raised, or returned for somebody to raise."""
    for node in ast.walk(tree):
        made = node.exc if isinstance(node, ast.Raise) else node.value if isinstance(node, ast.Return) else None
        if isinstance(made, ast.Call) and made.args:
            kind = ast.unparse(made.func).rpartition(".")[2]
            message = template(made.args[0])
            if kind.endswith("Error") and message is not None:
                yield kind, message, node.lineno


def faults(kind, message):
    """What a message lacks, in words."""
    if message in PASSED_ON or kind in OF_PYTHON:
        return []
    words = re.sub(r"\{[^{}]*\}", "x", message)
    found, expected, rest = message.partition(", expected")
    lacks = []
    if kind in OF_INPUT | OF_OPTIONS and not expected:
        lacks.append("says no `, expected ...`")
    if kind not in OF_OPTIONS and "; " not in (rest if expected else found):
        lacks.append("says nothing to do behind `; `")
    if kind in OF_INPUT and "{" not in found and not re.search(r"['\"-]|\bis\b|\bhas\b", found):
        lacks.append("shows neither a name nor a value")
    if re.search(r"(?<!\.)\.$", message):
        lacks.append("ends with a period")
    if re.search(r"; expected|must be|should be|\bgot\b|[.?!] [A-Z]", words):
        lacks.append("speaks another dialect")
    return lacks


MESSAGES = [(name(path), *each) for path in PYTHON if "reference" not in path.parts
            for each in errors(ast.parse(TEXTS[path]))]  # fmt: skip


def test_there_are_messages_to_look_at():
    assert len(MESSAGES) > 250 and {kind for _, kind, _, _ in MESSAGES} > OF_INPUT | OF_OPTIONS | OF_PYTHON
    assert {message for _, _, message, _ in MESSAGES} >= PASSED_ON


def test_every_message_says_what_came_what_was_expected_and_what_to_do():
    bad = [f"{file}:{line}: {kind} {lack}: {message}" for file, kind, message, line in MESSAGES
           for lack in faults(kind, message)]  # fmt: skip
    assert bad == []


def test_values_are_shown_in_one_way():
    """No message cuts a value by itself; only another library's words, str(error), which are no value, are cut."""
    bad = []
    for path in PYTHON:
        if "reference" in path.parts or name(path) == "fastbp/_core/shown.py":
            continue
        for node in ast.walk(ast.parse(TEXTS[path])):
            if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
                spec = "".join(part.value for part in node.format_spec.values if isinstance(part, ast.Constant))
                if re.fullmatch(r"\.\d+", spec) and node.conversion in (ord("r"), ord("s")):
                    bad.append(f"{name(path)}:{node.lineno}: {ast.unparse(node.value)}")
    assert bad == []


def test_the_rules_see_what_they_are_for():
    good = "lr is {shown(lr)}, expected a finite number >= 0; choose another"
    assert faults("ValueError", good) == []
    for wrong in ("lr must be >= 0; got {lr}", "lr is {lr}", "lr is {lr}, expected a number >= 0", good + ".",
                  "lr is {lr}; expected a number >= 0; choose another", "unknown loss {x}; choose one. Choices: {y}",
                  "wrong rate, expected another; choose one"):
        assert faults("ValueError", wrong) != [], wrong
    assert faults("OSError", "{path}: cannot be read") != [] == faults("OSError", "{path}: cannot be read; have it so")
    assert faults("ArgumentTypeError", "is {text}, expected a number") == []
    assert faults("AttributeError", "module {name} has no attribute {name}") == []
