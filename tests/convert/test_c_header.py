"""fastbp/convert/c_header.py: a header compiles without a warning, and says what net.predict says."""

import io
import re
import shutil
import subprocess

import numpy as np
import pytest

import fastbp as fb
from convert.compiled_c import STRICT, compiled, pointer
from convert.networks import EXAMPLES, rows

CALL = '#include "model.h"\nvoid call(const float *x, float *y) { model_predict(x, y); }\n'


def answers(folder, net, X, *options):
    """What the compiled header says of X (n, inputs)."""
    net.to_c(folder / "model.h")
    library = compiled(folder, CALL, folder, *options)
    X = np.ascontiguousarray(X, np.float32)
    Y = np.full((len(X), net.units), np.nan, np.float32)
    for x, y in zip(X, Y, strict=True):
        library.call(pointer(x), pointer(y))
    return Y


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_header_says_what_predict_says(tmp_path, name):
    net = EXAMPLES[name]
    X = rows(net)
    Y = net.predict(X)
    np.testing.assert_allclose(answers(tmp_path, net, X), Y, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("option", ["-O0", "-Os", "-O3", "-m32"])
def test_it_compiles_without_a_warning_at_other_levels(tmp_path, option):
    if option == "-m32" and subprocess.run(["cc", "-m32", "-E", "-"], input=b"#include <stdint.h>", capture_output=True,
                                           timeout=60, check=False).returncode:
        pytest.skip("this compiler makes no code of 32 bits")
    net = EXAMPLES["norms"]
    net.to_c(tmp_path / "model.h")
    (tmp_path / "calls.c").write_text(CALL)
    subprocess.run(["cc", *STRICT, option, "-c", "calls.c"], cwd=tmp_path, check=True, timeout=120)


def test_what_is_large_goes_where_predict_goes(tmp_path):
    net = EXAMPLES["link of binary_cross_entropy"]
    X = 1e4 * rows(net)
    np.testing.assert_allclose(answers(tmp_path, net, X), net.predict(X), rtol=1e-6, atol=1e-6)
    assert np.isnan(answers(tmp_path, net, np.full((1, 5), np.nan))).all()


def test_it_needs_no_library_and_no_state(tmp_path):
    net = EXAMPLES["norms"]
    net.to_c(tmp_path / "model.h")
    text = (tmp_path / "model.h").read_text("ascii")
    assert set(re.findall("#include (.*)", text)) == {"<stddef.h>", "<stdint.h>", "<string.h>"}
    assert not re.search(r"alloc|\bfree\b|math\.h|\bprintf\b", text.split("#ifndef")[1])
    assert all("const" in line for line in text.splitlines() if re.match(r"static (?!inline)", line))
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert not re.search(r"\b(sinf?|expf?|tanhf?|erff?|sqrtf?|log1pf?)\s*\(", code)


def test_two_headers_live_in_one_program_and_one_may_go_unused(tmp_path):
    first, second = EXAMPLES["norms"], EXAMPLES["gelu"]
    first.to_c(tmp_path / "first.h")
    second.to_c(tmp_path / "second.h")
    text = ('#include "first.h"\n#include "second.h"\n#include "first.h"\n'
            "int widths(void) { return FIRST_INPUTS * 100 + SECOND_OUTPUTS; }\n")
    assert compiled(tmp_path, text, tmp_path).widths() == 503


@pytest.mark.skipif(shutil.which("c++") is None, reason="there is no C++ compiler here")
def test_a_header_is_cpp_as_well(tmp_path):
    EXAMPLES["norms"].to_c(tmp_path / "model.h")
    (tmp_path / "calls.cpp").write_text(CALL)
    subprocess.run(["c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-c", "calls.cpp"], cwd=tmp_path,
                   check=True, timeout=120)


@pytest.mark.parametrize(("file", "name", "wanted"), [
    ("digits.h", None, "digits"), ("my net-2.h", None, "my_net_2"), ("7.h", None, "model_7"), ("é.h", None, "model"),
    ("a.b.h", None, "a_b"), ("x.h", "Net_1", "Net_1"), ("float.h", None, "float"),
])
def test_names_begin_with_that_of_the_file_or_a_given_one(tmp_path, file, name, wanted):
    net = EXAMPLES["tanh"]
    net.to_c(tmp_path / file, name=name)
    text = (tmp_path / file).read_text("ascii")
    assert f"void {wanted}_predict(" in text and "model_tanh" not in text.replace(f"{wanted}_tanh", "")
    (tmp_path / "model.h").write_text(text)
    include = CALL.replace("model_predict", f"{wanted}_predict")
    assert compiled(tmp_path, include, tmp_path).call


def test_an_open_file_is_written_as_well():
    file = io.BytesIO()
    EXAMPLES["relu"].to_c(file)
    assert b"model_predict" in file.getvalue()


def test_the_numbers_have_the_bits_of_the_parameters(tmp_path):
    net = fb.mlp(3, 2)
    net.params[:] = [1e-45, -3.4028235e38, 1 / 3, 2**-126, 7, 0, -0.0, 1e10]
    net.to_c(tmp_path / "model.h")
    text = (tmp_path / "model.h").read_text("ascii")
    numbers = re.findall(r"\] = \{\n(.*?)\}", text, re.DOTALL)
    found = [float(one.strip().removesuffix("f")) for part in numbers for one in part.split(",")]
    assert (np.float32(found).view(np.int32) == np.concatenate([net.layers[0].W.T.ravel(), net.layers[0].b]).view(
        np.int32)).all()


def test_what_is_read_of_a_table_is_said(tmp_path):
    net = fb.mlp(2, 3, loss="cross_entropy")
    net.data_spec = {"features": ["a", "b"], "mean": [0.5, 1.0], "scale": [2.0, 1.0], "target": "t",
                     "classes": ["x", "y", "z"], "image_shape": None}
    net.to_c(tmp_path / "model.h")
    assert "scaling and words are\n * not in here" in (tmp_path / "model.h").read_text("ascii")


@pytest.mark.parametrize(("name", "error", "said"), [
    ("1st", ValueError, "name is '1st', expected letters, digits and _, a letter first, as the names in C begin with "
                        "it; pass one such as 'model'"),
    ("a b", ValueError, "name is 'a b', expected letters"),
    ("", ValueError, "name is '', expected letters"),
    ("é", ValueError, "expected letters, digits and _"),
    ("a\n", ValueError, "expected letters, digits and _"),
    (3, TypeError, "name is 3 (int), expected what the names in C begin with; pass a str, such as 'model'"),
])
def test_names_that_are_none_are_refused(tmp_path, name, error, said):
    with pytest.raises(error, match=re.escape(said)):
        EXAMPLES["relu"].to_c(tmp_path / "model.h", name=name)
    assert list(tmp_path.iterdir()) == []


def test_parameters_that_c_cannot_have_are_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "model.h"
    path.write_text("old")
    net = fb.mlp(3, 4, 2, dtype="float64")
    net.layers[1].W[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"params has numbers that are not finite, in layer 1 .*, expected finite "
                                         "ones; train with a smaller lr, or write finite ones into it"):
        net.to_c(path)
    net.layers[1].W[0, 0] = -1e39
    with pytest.raises(ValueError, match=r"W of layers\[1\] is 1e\+39 in size, expected what float32 can hold, in "
                                         "which this format is written; scale the network's parameters"):
        net.to_c(path)
    assert path.read_text() == "old" and [each.name for each in tmp_path.iterdir()] == ["model.h"]


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        EXAMPLES["relu"].to_c(tmp_path / "none" / "model.h")
    with pytest.raises(TypeError, match=r"path is 3 .*, expected the path of a file"):
        EXAMPLES["relu"].to_c(3)
