"""fastbp/convert/onnx_export.py: ONNX Runtime says what net.predict says, for any number of rows."""

import io
import subprocess
import sys

import numpy as np
import pytest

import fastbp as fb
from convert.networks import EXAMPLES, rows
from fastbp._core import cpu

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def session(data):
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def written(net):
    file = io.BytesIO()
    net.to_onnx(file)
    return file.getvalue()


@pytest.mark.parametrize("name", EXAMPLES)
def test_onnx_runtime_says_what_predict_says(name):
    net = EXAMPLES[name]
    run = session(written(net))
    for n in (1, 7, 16):
        X = rows(net, n)
        Y, = run.run(None, {"X": X.astype(np.float32)})
        np.testing.assert_allclose(Y, net.predict(X), rtol=1e-5, atol=1e-5)
        assert Y.dtype == np.float32


def test_every_activation_and_link_is_tried():
    assert {*cpu.activations()} <= {*EXAMPLES}
    assert {f"link of {name}" for name, loss in fb.losses.LOSSES.items() if loss.link} <= {*EXAMPLES}


def test_inputs_outputs_and_the_producer_have_names(tmp_path):
    import onnx

    EXAMPLES["norms"].to_onnx(tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    assert [(one.name, [axis.dim_param or axis.dim_value for axis in one.type.tensor_type.shape.dim])
            for one in [*model.graph.input, *model.graph.output]] == [("X", ["n", 5]), ("Y", ["n", 4])]
    assert (model.producer_name, model.opset_import[0].version, model.ir_version) == ("fastbp", 17, 8)


def test_dropout_is_left_out_and_names_are_those_of_layers():
    import onnx

    graph = onnx.load_from_string(written(EXAMPLES["norms"])).graph
    assert [node.op_type for node in graph.node if node.op_type[0] in "GLD"] == [
        "LayerNormalization", "Gemm", "LayerNormalization", "Gemm"]
    assert "layers[1].W" in [each.name for each in graph.initializer]


def test_what_cannot_be_written_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"old")
    net = fb.mlp(3, 2)
    net.params[0] = np.inf
    with pytest.raises(ValueError, match="params has numbers that are not finite"):
        net.to_onnx(path)
    assert path.read_bytes() == b"old"
    with pytest.raises(TypeError, match=r"path is 3 .*, expected the path of a file"):
        net.to_onnx(3)


def test_without_the_package_its_extra_is_named():
    program = ("import sys; sys.modules['onnx'] = None\nimport fastbp as fb\n"
               "try: fb.mlp(2, 1).to_onnx('net.onnx')\nexcept ImportError as error: print(error)")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == 'ONNX models need the package onnx; pip install "fastbp[onnx]"'
