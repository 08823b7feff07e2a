"""fastbp/convert/onnx_functions.py: every function is the operator of ONNX Runtime, its attributes too."""

import numpy as np
import pytest

from fastbp.convert import onnx_functions

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
Z = np.linspace(-5, 5, 51).astype(np.float32)


def said_by_runtime(operator, opset, arrays, **attributes):
    names = [f"x{i}" for i in range(len(arrays))]
    values = [onnx.helper.make_tensor_value_info(name, 1, [51]) for name in (*names, "y")]
    node = onnx.helper.make_node(operator, names, ["y"], **attributes)
    made = onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:-1], values[-1:]), ir_version=8,
                                  opset_imports=[onnx.helper.make_opsetid("", opset)])
    run = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return run.run(None, dict(zip(names, arrays, strict=True)))[0]


@pytest.mark.parametrize("operator", onnx_functions.UNARY)
def test_a_function_is_its_operator(operator):
    if operator == "Swish":
        pytest.skip("of opset 24, which not every runtime has; its values are those of z sigmoid(alpha z)")
    z = np.abs(Z) + 0.1 if operator in ("Log", "Sqrt", "Reciprocal") else Z.astype(np.float32)
    for change in (False, True):
        defaults, _ = onnx_functions.UNARY[operator]
        given = {name: "tanh" if name == "approximate" else value + 0.25 for name, value in defaults.items()}
        wanted = said_by_runtime(operator, 20, [z], **(given if change else {}))
        found = onnx_functions.unary(operator, given if change else {})(z.astype(float))
        np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("operator", onnx_functions.BINARY)
def test_a_function_of_two_is_its_operator(operator):
    first, second = np.abs(Z) + 0.5, Z + 6
    wanted = said_by_runtime(operator, 17, [first, second])
    np.testing.assert_allclose(onnx_functions.BINARY[operator](first.astype(float), second), wanted, rtol=2e-6)


def test_clip_may_have_one_end():
    assert onnx_functions.clipped(np.array([-1.0, 0.5, 2.0]), None, 1.0).tolist() == [-1, 0.5, 1]
    assert onnx_functions.clipped(np.array([-1.0, 0.5, 2.0]), 0.0, None).tolist() == [0, 0.5, 2]
