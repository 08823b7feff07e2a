"""`fastbp train --csv` on files as people have them: read, or what is wrong is named with the option that mends it."""

import csv
import io
import os
import re
from pathlib import Path

import pages
import pytest
from everyday_files import FILES, ROWS

from fastbp.cli import command as cli_command

QUICK = ["--epochs", "2", "--no-plots", "--quiet", "--out", "out"]
FORMAT = {"--encoding", "--separator", "--decimal", "--thousands", "--no-header"}

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def run(run_line):
    def run(*line):
        code, out, err = run_line(*line)
        assert code in (0, 2) and "Traceback" not in err and (out + err).replace("\n", "").isprintable()
        return code, out, err
    return run


@pytest.mark.parametrize("name", FILES)
def test_everyday_files(run, place, name):
    """Each trains, once the options were said that the errors have named, and the model predicts and is evaluated."""
    file = FILES[name]
    path = place / "t.csv"
    path.write_bytes(file.text if isinstance(file.text, bytes) else file.text.encode())
    said, form = [], []
    for message, option in file.steps:
        code, out, err = run("train", "--csv", path, "--target", file.target, *said, *QUICK)
        assert code == 2 and out == "" and message in err and err.count("\n") == 1 and not os.path.exists("out")
        if option is None:                      # no option mends a line that is wrong
            return
        assert option[0] in err or option[0] == "--missing"
        said += option
        form += option if option[0] in FORMAT else ()
    code, out, err = run("train", "--csv", path, "--target", file.target, *said, *QUICK)
    assert (code, err) == (0, "") and out.startswith(f"{path}: {file.rows} rows"), err
    model = "out/model.safetensors"
    if file.rows == ROWS:
        code, out, err = run("predict", model, path, *form)
        assert code == 0 and len(list(csv.DictReader(io.StringIO(out)))) == ROWS, err
        assert all(line.split(": ")[1].endswith("are ignored") or "is ignored" in line or "filled in" in line
                   for line in err.splitlines())
    code, out, err = run("evaluate", model, path, *form, *(("--missing", "drop") if file.rows < ROWS else ()))
    assert code == 0 and f"rows           {file.rows}\n" in out, err


def test_the_page_on_tables_is_true(run):
    shown = pages.run(PAGE)
    assert len(shown) == 2 and [result for result in shown if not pages.agree(result.said, result.found)] == []
    helped = "".join(run(command, "--help")[1] for command in ("train", "predict", "evaluate"))
    assert set(re.findall(r"(?<=`)--[a-z-]+", PAGE)) <= set(re.findall(r"--[a-z-]+", helped))
    for command in re.findall(r"^(fastbp .*?)(?: >.*)?$", PAGE, re.MULTILINE):
        cli_command._parser().parse_args(command.split()[1:])
