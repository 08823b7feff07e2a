"""Plants faults in a copy of the source, one at a time, and reports those that no test of theirs catches.

    python -m tests.faults                  all of them
    python -m tests.faults graph files      those of some lists
    python -m tests.faults graph:0 graph:3  some of a list
"""

import argparse
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tests.faults

ROOT = Path(__file__).resolve().parent.parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", "build", "__pycache__", ".*_cache", ".hypothesis", "results")
BUILD = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "-j2"]


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


def planted(fault, folder):
    """The faults's file in `folder` with the fault in it; returns (its path, the text as it was)."""
    path = folder / fault.file
    text = path.read_text(encoding="utf-8")
    if (times := text.count(fault.old)) != 1:
        raise ValueError(f"{fault.file} has the text to replace {times} times, expected once: {fault.old!r}")
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    return path, text


def verdict(fault, folder):
    """What became of a fault: "caught", or what went wrong."""
    try:
        path, text = planted(fault, folder)
    except (ValueError, OSError) as error:
        return f"not planted: {error}"
    environ = {**os.environ, **dict(fault.environ), "PYTHONPATH": str(folder)}
    run = {"cwd": folder, "env": environ, "capture_output": True, "text": True}
    try:
        if path.suffix != ".py" and subprocess.run(BUILD, **run).returncode:
            return "does not compile"
        green = []
        for test in fault.red:
            done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test], **run)
            if done.returncode in (4, 5):   # no such test
                return f"there is no test {test}"
            if done.returncode == 0:
                green.append(test)
        return f"SURVIVED {', '.join(green)}" if green else "caught"
    finally:
        path.write_text(text, encoding="utf-8")
        if path.suffix != ".py":
            subprocess.run(BUILD, **run, check=False)


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="list[:number]", help="lists of faults, or single ones of a list")
    faults = chosen(parser.parse_args().names)
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "fastbp")
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        if not list(folder.glob("fastbp/_core/*.so")):
            subprocess.run(BUILD, cwd=folder, check=True)
        for name, number, fault in faults:
            result = verdict(fault, folder)
            bad += result != "caught"
            print(f"{name}:{number}  {result:<10}  {fault.what}", flush=True)
    print(f"{len(faults) - bad} passed, {bad} failed")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
