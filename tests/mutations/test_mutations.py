"""tests/mutations: what is changed is code, each change is one, and the same ones are drawn for the same seed."""

import importlib
from pathlib import Path

import pytest

from mutations import nearest, survivors
from mutations.sites import blanked, sites

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted(path for patterns in nearest.PARTS.values() for pattern in patterns for path in ROOT.glob(pattern))


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("tests.mutations.__main__")


def becomes(file, text, kind):
    return [each.apply(text) for each in sites(file, text) if each.kind == kind]


@pytest.mark.parametrize(("text", "kind", "changed"), [
    ("x = a + b;\n", "arithmetic", ["x = a - b;\n"]),
    ("real *x = -y;\n", "arithmetic", []),
    ("if (i < n) return;\n", "comparison", ["if (i <= n) return;\n"]),
    ("if (i < n) return;\n", "condition", ["if (!(i < n)) return;\n"]),
    ("if (f(a) && (b || c)) return;\n", "condition", ["if (!(f(a) && (b || c))) return;\n"]),
    ("x = y && z; /* a && b */\n", "logic", ["x = y || z; /* a && b */\n"]),
    ("x = 0 + 7 + 0.5 + 0x10; // 3\n", "constant", ["x = 1 + 7 + 0.5 + 0x10; // 3\n", "x = 0 + 8 + 0.5 + 0x10; // 3\n",
                                                    "x = 0 + 7 + 1.5 + 0x10; // 3\n"]),
    ("{\n    p[i] += q;\n    int n = 1;\n    return;\n}\n", "statement",
     ["{\n    (void)0;\n    int n = 1;\n    return;\n}\n"]),
    ("#if V > 1\n#define HALF(x) x / 2\n", "arithmetic", ["#if V > 1\n#define HALF(x) x * 2\n"]),
    ("#if V > 1\n#define HALF(x) x / 2\n", "comparison", []),
])  # fmt: skip
def test_changes_of_c(text, kind, changed):
    assert becomes("csrc/a.inc", text, kind) == changed


@pytest.mark.parametrize(
    ("text", "kind", "changed"),
    [
        ("    if a is None and b:  # or c\n", "logic", ["    if a is None or b:  # or c\n"]),
        ("    if a is None and b:\n", "condition", ["    if not (a is None and b):\n"]),
        ("    if a is None:\n", "comparison", ["    if a is not None:\n"]),
        ("    raise ValueError(f'{a + b}')\n", "raise", ["    ValueError(f'{a + b}')\n"]),
        ("    raise ValueError(f'{a + b}')\n", "arithmetic", []),
        ("    x = (1,\n         2)\n    f(x)\n", "statement", ["    x = (1,\n         2)\n    pass\n"]),
        ("from a import b\nx = True\n", "logic", ["from a import b\nx = False\n"]),
        ('"""1 + 1\n\n2"""\n', "constant", []),
        ("cdef int f() except -1:\n", "constant", []),
    ],
)
def test_changes_of_python_and_cython(text, kind, changed):
    for file in ("fastbp/_check/a.py", "fastbp/_core/a.pyx"):
        assert becomes(file, text, kind) == changed


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_change_is_one_and_of_code(path):
    text = path.read_text(encoding="utf-8")
    language = "c" if path.suffix in (".c", ".inc") else "py"
    code = blanked(text, language)
    assert len(code) == len(text) and code.count("\n") == text.count("\n")
    for each in sites(path.relative_to(ROOT).as_posix(), text):
        assert each.apply(text) != text
        assert code[each.at : each.at + len(each.old)].strip()


def test_every_file_has_tests_that_know_it():
    for path in FILES:
        if path.name in nearest.LEFT_OUT:
            continue
        for stage in nearest.stages(path.relative_to(ROOT).as_posix()):
            for test in stage:
                assert (ROOT / test).exists(), f"{path.name}: {test}"
    assert {ROOT / file for file in nearest.NEAREST} <= set(FILES)


def test_the_same_are_drawn_for_the_same_seed_wherever_they_stand(runner, monkeypatch, tmp_path):
    first, second, other = (runner.drawn(["check", "core"], 30, seed) for seed in (1, 1, 2))
    assert first == second != other
    assert len(first) == len(set(first)) == 30
    assert sum(each.file.startswith("fastbp/_check/") for each in first) == 15
    path = tmp_path / "fastbp" / "_check" / "numbers.py"
    path.parent.mkdir(parents=True)
    text = (ROOT / "fastbp" / "_check" / "numbers.py").read_text(encoding="utf-8")
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    lines = []
    for moved in (text, "# a line\n" + text):
        path.write_text(moved, encoding="utf-8")
        lines.append([each.shown(moved) for each in runner.drawn(["check"], 10, 1)])
    assert lines[0] == lines[1]


def test_a_copy_is_as_it_was_after_a_mutation(runner, monkeypatch, tmp_path):
    """Without a build: of a file of Python."""
    folder = tmp_path / "scalar"
    file = folder / "fastbp" / "_check" / "a.py"
    file.parent.mkdir(parents=True)
    (folder / "csrc").mkdir()
    (folder / "csrc" / "dispatch.c").touch()
    file.write_text("x = 1 + 1\n")
    copy = runner.Copy.__new__(runner.Copy)
    copy.folder, copy.clean, copy.green = folder, {}, set()
    before = file.stat().st_mtime_ns
    seen = []
    monkeypatch.setattr(copy, "pytest", lambda tests: seen.append(file.read_text()) or answers.pop(0), raising=False)
    mutation = sites("fastbp/_check/a.py", file.read_text())[1]
    for answers, came in (
        ([None, None], ("survived", "")),
        (["a::b", None], ("caught", "a::b")),
        (["c::d", "c::d"], ("not tried", "c::d fails without a mutation")),
        (["tests/core/x::y", None, None, None], ("survived", "")),
        (["the process ended with SIGSEGV"], ("caught", "the process ended with SIGSEGV")),
    ):
        assert runner.verdict(mutation, copy, [["one"], ["two"]]) == came
        assert (file.read_text(), file.stat().st_mtime_ns // 1000) == ("x = 1 + 1\n", before // 1000)
        assert seen[0] == "x = 1 - 1\n"
        assert not answers
    assert copy.green == {"a::b"}


def test_reasons_are_given_in_words():
    for mark, reason in survivors.REASONS.items():
        assert len(mark) == 12 and int(mark, 16) >= 0
        assert len(reason.split()) > 3, mark


def test_bad_options_are_refused(runner, capsys):
    for line in (["cores"], ["--sample", "0"]):
        with pytest.raises(SystemExit):
            runner.arguments(line)
    text = capsys.readouterr().err
    assert "part is 'cores', expected one of: csrc, core, check; leave it out for all" in text
    assert "--sample is 0, expected an integer >= 1; leave it out for 210" in text
