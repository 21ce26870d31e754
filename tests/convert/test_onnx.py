"""TFLite -> ONNX: the same integers, the same bytes."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx as onnx_package
import pytest
from onnx import numpy_helper

from edgecnn.convert import onnx, source, tflite
from edgecnn.convert.canonical import canonical
from edgecnn.errors import ConversionError
from edgecnn.runtime.session import open_session, raw_outputs
from edgecnn.spec import Precision


def run(content: bytes, suffix: str, pictures: np.ndarray) -> np.ndarray:
    with open_session(Path(f"net.{suffix}"), content=content) as session:
        return raw_outputs(session, pictures)


def optimized(content: bytes, folder: Path) -> list[str]:
    """Operators that ONNX Runtime really runs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx_package.load(folder / "optimized.onnx").graph.node]


def test_int8_gives_the_integers_of_litert(converted, pictures, body):
    int8 = converted(body).int8
    translated = onnx.to_onnx(int8)
    onnx.check(translated, Precision.INT8)
    expected, got = run(int8, "tflite", pictures), run(translated, "onnx", pictures)
    assert got.dtype == np.uint8
    assert len(np.unique(expected)) > 20, "the answers must differ, or equality means nothing"
    np.testing.assert_array_equal(got.astype(int) - 128, expected.astype(int))


@pytest.mark.parametrize("name", ["plain", "leaky relu", "branches"])
def test_float_gives_the_logits_of_litert(converted, pictures, name):
    float32 = converted(name).float32
    translated = onnx.to_onnx(float32)
    image, result = onnx.check(translated, Precision.FLOAT32)
    assert (image.name, image.shape, result.name, result.shape) == ("image", (-1, 16, 16, 1), "logits", (-1, 5))
    np.testing.assert_allclose(run(translated, "onnx", pictures), run(float32, "tflite", pictures), atol=1e-5)


def test_weights_stay_int8_and_scales_stay_the_same(converted):
    int8 = converted("plain").int8
    with open_session(Path("net.tflite"), content=int8) as session:
        source, result = session.input, session.output
    ends = onnx.check(onnx.to_onnx(int8), Precision.INT8)
    for one, other in zip((source, result), ends, strict=True):
        assert (other.dtype, other.scale, other.zero_point) == ("uint8", one.scale, one.zero_point + 128)
    graph = onnx_package.load_from_string(onnx.to_onnx(int8)).graph
    weights = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    assert sum(array.dtype == np.int8 and array.ndim == 4 for array in weights) == 2
    assert not any(array.dtype == np.float32 and array.ndim > 1 for array in weights)


def test_onnx_runtime_runs_integer_kernels(converted, tmp_path):
    kinds = optimized(onnx.to_onnx(converted("plain").int8), tmp_path)
    assert kinds.count("QLinearConv") == 2
    assert kinds.count("QGemm") == 1
    assert not {"DequantizeLinear", "QuantizeLinear", "Conv", "MatMul"}.intersection(kinds)


def test_metadata_is_in_the_file(converted):
    model = onnx_package.load_from_string(onnx.to_onnx(converted("plain").int8, {"edgecnn": "{}", "a": "é"}))
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("a", "é"), ("edgecnn", "{}")]


def test_order_and_names_do_not_come_from_the_translator(converted):
    """Whatever the order of nodes and constants and whatever their names: the same graph is written in the same way."""
    model = onnx_package.load_from_string(onnx.to_onnx(converted("branches").int8))
    expected = model.SerializeToString(deterministic=True)
    shuffle = random.Random(5)
    names = {name for node in model.graph.node for name in [*node.input, *node.output]} - {"image", "logits", ""}
    other = dict(zip(sorted(names), shuffle.sample(range(10**6), len(names)), strict=True))
    for node in model.graph.node:
        node.input[:] = [str(other.get(name, name)) for name in node.input]
        node.output[:] = [str(other.get(name, name)) for name in node.output]
    for tensor in model.graph.initializer:
        tensor.name = str(other[tensor.name])
    for field in (model.graph.node, model.graph.initializer):
        values = [type(value).FromString(value.SerializeToString()) for value in field]
        shuffle.shuffle(values)
        del field[:]
        field.extend(values)
    assert model.SerializeToString(deterministic=True) != expected
    canonical(model)
    assert model.SerializeToString(deterministic=True) == expected


def test_bytes_are_the_same_in_every_process(converted, tmp_path):
    """Python's hashes of texts, by which tf2onnx chooses between equal nodes, differ from process to process."""
    (tmp_path / "net.tflite").write_bytes(converted("branches").int8)
    code = (
        "import hashlib, pathlib, sys; from edgecnn.convert.onnx import to_onnx; "
        "print(hashlib.sha256(to_onnx(pathlib.Path(sys.argv[1]).read_bytes())).hexdigest())"
    )
    hashes = {hashlib.sha256(onnx.to_onnx(converted("branches").int8)).hexdigest()}
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "net.tflite"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=240,
            check=True,
        )
        hashes.add(ran.stdout.strip())
    assert len(hashes) == 1


def test_a_broken_file_fails_the_check(converted):
    content = onnx.to_onnx(converted("plain").float32)
    with pytest.raises(ConversionError, match=r"onnx\.checker"):
        onnx.check(content[: len(content) // 2], Precision.FLOAT32)
    with pytest.raises(ConversionError, match="expected image of int8 or uint8"):
        onnx.check(content, Precision.INT8)


def test_a_float_operator_in_an_int8_file_fails_the_check(converted):
    model = onnx_package.load_from_string(onnx.to_onnx(converted("plain").int8))
    nodes = list(model.graph.node)
    place, quantizer = next((i, node) for i, node in enumerate(nodes) if node.op_type == "QuantizeLinear")
    constant = next(
        tensor.name for tensor in model.graph.initializer if tensor.data_type == onnx_package.TensorProto.FLOAT
    )
    source = quantizer.input[0]
    quantizer.input[0] = "sum"
    model.graph.node.insert(place, onnx_package.helper.make_node("Exp", [constant], ["float"], "stray"))
    model.graph.node.insert(place + 1, onnx_package.helper.make_node("Add", [source, "float"], ["sum"], "sum"))
    with pytest.raises(ConversionError, match="Exp stray computes on floats"):
        onnx.check(model.SerializeToString(), Precision.INT8)


MOVES = ("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze")


@pytest.mark.parametrize("name", ["plain", "global average", "branches", "padding"])
def test_moves_stand_between_a_pair_that_onnx_runtime_drops(converted, name, tmp_path, monkeypatch):
    int8 = converted(name).int8
    translated = onnx.to_onnx(int8)
    nodes = onnx_package.load_from_string(translated).graph.node
    moves = [node for node in nodes if node.op_type in MOVES]
    for move in moves:
        before = next(node for node in nodes if move.input[0] in node.output)
        (after,) = (node for node in nodes if move.output[0] in node.input)
        assert (before.op_type, after.op_type) == ("DequantizeLinear", "QuantizeLinear")
        assert before.input[1:] == after.input[1:]
    assert len(moves) >= 2
    (tmp_path / "paired").mkdir()
    paired = optimized(translated, tmp_path / "paired")
    monkeypatch.setattr(onnx, "pair_moves", lambda model: None)
    assert onnx.to_onnx(int8) != translated
    assert paired == optimized(onnx.to_onnx(int8), tmp_path)


def test_weights_share_no_zero_points(net, pictures):
    def body(k, x):
        return k.Dense(8)(k.Flatten()(k.Conv2D(8, 3)(k.Conv2D(8, 3, strides=2)(x))))

    float32 = tflite.to_float(source.trace(net(body), Path("net")).whole)
    graph = onnx_package.load_from_string(onnx.to_onnx(tflite.to_int8(float32, pictures))).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    zero_points = [
        node.input[2]
        for node in graph.node
        if node.op_type == "DequantizeLinear"
        and node.input[0] in constants
        and constants[node.input[0]].data_type == onnx_package.TensorProto.INT8
    ]
    assert len(zero_points) == 3
    assert len(set(zero_points)) == 3
