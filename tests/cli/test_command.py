"""The command line: what it prints, what it writes, and how it refuses: one line, exit code 2, nothing changed."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb
from fastbp import datasets
from fastbp.cli import command as cli_command

PNG = b"\x89PNG\r\n\x1a\n"

pytestmark = pytest.mark.usefixtures("place")


def flowers(place, rows=90):
    rng = np.random.default_rng(0)
    text = "length,width,species\n"
    for i in range(rows):
        kind, name = i % 3, ("iris", "rose", "tulip")[i % 3]
        text += f"{rng.normal(10 * kind, 1):.3f},{rng.normal(100 - 5 * kind, 1):.3f},{name}\n"
    (place / "flowers.csv").write_text(text)
    return "flowers.csv"


def houses(place, rows=200):
    rng = np.random.default_rng(0)
    area, age = rng.uniform(40, 200, rows), rng.integers(0, 90, rows)
    price = 250000 + 3000 * area - 1000 * age
    (place / "houses.csv").write_text("area,age,price\n" + "".join(
        f"{a:.1f},{b},{c:.0f}\n" for a, b, c in zip(area, age, price, strict=True)))
    return "houses.csv"


def table(out):
    return list(csv.DictReader(io.StringIO(out)))


# ---- train ----------------------------------------------------------------------------------------------------------

@pytest.mark.smoke
def test_train_without_options_recognises_digits(run, place):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    code, out, _ = run("train")
    assert code == 0
    lines = re.findall(r"^ +(\d+)/40 +[\d.e-]+ +([\d.]+) % +([\d.]+) % +[\d,]+$", out, re.M)
    assert [int(epoch) for epoch, _, _ in lines] == list(range(1, 41))
    accuracy = float(re.search(r"^test accuracy +([\d.]+) %", out, re.M)[1])
    assert accuracy >= 95 and accuracy == float(lines[-1][2])
    time = r"^time +[\d.]+ s in all, [\d.]+ s of it for 5,760 training steps: [\d,]+ steps per second$"
    assert re.search(time, out, re.M)
    for name in ("curves", "weights", "mistakes"):
        path = re.search(rf"^{name} +(\S+)$", out, re.M)[1]
        assert (place / path).read_bytes()[:8] == PNG
    model = re.search(r"^model +(\S+)$", out, re.M)[1]
    data = datasets.load_digits()
    net = fb.load(model)
    assert round(100 * (net.predict(data.X_test).argmax(1) == data.y_test).mean(), 2) == accuracy
    assert sorted(os.listdir("fastbp-digits")) == ["curves.png", "mistakes.png", "model.safetensors", "weights.png"]


def test_train_mnist_with_every_option(run, mnist, place):
    code, out, _ = run("train --data mnist --data-dir data --layers 16,12,10 --activation relu --loss cross_entropy "
                       "--optimizer adam --epochs 5 --batch-size 20 --lr 1e-2 --seed 3 --threads 2 --dtype float64 "
                       "--schedule cosine --dropout 0.1 --l2 1e-5 --weight-decay 1e-5 --out here --no-plots --quiet")
    assert code == 0 and os.listdir("here") == ["model.safetensors"]
    assert "5/5" not in out and "16-12-10 relu, output linear, cross_entropy, float64: 334 parameters" in out
    assert float(re.search(r"test accuracy +([\d.]+) %", out)[1]) > 90
    net = fb.load("here/model.safetensors")
    assert net.params.dtype == np.float64 and net.layers[0].l2 == 1e-5 and net.seed == 3


def test_train_mnist_is_the_classic_net_by_default(run, mnist):
    code, out, _ = run("train --data mnist --data-dir data --epochs 1 --no-plots")
    assert code == 0 and "16-16-16-10 sigmoid, output sigmoid, squared_error, float32" in out
    assert "batch 100, 1 epochs of 2 steps" in out


def test_the_same_seed_makes_the_same_model_on_any_threads(run, mnist):
    models = []
    for more in ("--threads 1", "--threads 2", "--seed 1"):
        assert run(f"train --data mnist --data-dir data --epochs 2 --no-plots --out same {more}")[0] == 0
        models.append(Path("same/model.safetensors").read_bytes())
    assert models[0] == models[1] != models[2]


@pytest.mark.parametrize("line, wanted", [("", None), ("--threads 2", 2)])
def test_threads_reach_the_training(run, mnist, monkeypatch, line, wanted):
    """The result cannot show it: it is the same for any number of threads."""
    told, fit = [], fb.Sequential.fit
    monkeypatch.setattr(fb.Sequential, "fit", lambda net, *data, **options: told.append(options["threads"]) or
                        fit(net, *data, **options))
    assert run(f"train --data mnist --data-dir data --epochs 1 --no-plots {line}")[0] == 0 and told == [wanted]


@pytest.mark.parametrize("optimizer", cli_command.OPTIMIZERS)
def test_every_optimizer_learns(run, place, optimizer):
    code, out, _ = run(f"train --csv {flowers(place)} --target species --optimizer {optimizer} --no-plots --quiet")
    assert code == 0 and float(re.search(r"test accuracy +([\d.]+) %", out)[1]) > 90


@pytest.mark.parametrize("schedule", sorted(fb.schedules.SCHEDULES))
def test_every_schedule_learns(run, place, schedule):
    code, out, _ = run(f"train --csv {flowers(place)} --target species --schedule {schedule} --lr 0.01 --no-plots")
    assert code == 0 and float(re.search(r"test accuracy +([\d.]+) %", out)[1]) > 90


@pytest.mark.parametrize("loss", sorted(fb.losses.LOSSES))
def test_every_loss_trains_digits_or_says_why_not(run, mnist, loss):
    code, out, err = run(f"train --data mnist --data-dir data --epochs 3 --no-plots --loss {loss}")
    if loss in ("poisson", "quantile"):                                # rates and quantiles, not classes
        told = f"--loss is {loss}, which is for quantities, expected one for the classes of mnist; choose"
        assert code == 2 and err.count("\n") == 1 and told in err
    else:
        assert code == 0 and f", {loss}," in out


def test_train_classes_of_a_table_and_predict_them(run, place):
    code, out, _ = run(f"train --csv {flowers(place)} --target species --no-plots")
    assert code == 0
    assert "90 rows, 2 features; classification: column 'species' holds text, 3 different values" in out
    assert float(re.search(r"test accuracy +([\d.]+) %", out)[1]) > 90
    (place / "new.csv").write_text("id,width,length\nx,100,0\ny,90,20\n")          # another order, one column more
    code, out, _ = run("predict fastbp-flowers/model.safetensors new.csv")
    rows = table(out)
    assert code == 0 and [(row["row"], row["class"]) for row in rows] == [("1", "iris"), ("2", "tulip")]
    assert all(0.9 < float(row["probability"]) <= 1 for row in rows)


def test_train_a_quantity_of_a_table_and_predict_it_in_its_units(run, place):
    code, out, _ = run(f"train --csv {houses(place)} --target price --no-plots")
    assert code == 0 and "regression: column 'price' holds 200 different whole numbers in 200 rows" in out
    assert float(re.search(r"R squared +([\d.]+)", out)[1]) > 0.95
    (place / "new.csv").write_text("area,age\n100,10\n60,80\n")
    rows = table(run("predict fastbp-houses/model.safetensors new.csv")[1])
    for row, price in zip(rows, (540000, 350000), strict=True):
        assert abs(float(row["price"]) - price) < 40000


def test_two_classes_by_one_sigmoid(run, place, rng):
    x = rng.normal(size=100)
    (place / "two.csv").write_text("x,y\n" + "".join(f"{v:.4f},{'yes' if v > 0 else 'no'}\n" for v in x))
    code, out, _ = run("train --csv two.csv --target y --loss binary_cross_entropy --lr 0.01 --no-plots")
    assert code == 0 and "1-64-64-1 relu, output linear, binary_cross_entropy" in out
    (place / "new.csv").write_text("x\n-2\n2\n")
    rows = table(run("predict fastbp-two/model.safetensors new.csv")[1])
    assert [row["class"] for row in rows] == ["no", "yes"] and min(float(row["probability"]) for row in rows) > 0.9


def test_task_may_be_said(run, place):
    (place / "t.csv").write_text("x,y\n" + "".join(f"{i},{i % 5}\n" for i in range(50)))
    code, out, _ = run("train --csv t.csv --target y --task regression --epochs 1 --no-plots")
    assert code == 0
    assert "regression: column 'y' holds 5 different whole numbers in 50 rows; regression was asked for" in out


def test_missing_matplotlib_is_said_and_training_goes_on(place, mnist):
    code = "import sys; sys.modules['matplotlib'] = None; from fastbp.cli import main; " \
           "sys.exit(main('train --data mnist --data-dir data --epochs 1'.split()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and 'no pictures: they need matplotlib; pip install "fastbp[plot]"' in done.stderr
    assert os.listdir("fastbp-mnist") == ["model.safetensors"]


def test_ctrl_c_keeps_what_was_trained(place, mnist):
    """A real signal to a real process in the middle of a training that would take hours."""
    line = "-u -m fastbp train --data mnist --data-dir data --epochs 10000000"
    process = subprocess.Popen([sys.executable, *line.split()], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while "2/10000000" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and "Traceback" not in err
    assert "what was trained so far is kept" in out
    assert np.isfinite(fb.load("fastbp-mnist/model.safetensors").params).all()


def test_output_into_a_pipe_that_closes(run, mnist):
    assert run("train --data mnist --data-dir data --epochs 1 --no-plots --quiet")[0] == 0
    np.save("many.npy", np.zeros((100000, 16), np.uint8))
    command = f"{sys.executable} -m fastbp predict fastbp-mnist/model.safetensors many.npy | head -2"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout.count("\n") == 2 and done.stderr == ""


# ---- train refuses --------------------------------------------------------------------------------------------------

BAD = [
    ("train --data mnits", "did you mean 'mnist'"),
    ("train --activation rleu", "did you mean 'relu'"),
    ("train --optimizer rmsporp", "did you mean 'rmsprop'"),
    ("train --loss cros_entropy", "did you mean 'cross_entropy'"),
    ("train --schedule cosin", "did you mean 'cosine'"),
    ("train --dtype float16", "float32"),
    ("train --epochs 0", "--epochs is '0', expected a whole number, at least 1"),
    ("train --epochs 1.5", "--epochs is '1.5', expected a whole number"),
    ("train --batch-size -1", "--batch-size is '-1'"),
    ("train --threads 0", "--threads is '0'"),
    ("train --seed -1", "--seed is '-1'"),
    ("train --lr -0.1", "--lr is '-0.1', expected a finite number, at least 0"),
    ("train --lr nan", "--lr is 'nan'"),
    ("train --dropout 1", "--dropout is '1', expected a finite number, at least 0 and below 1"),
    ("train --layers 784", "--layers is '784', expected two or more widths"),
    ("train --layers 784,x,10", "--layers is '784,x,10'"),
    ("train --layers 784,0,10", "--layers is '784,0,10'"),
    ("train --nonsense", "unrecognized arguments: --nonsense"),
    ("train --data-dir data", "--data-dir is given without --data mnist, expected both"),
    ("train --target x", "--target is given without --csv FILE, expected both"),
    ("train --csv flowers.csv", "--target is missing, expected the column of --csv to predict"),
    ("train --csv flowers.csv --target species --data digits", "--csv and --data are both given, expected one of them"),
    ("train --csv flowers.csv --target specie", "did you mean 'species'"),
    ("train --csv nowhere.csv --target x", "nowhere.csv: no such file"),
    ("train --data mnist --data-dir nowhere", "--data-dir is 'nowhere', expected a folder with MNIST's four IDX "
                                              "files, and there is no such"),
    ("train --data mnist --data-dir data --layers 15,10", "--layers begins with 15, expected 16, the inputs of mnist"),
    ("train --data mnist --data-dir data --layers 16,9", "--layers ends with 9, expected 10, as mnist has 10 classes"),
    ("train --csv flowers.csv --target species --layers 2,1", "--layers ends with 1, expected 3, as flowers has 3 "
                                                              "classes"),
    ("train --data mnist --data-dir data --loss cross_entropy --output sigmoid", "cross_entropy"),
    ("train --data mnist --data-dir data --activation softmax", "softmax"),
    ("train --csv houses.csv --target price --loss cross_entropy", "--loss is cross_entropy, which is for classes, "
                                                                   "expected one for the quantity"),
    ("train --csv flowers.csv --target length --categorical 0", "'iris' is not a number"),
    ("train --data mnist --data-dir data --out flowers.csv", "--out is flowers.csv, a file that exists, expected a "
                                                             "folder"),
    ("", "arguments are required"),
    ("tarin", "tarin"),
    ("predict", "required: MODEL, FILE"),
]


@pytest.mark.parametrize("line, message", BAD)
def test_errors_are_one_line_and_change_nothing(run, place, mnist, line, message):
    flowers(place)
    houses(place)
    before = sorted(os.listdir())
    code, _, err = run(line)
    assert code == 2 and message in err and err.count("\n") == 1 and err.startswith("fastbp")
    assert "Traceback" not in err and sorted(os.listdir()) == before


def test_a_training_that_blows_up_says_so_and_saves_nothing(run, place, mnist):
    code, _, err = run("train --data mnist --data-dir data --loss mse --output linear --activation linear --lr 1e30")
    assert code == 2 and err.count("\n") == 1 and not os.path.exists("fastbp-mnist")


# ---- info and help --------------------------------------------------------------------------------------------------

def test_info_tells_what_is_used_and_why(run):
    code, out, _ = run("info")
    assert code == 0
    rows = dict(line.split(maxsplit=1) if not line.startswith(("ISA", "installed")) else (line[:12].strip(), line[12:])
                for line in out.splitlines())
    assert rows["ISA in use"].split()[0] == fb.cpu.selected()
    assert all(name in rows["ISA in use"] for name in fb.cpu.available())
    assert rows["threads"] == f"{fb.cpu.threads()} ({fb.cpu.thread_reason()})"
    assert rows["OpenMP"].startswith("yes" if fb.cpu.build()["openmp"] else "no")
    assert rows["NumPy"] == np.__version__ and rows["Python"].startswith(sys.version.split()[0])
    assert "-O3" in rows["flags"] and rows["compiler"]


@pytest.mark.parametrize("command", ["", "train", "predict", "info"])
def test_help_fits_the_screen_and_shows_examples(run, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = run(f"{command} --help")
    assert code == 0 and max(map(len, out.splitlines())) <= 120 and "%%" not in out
    assert "fastbp train" in out if command in ("", "train") else "fastbp" in out


def test_version(run):
    code, out, _ = run("--version")
    assert code == 0 and out == f"fastbp {fb.__version__}\n"


# ---- what could not be saved ----------------------------------------------------------------------------------------


def write(path, y, x=(1.0,)):
    rows = [f"{i % 7},{x[i % len(x)]},{y[i % len(y)]}" for i in range(60)]
    path.write_text("\n".join(["small,big,price", *rows]) + "\n")


@pytest.mark.parametrize("y, x, message", [
    ((1.5, 2.5, 3.5), (1e308, 0, -1e308), "column 'big' holds numbers up to 1e+308, whose mean and deviation"),
    ((1.5, 2.5, 3.5), (1e308, 1.1e308), "column 'big' holds numbers up to 1.1e+308"),
    ((1.5, 2.5, 3.5), (1e200, -1e200, 3), "column 'big' holds numbers up to 1e+200"),
    ((1e305, 2e305, -3e305), (1, 2), "the target 'price' holds numbers up to 3e+305, expected at most 3.4e+32"),
    ((1e35, 2e35, -3e35), (1, 2), "'price' holds numbers up to 3e+35, expected at most 3.4e+32, so that float32"),
])
def test_what_could_not_be_saved_is_refused_before_it_is_trained(run, place, monkeypatch, y, x, message):
    write(place / "t.csv", y, x)
    monkeypatch.setattr(fb.Sequential, "fit", lambda *_, **__: pytest.fail("this is trained"))
    code, _, err = run("train --csv t.csv --target price --task regression --no-plots")
    assert code == 2 and message in err and err.count("\n") == 1
    assert not (place / "fastbp-t").exists()


@pytest.mark.parametrize("y, more", [((1e30, 2e30, -3e30), ""), ((1e100, 2e100, -3e100), " --dtype float64")])
def test_large_quantities_that_can_be_saved_are(run, place, y, more):
    write(place / "t.csv", y, (1, 2, 5))
    code, _, err = run(f"train --csv t.csv --target price --task regression --no-plots --epochs 2 --quiet{more}")
    assert code == 0, err
    assert np.isfinite(fb.load(place / "fastbp-t" / "model.safetensors").params).all()
@pytest.mark.parametrize(("variable", "value", "message"), [
    ("FASTBP_ISA", "avx1024", "FASTBP_ISA is 'avx1024', which is unknown, expected one of: "),
    ("FASTBP_NUM_THREADS", "all", "FASTBP_NUM_THREADS is 'all', expected a whole number of threads, 1 or more")])
def test_an_error_of_the_environment_is_one_line(tmp_path, variable, value, message):
    """It is raised while the package is imported, when there is no main yet."""
    if variable == "FASTBP_NUM_THREADS" and not fb.cpu.build()["openmp"]:
        pytest.skip("without OpenMP nobody looks at it")
    script = tmp_path / "fastbp"
    script.write_text("import sys\nfrom fastbp.cli import main\nsys.exit(main())\n")
    for command in (["-m", "fastbp", "info"], ["-mfastbp", "info"], ["-m", "fastbp", "--help"], [script, "info"]):
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60,
                              env={**os.environ, variable: value})
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        assert done.stderr.startswith(f"fastbp: error: {message}")
    for code in ("import fastbp", "from fastbp.cli import main; main(['info'])"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                              env={**os.environ, variable: value})
        assert done.returncode == 1 and f"\nValueError: {message}" in done.stderr
        assert done.stderr.count("Traceback") == 1
