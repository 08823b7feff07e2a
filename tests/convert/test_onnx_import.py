"""fastbp/convert/onnx_import.py: dense graphs become networks that say the same; others are refused at the node."""

import io
import re

import numpy as np
import pytest

import fastbp as fb
from convert.networks import EXAMPLES, rows

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(8)
W = RNG.normal(0, 1, (5, 3)).astype(np.float32)
V = RNG.normal(0, 1, (3, 3)).astype(np.float32)
B = RNG.normal(0, 1, 3).astype(np.float32)


def model(*nodes, inputs=(("X", ["n", 5]),), outputs=("Y",), opset=17, dtype=np.float32, **constants):
    """A model of (operator, its inputs, its outputs, attributes) and named constants."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    made = [onnx.helper.make_node(operator, given.split(","), out.split(","), **(rest[0] if rest else {}))
            for operator, given, out, *rest in nodes]
    graph = onnx.helper.make_graph(
        made, "g", [onnx.helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs],
        [onnx.helper.make_tensor_value_info(name, kind, ["n", "m"]) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


def said_by_runtime(made, X):
    run = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return run.run(None, {run.get_inputs()[0].name: X})[0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_was_written_is_read_again(name, tmp_path):
    net = EXAMPLES[name]
    net.to_onnx(tmp_path / "net.onnx")
    again = fb.from_onnx(tmp_path / "net.onnx")
    X = rows(net).astype(np.float32)
    np.testing.assert_allclose(again.predict(X), net.predict(X.astype(net.dtype)), rtol=1e-6, atol=1e-6)
    kinds = [layer.kind for layer in net.layers if layer.kind != "dropout"]
    assert [layer.kind for layer in again.layers] == kinds and again.dtype == np.float32
    assert [layer.activation for layer in again.layers][:-1] == [
        layer.activation for layer in net.layers if layer.kind != "dropout"][:-1]
    if net.loss.link is not None:
        assert again.loss.link == net.loss.link
    assert np.float32(again.input_scale) == np.float32(net.input_scale)


GRAPHS = {
    "MatMul and Add": [("MatMul", "X,W", "a"), ("Add", "a,B", "b"), ("Relu", "b", "Y")],
    "Add from the left, twice": [("MatMul", "X,W", "a"), ("Add", "B,a", "b"), ("Add", "b,B", "Y")],
    "MatMul alone": [("MatMul", "X,W", "Y")],
    "Gemm, transposed": [("Gemm", "X,WT,B", "Y", {"transB": 1})],
    "Gemm without a bias": [("Gemm", "X,W", "Y")],
    "a bias that is a number": [("MatMul", "X,W", "a"), ("Add", "a,ONE", "Y")],
    "a bias of one row": [("Gemm", "X,W,ROW", "Y")],
    "Flatten, Identity and Dropout": [("Flatten", "X", "a"), ("Identity", "a", "b"), ("Gemm", "b,W,B", "c"),
                                      ("Dropout", "c", "d"), ("Gemm", "d,V,B", "Y")],
    "a transposed weight": [("Transpose", "WT", "w"), ("MatMul", "X,w", "Y")],
    "a constant node": [("Constant", "", "w", {"value": onnx.numpy_helper.from_array(W)}), ("MatMul", "X,w", "Y")],
    "inputs divided": [("Div", "X,ONE_AND_HALF", "a"), ("MatMul", "a,W", "Y")],
    "silu of parts": [("MatMul", "X,W", "a"), ("Sigmoid", "a", "s"), ("Mul", "s,a", "Y")],
    "softplus of parts": [("MatMul", "X,W", "a"), ("Exp", "a", "e"), ("Add", "e,ONE", "f"), ("Log", "f", "Y")],
    "relu by Clip": [("MatMul", "X,W", "a"), ("Clip", "a,ZERO", "Y")],
    "relu by Max": [("MatMul", "X,W", "a"), ("Max", "ZERO,a", "Y")],
    "hard_sigmoid by Clip": [("MatMul", "X,W", "a"), ("Add", "a,B", "b"), ("Mul", "b,SIXTH", "c"),
                             ("Add", "c,HALF", "d"), ("Clip", "d,ZERO,ONE", "Y")],
    "gelu by Div": [("MatMul", "X,W", "a"), ("Div", "a,ROOT", "b"), ("Erf", "b", "c"), ("Add", "c,ONE", "d"),
                    ("Mul", "a,d", "e"), ("Mul", "e,HALF", "Y")],
    "what does nothing": [("Mul", "X,ONE", "a"), ("MatMul", "a,W", "b"), ("Sub", "b,ZERO", "c"), ("Tanh", "c", "Y")],
    "LayerNormalization without a shift": [("LayerNormalization", "X,G", "a"), ("Gemm", "a,W", "Y")],
}  # fmt: skip
CONSTANTS = {
    "W": W, "WT": W.T.copy(), "V": V, "B": B, "ROW": B[None], "ONE": np.float32(1), "ZERO": np.float32(0),
    "ONE_AND_HALF": np.float32([1.5]), "SIXTH": np.float32(1 / 6), "HALF": np.float32(0.5),
    "ROOT": np.float32(np.sqrt(2)), "G": np.ones(5, np.float32), "WIDE": np.ones((4, 3), np.float32),
    "SIX": np.float32(6), "COLUMN": np.ones((3, 1), np.float32),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_as_others_write_them(name):
    used = {one for _, given, *_ in GRAPHS[name] for one in given.split(",")}
    made = model(*[(operator, given, *rest) for operator, given, *rest in GRAPHS[name]],
                 **{key: value for key, value in CONSTANTS.items() if key in used})
    for node in made.graph.node:
        if node.op_type == "Constant":
            del node.input[:]
    X = RNG.normal(0, 2, (20, 5)).astype(np.float32)
    net = fb.from_onnx(made)
    np.testing.assert_allclose(net.predict(X), said_by_runtime(made, X), rtol=1e-5, atol=1e-5)


def test_float64_stays_float64():
    made = model(("Gemm", "X,W,B", "a"), ("Tanh", "a", "Y"), dtype=np.float64, W=W.astype(float), B=B.astype(float))
    net = fb.from_onnx(made, seed=5)
    X = RNG.normal(0, 1, (9, 5))
    assert (net.dtype, net.seed) == (np.float64, 5)
    np.testing.assert_allclose(net.predict(X), np.tanh(X @ W + B), rtol=1e-12, atol=1e-12)


def test_the_loss_decides_where_a_link_is():
    logits = model(("Gemm", "X,W,B", "Y"), W=W, B=B)
    ends = model(("Gemm", "X,W,B", "a"), ("Softmax", "a", "Y"), W=W, B=B)
    X = rows(fb.from_onnx(logits))
    assert (fb.from_onnx(logits).loss.name, fb.from_onnx(ends).loss.name) == ("squared_error", "cross_entropy")
    assert fb.from_onnx(ends).layers[-1].activation == "linear"
    assert fb.from_onnx(ends, loss="mse").layers[-1].activation == "softmax"
    p = fb.from_onnx(ends).predict(X)
    assert np.allclose(fb.from_onnx(ends, loss="mse").predict(X), p, atol=1e-6)
    assert (fb.from_onnx(logits, loss=fb.losses.CrossEntropy()).predict(X) == p).all()
    with pytest.raises(ValueError, match="output activation 'softmax' does not go with loss 'binary_cross_entropy'"):
        fb.from_onnx(ends, loss="binary_cross_entropy")


def test_files_and_open_files_are_read(tmp_path):
    path = tmp_path / "net.onnx"
    EXAMPLES["norms"].to_onnx(path)
    X = rows(EXAMPLES["norms"])
    from_path, from_file = fb.from_onnx(path), fb.from_onnx(io.BytesIO(path.read_bytes()))
    assert (from_path.predict(X) == from_file.predict(X)).all()


REFUSED = {
    "an operator of images": ([("Gemm", "X,W", "a"), ("Unsqueeze", "a,AXES", "Y")], {"AXES": np.int64([2])},
                              "node 1 (Unsqueeze) is no operator of a dense network, expected Gemm, MatMul"),
    "a skip connection": ([("Gemm", "X,SQUARE", "a"), ("Relu", "a", "b"), ("Gemm", "b,SQUARE", "c"),
                           ("Add", "c,b", "Y")],
                          {"SQUARE": np.eye(5, dtype=np.float32)},
                          "node 3 (Add) is reading what stands before an earlier layer, expected one layer"),
    "two heads": ([("Gemm", "X,W", "a"), ("Gemm", "X,W", "b"), ("Add", "a,b", "Y")], {},
                  "node 1 (Gemm) is reading what stands before an earlier layer"),
    "before and after a bias": ([("MatMul", "X,W", "a"), ("Add", "a,B", "b"), ("Mul", "a,b", "Y")], {},
                                "node 2 (Mul) is reading what stands before an earlier layer"),
    "relu6": ([("Gemm", "X,W", "a"), ("Clip", "a,ZERO,SIX", "b"), ("Gemm", "b,V", "Y")], {},
              "node 1 (Clip) is the beginning of a function that no activation is, expected one of fb.Dense's"),
    "another slope": ([("Gemm", "X,W", "a"), ("LeakyRelu", "a", "Y", {"alpha": 0.2})], {},
                      "node 1 (LeakyRelu) is the beginning of a function that no activation is"),
    "two activations": ([("Gemm", "X,W", "a"), ("Tanh", "a", "b"), ("Tanh", "b", "Y")], {},
                        "node 1 (Tanh) is the beginning of a function that no activation is"),
    "columns scaled apart": ([("Mul", "X,COLUMNS", "a"), ("Gemm", "a,W", "Y")], {"COLUMNS": np.ones(5, np.float32)},
                             "node 0 (Mul) is Mul with an array of shape (5,), expected a number, or the bias"),
    "a Gemm with alpha": ([("Gemm", "X,W,B", "Y", {"alpha": 2.0})], {},
                          "node 0 (Gemm) is with alpha, beta or transA, expected X W + b; fold them into the weights"),
    "a product from the left": ([("MatMul", "WT,X", "Y")], {}, "node 0 (MatMul) is a product of other than rows"),
    "other widths": ([("Gemm", "X,WIDE", "Y")], {}, "node 0 (Gemm) is of 4 inputs, expected 5, as it is given"),
    "a bias of columns": ([("MatMul", "X,W", "a"), ("Add", "a,COLUMN", "Y")], {},
                          "node 1 (Add) is with a bias of shape (3, 1), expected (3,); export it so"),
    "a softmax along the rows": ([("Gemm", "X,W", "a"), ("Softmax", "a", "Y", {"axis": 0})], {},
                                 "node 1 (Softmax) is a softmax along axis 0, expected 1; export it so"),
    "a softmax in between": ([("Gemm", "X,W", "a"), ("Softmax", "a", "b"), ("Gemm", "b,V", "Y")], {},
                             "node 1 (Softmax) is a softmax with node 2 (Gemm) behind it, expected it at the end"),
    "a computed constant": ([("Add", "W,W", "w"), ("MatMul", "X,w", "Y")], {},
                            "node 0 (Add) is computing a constant, expected a Constant, Identity or Transpose"),
    "a mask of dropout": ([("Gemm", "X,W", "a"), ("Dropout", "a", "b,mask"), ("Identity", "mask", "Y")], {},
                          "node 2 (Identity) is reading what an earlier node gives beside its first output"),
    "a dropout that is active": ([("Gemm", "X,W", "a"), ("Dropout", "a,HALF,TRUE", "b"), ("Gemm", "b,V", "Y")],
                                 {"TRUE": np.bool_(True)}, "node 1 (Dropout) is a dropout that is active, expected"),
    "flattened whole": ([("Flatten", "X", "a", {"axis": 0}), ("Gemm", "a,W", "Y")], {},
                        "node 0 (Flatten) is flattening from axis 0, expected 1, which keeps the rows"),
    "no layer": ([("Relu", "X", "Y")], {}, "the graph has no layer with weights"),
    "weights that are NaN": ([("Gemm", "X,BAD", "Y")], {"BAD": np.full((5, 3), np.nan, np.float32)},
                             "node 0 (Gemm) has weights that are not finite, expected finite ones"),
    "an activation first": ([("Relu", "X", "a"), ("Gemm", "a,W", "Y")], {},
                            "node 0 (Relu) is an activation that no dense layer stands before"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_the_first_node_that_cannot_be_taken_is_named(name):
    nodes, more, said = REFUSED[name]
    constants = {**CONSTANTS, **more}
    used = {one for _, given, *_ in nodes for one in given.split(",")}
    made = model(*nodes, **{key: value for key, value in constants.items() if key in used})
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        fb.from_onnx(made)


def test_inputs_and_outputs_that_are_not_one_of_each_are_refused():
    two = model(("Gemm", "X,W", "Y"), ("Relu", "Y", "Z"), outputs=("Y", "Z"), W=W)
    with pytest.raises(ValueError, match="the graph has 1 inputs and 2 outputs, expected one of each; export"):
        fb.from_onnx(two)
    image = model(("Flatten", "X", "a"), ("Gemm", "a,W", "Y"), inputs=(("X", ["n", 1, 5]),), W=W)
    with pytest.raises(ValueError, match=r"the input 'X' has 3 axes, expected 2, \(n, inputs\); export"):
        fb.from_onnx(image)
    halves = model(("Gemm", "X,W", "Y"), dtype=np.float16, W=W.astype(np.float16))
    with pytest.raises(ValueError, match="the input 'X' is of FLOAT16, expected FLOAT or DOUBLE; export the model in"):
        fb.from_onnx(halves)


def test_an_operator_of_others_is_refused():
    made = model(("Gemm", "X,W", "a"), ("FusedGelu", "a", "Y", {"domain": "com.microsoft"}), W=W)
    made.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(ValueError, match=r"node 1 \(FusedGelu\) is of the operators 'com.microsoft', expected"):
        fb.from_onnx(made)


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_bytes(b"no model at all")
    with pytest.raises(ValueError, match=r"text.onnx is no (valid )?ONNX model \(.*\), expected one; "):
        fb.from_onnx(tmp_path / "text.onnx")
    with pytest.raises(ValueError, match="is no valid ONNX model"):
        fb.from_onnx(io.BytesIO(b""))
    with pytest.raises(FileNotFoundError, match=r"none.onnx: no such file, expected an ONNX model; correct the path"):
        fb.from_onnx(tmp_path / "none.onnx")
    with pytest.raises(TypeError, match=r"path is 3 .*, expected the path of a file; pass a str or a pathlib.Path, an"):
        fb.from_onnx(3)
    with pytest.raises(ValueError, match="loss is 'no loss', expected"):
        fb.from_onnx(tmp_path / "none.onnx", loss="no loss")


def test_a_model_with_thousands_of_operators_is_no_trouble():
    chain = [("Identity" if i % 2 else "Neg", f"a{i}", f"a{i + 1}") for i in range(4000)]
    made = model(("Gemm", "X,W", "a0"), *chain, ("Identity", "a4000", "Y"), W=W)
    assert fb.from_onnx(made).layers[0].activation == "linear"
