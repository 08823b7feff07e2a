"""The table of a result (bench/run.py says what a result holds), as Markdown that also reads well on a terminal."""
from bench.cases import CASES


def best(contenders, name):
    """The contender of that name with the lower median, over its numbers of threads; None where there is none."""
    return min((c for c in contenders if c["name"] == name), key=lambda c: c["median"], default=None)


def ours(result, contenders):
    """fastbp with as many threads as were asked for: its figure is not the better of two."""
    threads = result["machine"]["threads"]
    return next((c for c in contenders if c["name"] == "fastbp" and c["threads"] == threads), None)


def header(result):
    """The lines above the table: machine, versions, date, limits."""
    about, limits = result["machine"], result["peak"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    lines = [f"{about['date']}  {about['cpu']}, {about['cpus']} CPUs  ISA {about['isa']}  {about['threads']} threads",
             f"Python {about['python']}, {versions}"]
    for threads, peak in limits.items():
        figures = [(peak["gflops"], "GFLOP/s of multiply-adds"), (peak["gemm_gflops"], "in the gemm kernel"),
                   (peak["gbytes"], "GB/s read from memory")]
        lines.append(f"{threads} thread(s): " + ", ".join(f"{value:.1f} {what}" for value, what in figures if value))
    return "\n".join(lines)


def table(result):
    """A row for each workload: fastbp, then each peer at its better number of threads, and its time over fastbp's."""
    peers = [name for name in result["versions"] if name != "fastbp"]
    columns = ["workload", "fastbp us", "min - max", "1 thread", "GFLOP/s", "% peak", "best peer"]
    for name in peers:
        columns += [f"{name} us", "ratio"]
    return markdown(columns, [row(result, name, peers) for name in result["cases"]])


def row(result, case, peers):
    """The cells of one workload; "-" for what was not measured."""
    contenders = result["cases"][case]["contenders"]
    mine = ours(result, contenders)
    at_best = {name: peer for name in peers if (peer := best(contenders, name))}
    cells = [case, "-", "-", "-", "-", "-", "-"]
    if mine:
        alone = next((c for c in contenders if c["name"] == "fastbp" and c["threads"] == 1), None)
        rate = CASES[case].flop / mine["median"] / 1e3
        peak = result["peak"].get(str(mine["threads"]), {}).get("gflops")
        cells = [case, number(mine["median"]), f"{number(mine['min'])} - {number(mine['max'])}",
                 number(alone["median"]) if alone else "-", number(rate), f"{100 * rate / peak:.0f}" if peak else "-",
                 f"{min(peer['median'] for peer in at_best.values()) / mine['median']:.2f}x" if at_best else "-"]
    for name in peers:
        peer = at_best.get(name)
        cells.append(f"{number(peer['median'])} ({peer['threads']}t)" if peer else "-")
        cells.append(f"{peer['median'] / mine['median']:.2f}x" if peer and mine else "-")
    return cells


def number(x):
    """Three figures or more, none after the point from a hundred on."""
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def markdown(columns, rows):
    """A Markdown table, its columns as wide as their widest cell, numbers to the right."""
    widths = [max(len(line[i]) for line in [columns, *rows]) for i in range(len(columns))]

    def line(cells):
        padded = [cell.rjust(width) if i else cell.ljust(width)
                  for i, (cell, width) in enumerate(zip(cells, widths, strict=True))]
        return "| " + " | ".join(padded) + " |"
    rule = [("-" * width if not i else "-" * (width - 1) + ":") for i, width in enumerate(widths)]
    return "\n".join([line(columns), line(rule), *map(line, rows)])
