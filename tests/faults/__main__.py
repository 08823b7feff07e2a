"""Plants faults in a copy of the source, one at a time, and reports those that no test of theirs catches.

    python -m tests.faults                     all of them
    python -m tests.faults graph files         those of some lists
    python -m tests.faults graph:0 graph:3     some of a list
    python -m tests.faults --sample 5 --seed 1 five of them, the same ones for the same seed
    python -m tests.faults --done caught.txt   all that are not in this file, which gets a line for each that is caught;
                                               a run that was interrupted goes on where it was

A fault of the kernels' mathematics is planted in a build of the scalar kernels alone, which takes seconds, and in a
whole one where that does not show it. FASTBP_SCALAR=1: the other faults are planted beside scalar kernels, too.
"""

import argparse
import hashlib
import importlib
import os
import pkgutil
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import tests.faults

ROOT = Path(__file__).resolve().parent.parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", "build", "__pycache__", ".*_cache", ".hypothesis", "results")
BUILD = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "-j2"]
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)  # what a fault of C may end in
RED = re.compile(r"\b[1-9]\d* failed\b")  # in pytest's last line; an error of a fixture, or of the import, is none


def chosen(names):
    """[(list's name, number, Fault)] of "list" or "list:number"; of all lists where there are no names."""
    lists = sorted(module.name for module in pkgutil.iter_modules(tests.faults.__path__) if module.name != "__main__")
    found = []
    for wanted in names or lists:
        name, _, number = wanted.partition(":")
        if name not in lists:
            raise SystemExit(f"there is no list of faults {name!r}, expected one of: {', '.join(lists)}")
        faults = importlib.import_module(f"tests.faults.{name}").FAULTS
        if number and (not number.isdigit() or int(number) >= len(faults)):
            raise SystemExit(f"{wanted!r} is no fault, expected {name}:0 .. {name}:{len(faults) - 1}")
        found += [(name, i, fault) for i, fault in enumerate(faults) if not number or i == int(number)]
    return found


def sample(faults, count, seed):
    """`count` of the faults, or all where there are no more, in their order; the same ones for the same seed."""
    picked = random.Random(seed).sample(range(len(faults)), min(count, len(faults)))
    return [faults[i] for i in sorted(picked)]


def fingerprint(fault):
    """What a file of those that are done knows a fault by: another number in its list does not change it."""
    return hashlib.sha256(repr(fault).encode()).hexdigest()[:16]


def planted(fault, folder):
    """The faults's file in `folder` with the fault in it; returns (its path, the text as it was)."""
    path = folder / fault.file
    text = path.read_text(encoding="utf-8")
    if (times := text.count(fault.old)) != 1:
        raise ValueError(f"{fault.file} has the text to replace {times} times, expected once: {fault.old!r}")
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    return path, text


def outcome(returncode, output):
    """What pytest said of one test: "red", "green", or what else happened."""
    last = output.rstrip().rpartition("\n")[2]
    if returncode == 0:
        return "green" if re.search(r"\d+ passed", last) else "no test ran"
    if returncode == 1 and RED.search(last):
        return "red"
    if -returncode in CRASHES:
        return "red"
    return f"pytest ended with {returncode} and no failed test: {last[:100]}"


def may_show_in_scalar(fault):
    """Whether this is a fault of kernels that are the same for all ISAs, built as usual."""
    return fault.file.startswith("csrc/") and not fault.file.startswith("csrc/isa/") and not fault.environ


def verdict(fault, folder):
    """What became of a fault: "caught", or what went wrong."""
    try:
        path, text = planted(fault, folder)
    except (ValueError, OSError) as error:
        return f"not planted: {error}"
    before = environ = {**os.environ, **dict(fault.environ), "PYTHONPATH": str(folder)}
    try:
        if may_show_in_scalar(fault):
            came = tried(fault, folder, {**environ, "FASTBP_SCALAR": "1"}, build=True)
            if came in ("caught", "does not compile"):
                return came
            path.touch()  # so that it is built again
        if fault.file.startswith("csrc/"):
            environ = {**environ, "FASTBP_SCALAR": "0"}
        return tried(fault, folder, environ, build=path.suffix != ".py")
    finally:
        path.write_text(text, encoding="utf-8")
        if path.suffix != ".py":
            subprocess.run(BUILD, cwd=folder, env=before, capture_output=True, check=False)


def tried(fault, folder, environ, build):
    """The verdict on a fault that is planted, in a build of this environment."""
    run = {"cwd": folder, "env": environ, "capture_output": True, "text": True}
    if build and subprocess.run(BUILD, **run).returncode:
        return "does not compile"
    green = []
    for test in fault.red:
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test], **run)
        came = outcome(done.returncode, done.stdout)
        if came not in ("red", "green"):
            return f"{test}: {came}"
        if came == "green":
            green.append(test)
    return f"SURVIVED {', '.join(green)}" if green else "caught"


def arguments(given=None):
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="list[:number]", help="lists of faults, or single ones of a list")
    parser.add_argument("--sample", type=int, metavar="COUNT", help="as many of them, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0, help="of the sample; 0")
    parser.add_argument("--done", type=Path, metavar="FILE", help="leaves out what this file has; adds what is caught")
    options = parser.parse_args(given)
    if options.sample is not None and options.sample < 1:
        parser.error(f"--sample is {options.sample}, expected an integer >= 1; leave it out for all faults")
    return options


def main():
    options = arguments()
    faults = chosen(options.names)
    if options.sample is not None:
        faults = sample(faults, options.sample, options.seed)
    known = set()
    if options.done and options.done.exists():
        known = {line.split()[0] for line in options.done.read_text(encoding="utf-8").splitlines() if line.strip()}
    left = [each for each in faults if fingerprint(each[2]) not in known]
    counts = {"caught": 0, "survived": 0, "not tried": 0}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "fastbp")
        if left:
            shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
            if not list(folder.glob("fastbp/_core/*.so")):
                subprocess.run(BUILD, cwd=folder, check=True)
        for name, number, fault in left:
            result = verdict(fault, folder)
            kind = "caught" if result == "caught" else "survived" if result.startswith("SURVIVED") else "not tried"
            counts[kind] += 1
            print(f"{name}:{number}  {result:<10}  {fault.what}", flush=True)
            if options.done and kind == "caught":
                with options.done.open("a", encoding="utf-8") as file:
                    file.write(f"{fingerprint(fault)} {name}:{number} {fault.what}\n")
    before = f", {len(faults) - len(left)} caught before" if known else ""
    print(f"{len(left) - counts['not tried']} planted: {counts['caught']} caught, {counts['survived']} survived; "
          f"{counts['not tried']} could not be tried{before}")
    return counts["survived"] + counts["not tried"] > 0


if __name__ == "__main__":
    sys.exit(main())
