"""Changes operators, constants and statements of a copy of the source, one at a time, and says which changes no test
catches.

    python -m tests.mutations --sample 210 --seed 1          seventy each of the kernels, the core and the checks
    python -m tests.mutations csrc --sample 70 --seed 1      those of the kernels
    python -m tests.mutations --done mutants.txt             results go into this file; those in it are not tried again
    python -m tests.mutations --show                         what would be tried, without trying it

A mutant is tried by the tests that know its file best, then by those of its part (nearest.py), and is caught as soon as
one fails, the process dies or they take far longer than without it; that test has to pass without it. The copy is
built for the scalar kernels alone, with -O1, which has the same bits; a mutant of the kernels that lives there is tried
once more among all ISAs. One that does not compile, or compiles to the same bytes, does not count.
"""

import argparse
import hashlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests.faults.__main__ import BUILD, CRASHES, ROOT
from tests.mutations import nearest, survivors
from tests.mutations.sites import sites

MEMORY = 12 << 30  # bytes of address space for a mutant that allocates without an end
PROCESSOR, WALL = 400, 900  # seconds that a set of tests may take: several times what it takes without a mutation
LIVES, AMONG_ALL = "lives among the tests of its file", "lives among the scalar kernels"
# [(what is tried, in a scalar build, stages of tests from .. to, what those are that live)]: what takes longest is last
PASSES = [(None, True, 0, 1, LIVES), (LIVES, True, 1, 2, AMONG_ALL), (AMONG_ALL, False, 0, 2, "survived")]
DISPATCH = "csrc/dispatch.c"  # a source of the module that owns the kernels, and of no other
NOT_HERE = "tests/csrc/test_dispatch.py::test_cpu_flags_and_tables_agree"  # of a build that has all the machine's ISAs


def drawn(parts, count, seed):
    """`count` mutations, as many from each part. Each has a place in the line of its seed that depends on its own text
    alone: where another line of the sources changes, the same ones are drawn but for those of that line."""
    found = []
    for i, part in enumerate(parts):
        files = sorted(path for pattern in nearest.PARTS[part] for path in ROOT.glob(pattern))
        there = []
        for path in files:
            if path.name not in nearest.LEFT_OUT:
                text = path.read_text(encoding="utf-8")
                for each in sites(path.relative_to(ROOT).as_posix(), text):
                    there.append((hashlib.sha256(f"{seed} {fingerprint(each, text)}".encode()).digest(), each))
        there.sort(key=lambda item: item[0])
        found += [each for _, each in there[: count // len(parts) + (i < count % len(parts))]]
    return found


def fingerprint(mutation, text):
    """What a file of results knows a mutation by: its line, not the number of that."""
    start = text.rfind("\n", 0, mutation.at) + 1
    line = text[start : text.find("\n", mutation.at)]
    what = (mutation.file, line, text.count(line, 0, start), mutation.at - start, mutation.old, mutation.new)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:12]


class Copy:
    """A built copy of the source. scalar: for the scalar kernels alone."""

    def __init__(self, place, scalar):
        self.green = set()  # tests that were seen to pass without a mutation
        self.folder = Path(place, "scalar" if scalar else "whole")
        settings = {"OMP_WAIT_POLICY": "passive", "FASTBP_SCALAR": str(int(scalar)), "PYTHONPATH": str(self.folder)}
        self.environ = {**os.environ, **settings, "PYTHONDONTWRITEBYTECODE": "1"}
        self.renew()
        subprocess.run(BUILD, cwd=self.folder, env=self.environ, check=True, capture_output=True)
        self.clean = {path: path.read_bytes() for path in self.folder.glob("fastbp/_core/*.so")}

    def renew(self):
        """The sources as they are now. What is as it was keeps its date, so that it is not built again."""
        for folder in ("csrc", "fastbp", "tests", "docs", "bench", "."):
            for path in (ROOT / folder).glob("*" if folder == "." else "**/*"):
                there = self.folder / path.relative_to(ROOT)
                made = path.suffix in (".so", ".pyc") or (path.parent.name == "_core" and path.suffix == ".c")
                if not path.is_file() or made:
                    continue
                content = path.read_bytes()
                if path == ROOT / "setup.py":
                    content = content.replace(b'"-O3", ', b'"-O1", ')
                if not there.exists() or there.read_bytes() != content:
                    there.parent.mkdir(parents=True, exist_ok=True)
                    there.write_bytes(content)

    @contextmanager
    def mutated(self, mutation):
        """The copy with a mutation in it; gives None, or why it is none. Afterwards all is as it was, the dates too."""
        path = self.folder / mutation.file
        text = path.read_text(encoding="utf-8")
        generated = path.with_suffix(".c") if path.suffix == ".pyx" else None
        before = generated and generated.read_bytes()
        kept = [(each, each.stat()) for each in (path, generated, self.folder / DISPATCH) if each]
        path.write_text(mutation.apply(text), encoding="utf-8")
        if path.suffix == ".inc" or path.name == "kernels.c":  # what all modules are said to depend on
            os.utime(path, (kept[0][1].st_atime, kept[0][1].st_mtime))
            (self.folder / DISPATCH).touch()
        try:
            yield self.what_is_wrong(path)
        finally:
            path.write_text(text, encoding="utf-8")
            if generated:
                generated.write_bytes(before)
            for each, found in kept:
                os.utime(each, (found.st_atime, found.st_mtime))
            for each, content in self.clean.items():
                if not each.exists() or each.read_bytes() != content:
                    each.unlink(missing_ok=True)
                    each.write_bytes(content)

    def what_is_wrong(self, path):
        """Builds what changed: "does not compile", "same", or None."""
        if path.suffix == ".py":
            try:
                compile(path.read_text(encoding="utf-8"), str(path), "exec")
            except SyntaxError:
                return "does not compile"
            return None
        try:
            done = subprocess.run(BUILD, cwd=self.folder, env=self.environ, capture_output=True, timeout=600)
        except subprocess.TimeoutExpired:
            return "does not compile"
        if done.returncode:
            return "does not compile"
        same = all(each.exists() and each.read_bytes() == content for each, content in self.clean.items())
        return "same" if same else None

    def pytest(self, tests):
        """The test that failed, or what else shows that something is wrong; None where all passed."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--deselect", NOT_HERE, *tests]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=limits,
        )
        for _ in range(WALL):  # seconds while this process runs too, not those in which all of them were stopped
            try:
                output = process.communicate(timeout=1)[0]
                break
            except subprocess.TimeoutExpired:
                pass
        else:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"longer than {WALL} s"
        if process.returncode == 0:
            return None
        if -process.returncode in (*CRASHES, signal.SIGKILL, signal.SIGXCPU):
            return f"the process ended with {signal.Signals(-process.returncode).name}"
        last = output.rstrip().rpartition("\n")[2]
        # a test with all its parameters: what stands in brackets may be anything
        return next(iter(re.findall(r"^(?:FAILED|ERROR) (\S+?\.py(?:::\w+)*)", output, re.MULTILINE)), last[:80])


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))


def verdict(mutation, copy, stages):
    """(result, by what) of a mutation in a copy, by these sets of tests: caught, survived, does not compile, same."""
    red = None
    with copy.mutated(mutation) as wrong:
        if wrong:
            return wrong, ""
        for tests in stages:
            red = copy.pytest(tests)
            if red and red.startswith(nearest.WEATHER) and not copy.pytest([red]):
                red = copy.pytest(tests)  # that was the machine's weather, once
            if red:
                break
    if red is None:
        return "survived", ""
    if red in copy.green or "::" not in red:
        return "caught", red
    if copy.pytest([red]):
        return "not tried", f"{red} fails without a mutation"
    copy.green.add(red)
    return "caught", red


def arguments(given=None):
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__.split("\n\n")[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of: {', '.join(nearest.PARTS)}; all of them")
    parser.add_argument("--sample", type=int, default=210, metavar="COUNT", help="how many are drawn; 210")
    parser.add_argument("--seed", type=int, default=1, help="of the sample; 1")
    parser.add_argument(
        "--done", type=Path, metavar="FILE", help="results, a line each; those in it are not tried again"
    )
    parser.add_argument("--copies", type=Path, metavar="FOLDER", help="where built copies are kept for another time")
    parser.add_argument("--show", action="store_true", help="only list what would be tried")
    options = parser.parse_args(given)
    if wrong := [part for part in options.parts if part not in nearest.PARTS]:
        parser.error(f"part is {wrong[0]!r}, expected one of: {', '.join(nearest.PARTS)}; leave it out for all")
    if options.sample < 1:
        parser.error(f"--sample is {options.sample}, expected an integer >= 1; leave it out for 210")
    return options


def main():
    options = arguments()
    mutations = drawn(options.parts or list(nearest.PARTS), options.sample, options.seed)
    texts = {each.file: (ROOT / each.file).read_text(encoding="utf-8") for each in mutations}
    if options.show:
        for each in mutations:
            print(*told(each, texts[each.file]), sep="\t")
        return 0
    results = {}
    if options.done and options.done.exists():
        for line in options.done.read_text(encoding="utf-8").splitlines():
            mark, result = line.split("\t")[:2]
            results[mark] = result  # the last one holds
    kept = nullcontext(options.copies) if options.copies else tempfile.TemporaryDirectory(prefix="mutations-")
    with kept as place:
        copies = {}
        for before, scalar, first, last, after in PASSES:
            for each in mutations:
                mark, *where = told(each, texts[each.file])
                if results.get(mark) != before:
                    continue
                if scalar not in copies:
                    copies[scalar] = Copy(place, scalar)
                result, said = verdict(each, copies[scalar], nearest.stages(each.file)[first:last])
                kernels = each.file.startswith("csrc/")
                if result == "survived":
                    result = after if kernels or after == LIVES else "survived"
                elif result == "same" and scalar and kernels:
                    result = AMONG_ALL
                results[mark] = result
                line = "\t".join([mark, result, *where, said])
                print(line, flush=True)
                if options.done:
                    with options.done.open("a", encoding="utf-8") as file:
                        file.write(line + "\n")
    return report(mutations, texts, results)


def told(mutation, text):
    """[its fingerprint, file and line, kind, the line as it becomes]."""
    where = f"{mutation.file}:{mutation.line(text)}"
    return [fingerprint(mutation, text), where, mutation.kind, mutation.shown(text)]


def report(mutations, texts, results):
    """Prints the figures; 1 where more than a tenth of what counts was caught by nothing."""
    marks = {fingerprint(each, texts[each.file]) for each in mutations}
    came = [results[mark] for mark in marks]
    caught, lived = came.count("caught"), [mark for mark in marks if results[mark] == "survived"]
    count = caught + len(lived)
    equal = [mark for mark in lived if mark in survivors.REASONS]
    print(
        f"{len(came)} mutants: {came.count('does not compile')} do not compile, {came.count('same')} are the same "
        f"machine code, {came.count('not tried')} could not be tried; of {count} that count {caught} were caught "
        f"({caught / max(1, count):.1%}) and {len(lived)} survived, {len(equal)} of them for a reason that is in "
        "survivors.py"
    )
    return int(caught < 0.9 * count)


if __name__ == "__main__":
    sys.exit(main())
