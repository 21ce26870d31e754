"""Files that are no models, or are meant to do harm."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecnn.errors import SessionError
from edgecnn.runtime import check
from edgecnn.runtime.onnxfile import quantization
from edgecnn.runtime.session import open_session
from tests.runtime.conftest import Make, save

GARBAGE = {
    "empty": b"",
    "text": b"hello, world\n" * 50,
    "zeros": bytes(1000),
    "ones": b"\xff" * 1000,
    "identifier only": b"\x1c\0\0\0TFL3" + bytes(8),
    "identifier, then ones": b"\xff\xff\xff\x7fTFL3" + b"\xff" * 500,
    "endless varint": b"\x3a" + b"\x80" * 40,
    "length beyond the end": b"\x3a\xff\xff\xff\x7f",
}


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(SessionError) as caught:
        open_session(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.h5", "a", "a.tflite.gz", "a.ONNXX"])
def test_other_suffixes_are_refused(name: str) -> None:
    with pytest.raises(SessionError, match=r"expected a \.tflite or \.onnx file"):
        open_session(Path(name))


def test_what_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SessionError, match="cannot be read: No such file"):
        open_session(tmp_path / "a.tflite")
    (tmp_path / "b.onnx").mkdir()
    with pytest.raises(SessionError, match="cannot be read: Is a directory"):
        open_session(tmp_path / "b.onnx")
    monkeypatch.setattr(check, "MAX_BYTES", 10)
    (tmp_path / "c.tflite").write_bytes(bytes(11))
    with pytest.raises(SessionError, match="larger than 10 bytes"):
        open_session(tmp_path / "c.tflite")


MUTATE = """
import random, sys
from pathlib import Path
import numpy as np
from edgecnn.errors import EdgecnnError
from edgecnn.runtime.session import open_session

path, count, chance = Path(sys.argv[1]), int(sys.argv[2]), random.Random(20261124)
content, opened = path.read_bytes(), 0
for _ in range(count):
    broken = bytearray(content)
    if chance.random() < 0.3:
        del broken[chance.randrange(1, len(broken)):]
    for _ in range(chance.choice([1, 1, 4, 16])):
        broken[chance.randrange(len(broken))] = chance.choice([0, 255, chance.randrange(256)])
    try:
        with open_session(path, content=bytes(broken)) as session:
            opened += 1
            session.run(np.zeros([1, *session.input.shape[1:]], session.input.dtype))
    except EdgecnnError as error:
        if "\\n" in str(error):
            sys.exit(f"more than one line: {error}")
print(opened)
"""


@pytest.mark.parametrize("name", ["float32.tflite", "int8.tflite", "float32.onnx", "int8.onnx"])
def test_damaged_files_open_or_are_one_line_and_never_end_the_process(artifacts: Path, name: str) -> None:
    command = [sys.executable, "-c", MUTATE, str(artifacts / name), "120"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 0 < int(done.stdout) < 120  # some damage hits only weights


@pytest.mark.parametrize("constants", ["raw", "fields", "list", "nodes"])
@pytest.mark.parametrize(("dtype", "zero_point"), [(np.uint8, 3), (np.uint8, 255), (np.int8, -128), (np.int8, 5)])
def test_scales_of_an_onnx_file_are_found(make_quantized: Make, dtype: type, zero_point: int, constants: str) -> None:
    content = make_quantized(dtype=dtype, scale=0.25, zero_point=zero_point, constants=constants)
    assert quantization(content, "a.onnx") == {"x": (0.25, zero_point), "y": (0.25, zero_point)}
    with open_session(Path("a.onnx"), content=content) as session:
        assert (session.input.scale, session.input.zero_point) == (0.25, zero_point)
        assert session.input.shape == (-1, 2, 2, 1)
        picture = np.array([0, 1, 2, 3], dtype).reshape(1, 2, 2, 1)
        assert session.run(picture).tolist() == [[0, 1, 2, 3]]


def test_a_float_model_has_no_scales(make_float: Make) -> None:
    assert quantization(make_float(), "a.onnx") == {}


SHAPES: list[tuple[str, Sequence[Any], Sequence[Any], str]] = [
    ("float", (1, 1, 2, 2), (1, 4), r"input \[batch, height, width, 1 or 3\], got \[1, 1, 2, 2\]"),
    ("float", (1, 4), (1, 4), r"got \[1, 4\]"),
    ("float", (1, 2, 2, 1), (4,), r"expected \(1 or -1, sizes\.\.\.\), got \(4,\)"),
    ("float", (2, 2, 2, 1), (2, 4), r"expected \(1 or -1, sizes\.\.\.\), got \(2, 2, 2, 1\)"),
    ("float", (1, 2, 2, 1), (1, 1, 4), r"output \[batch, classes\], got \[1, 1, 4\]"),
    ("float", (1, 1, 1, 1), (1, 1), r"output \[batch, classes\], got \[1, 1\]"),
    ("float", ("n", "h", 2, 1), ("n", 4), "a free size other than the batch"),
]


@pytest.mark.parametrize(("kind", "shape", "output", "match"), SHAPES)
def test_models_of_another_form_are_refused(
    make_float: Make, kind: str, shape: Sequence[Any], output: Sequence[Any], match: str
) -> None:
    with pytest.raises(SessionError, match=match):
        open_session(Path("a.onnx"), content=make_float(shape=shape, output=output))


def test_integers_without_a_scale_are_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 2, 2, 1])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 4])],
        [numpy_helper.from_array(np.array([1, 4], np.int64), "shape")],
    )
    with pytest.raises(SessionError, match="tensor x scale: expected a positive number, got None"):
        open_session(Path("a.onnx"), content=save(graph))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_scales_are_refused(make_quantized: Make, scale: float) -> None:
    with pytest.raises(SessionError, match="scale: expected a positive number"):
        open_session(Path("a.onnx"), content=make_quantized(scale=scale))


def test_two_inputs_are_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["y"])],
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "ab"],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    with pytest.raises(SessionError, match="expected 1 input and 1 output, got 2 and 1"):
        open_session(Path("a.onnx"), content=save(graph))


def test_another_dtype_is_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [1, 2, 2, 1])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [1, 4])],
        [numpy_helper.from_array(np.array([1, 4], np.int64), "shape")],
    )
    with pytest.raises(SessionError, match=r"dtype: expected one of .* got 'tensor\(double\)'"):
        open_session(Path("a.onnx"), content=save(graph))


def test_weights_in_other_files_are_never_followed(tmp_path: Path, make_float: Make) -> None:
    model = onnx.load_from_string(make_float())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    path = tmp_path / "a.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(SessionError, match="keeps weights in other files"):
        open_session(path)


def test_a_ring_of_reshapes_ends() -> None:
    graph = onnx.GraphProto()
    graph.input.add(name="x")
    graph.output.add(name="a")
    graph.node.append(helper.make_node("Reshape", ["a", "s"], ["b"]))
    graph.node.append(helper.make_node("Reshape", ["b", "s"], ["a"]))
    model = onnx.ModelProto()
    model.graph.CopyFrom(graph)
    assert quantization(model.SerializeToString(), "a.onnx") == {}
