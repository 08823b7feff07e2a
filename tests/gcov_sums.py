"""What gcov says of the C of csrc, as one table: `python gcov_sums.py FOLDER` of *.gcov files, for tests/coverage.sh.

kernels.c is compiled once for each dtype, and its bodies are included by it: a line is run if it is in any of them.
"""

import sys
from collections import defaultdict
from pathlib import Path


def read(folder):
    """({file of csrc: {line: times}}, {file: {(line, branch): taken}})."""
    lines, branches = defaultdict(lambda: defaultdict(int)), defaultdict(lambda: defaultdict(int))
    for path in Path(folder).rglob("*.gcov"):
        source, number = None, 0
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            fields = text.split(":", 2)
            if text.startswith("branch"):
                words = text.split()
                taken = 0 if words[2] == "never" else int(words[3])
                if source:
                    branches[source][number, words[1]] += taken
            elif len(fields) == 3 and fields[1].strip().isdigit():
                number = int(fields[1])
                if number == 0 and fields[2].startswith("Source:"):
                    name = fields[2].removeprefix("Source:")
                    source = name if name.startswith("csrc/") else None
                elif number and source:
                    count = fields[0].strip().rstrip("*")
                    if count != "-":
                        lines[source][number] += 0 if count in ("#####", "=====") else int(count)
    return lines, branches


def row(name, lines, branches):
    run, taken = sum(map(bool, lines.values())), sum(map(bool, branches.values()))
    missing = ", ".join(str(line) for line, count in sorted(lines.items()) if not count)
    share = 100 * run / max(1, len(lines))
    return f"{name:<28} {len(lines):>6} {run:>6} {len(branches):>8} {taken:>6} {share:>6.1f}%   {missing}".rstrip()


def main(folder):
    lines, branches = read(folder)
    print(f"{'':<28} {'lines':>6} {'run':>6} {'branches':>8} {'taken':>6}")
    for name in sorted(lines):
        print(row(name, lines[name], branches[name]))
    everything = {(name, line): count for name in lines for line, count in lines[name].items()}
    print(row("TOTAL", everything, {(name, key): count for name in branches for key, count in branches[name].items()})
          .split("%")[0] + "%")


if __name__ == "__main__":
    main(sys.argv[1])
