from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import ArgumentError, MissingExtraError, SessionError
from edgecnn.preprocess import to_tensor
from edgecnn.runtime.session import (
    Session,
    dequantize,
    logits,
    open_session,
    quantize,
    raw_outputs,
    raw_pixel_outputs,
)
from edgecnn.spec import Fit, ImageSpec, Precision, Runtime

IMAGE = ImageSpec(28, 28, 1, fit=Fit.DIGIT)
FILES = ("float32.tflite", "int8.tflite", "float32.onnx", "int8.onnx")


@pytest.fixture(scope="session")
def test_set(artifacts: Path) -> dict[str, Any]:
    with np.load(artifacts / "test.npz") as arrays:
        return dict(arrays)


@pytest.fixture(params=FILES)
def session(request: pytest.FixtureRequest, artifacts: Path) -> Any:
    with open_session(artifacts / request.param) as opened:
        yield opened


def test_a_session_says_what_it_is(session: Session) -> None:
    precision, suffix = session.path.name.split(".")
    assert session.runtime is (Runtime.LITERT if suffix == "tflite" else Runtime.ONNX)
    assert session.precision is Precision(precision)
    assert session.threads == 1
    assert session.input.shape[1:] == (28, 28, 1)
    assert session.output.shape[1:] == (10,)
    dtype = {"float32": "float32", "int8": "int8" if suffix == "tflite" else "uint8"}[precision]
    assert (session.input.dtype, session.output.dtype) == (dtype, dtype)
    assert (session.input.scale is None) == (dtype == "float32")


def test_both_int8_files_have_the_same_scales(artifacts: Path) -> None:
    with open_session(artifacts / "int8.tflite") as tflite, open_session(artifacts / "int8.onnx") as onnx:
        for one, other in ((tflite.input, onnx.input), (tflite.output, onnx.output)):
            assert one.scale == other.scale
            assert one.zero_point is not None
            assert other.zero_point == one.zero_point + 128


def test_float_artefacts_give_the_logits_of_keras(artifacts: Path, test_set: dict[str, Any]) -> None:
    tensors = to_tensor(test_set["pixels"], IMAGE)
    for name in ("float32.tflite", "float32.onnx"):
        with open_session(artifacts / name) as opened:
            np.testing.assert_allclose(logits(opened, tensors), test_set["logits"], atol=1e-3)


def test_int8_artefacts_are_close_to_keras_and_equal_to_each_other(artifacts: Path, test_set: dict[str, Any]) -> None:
    raw = {}
    for name in ("int8.tflite", "int8.onnx"):
        with open_session(artifacts / name, threads=2) as opened:
            raw[name] = raw_pixel_outputs(opened, test_set["pixels"], IMAGE)
            values = dequantize(raw[name], opened.output)
            assert (values.argmax(1) == test_set["logits"].argmax(1)).mean() > 0.95
    np.testing.assert_array_equal(raw["int8.tflite"].astype(int) + 128, raw["int8.onnx"])


def test_pixels_and_tensors_give_the_same(session: Session, test_set: dict[str, Any]) -> None:
    pixels = test_set["pixels"][:150]
    seen: list[tuple[int, int]] = []
    by_tensor = raw_outputs(session, to_tensor(pixels, IMAGE), lambda done, total: seen.append((done, total)))
    np.testing.assert_array_equal(raw_pixel_outputs(session, pixels, IMAGE), by_tensor)
    assert by_tensor.dtype == session.output.dtype
    assert seen[-1] == (150, 150)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_an_output_is_nobody_elses(session: Session, test_set: dict[str, Any]) -> None:
    tensors = quantize(to_tensor(test_set["pixels"][:2], IMAGE), session.input)
    before = tensors.copy()
    first = session.run(tensors[:1])
    kept = first.copy()
    session.run(tensors[1:])
    np.testing.assert_array_equal(first, kept)
    first[...] = 0
    np.testing.assert_array_equal(session.run(tensors[:1]), kept)
    np.testing.assert_array_equal(tensors, before)


def test_a_batch_gives_what_single_pictures_give(session: Session, test_set: dict[str, Any]) -> None:
    if session.input.shape[0] != -1:
        with pytest.raises(ArgumentError, match=r"expected .* \[1, 28, 28, 1\], got .* \[5, 28, 28, 1\]"):
            session.run(np.zeros((5, 28, 28, 1), session.input.dtype))
        return
    tensors = quantize(to_tensor(test_set["pixels"][:5], IMAGE), session.input)
    single = np.concatenate([session.run(tensors[at : at + 1]) for at in range(5)])
    batch = session.run(tensors)
    if session.precision is Precision.INT8:
        np.testing.assert_array_equal(batch, single)
    np.testing.assert_allclose(batch.astype(float), single.astype(float), atol=1e-3)
    np.testing.assert_array_equal(session.run(tensors[:1]), single[:1])


@pytest.mark.parametrize("shape", [(1, 28, 27, 1), (28, 28, 1), (784,), (1, 28, 28, 1, 1)])
def test_another_shape_is_refused_and_the_session_lives_on(session: Session, shape: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"^tensor: expected .* \[-?1, 28, 28, 1\], got"):
        session.run(np.zeros(shape, session.input.dtype))
    assert session.run(np.zeros((1, 28, 28, 1), session.input.dtype)).shape == (1, 10)


def test_another_dtype_is_refused(session: Session) -> None:
    with pytest.raises(ArgumentError, match="got float64"):
        session.run(np.zeros((1, 28, 28, 1), np.float64))


def test_arrays_that_do_not_lie_in_order_are_fine(session: Session, test_set: dict[str, Any]) -> None:
    tensor = quantize(to_tensor(test_set["pixels"][:1], IMAGE), session.input)
    turned = np.asfortranarray(tensor.repeat(2, axis=1))[:, ::2]
    assert not turned.flags.c_contiguous
    np.testing.assert_array_equal(session.run(turned), session.run(tensor))


def test_a_closed_session_says_so(session: Session) -> None:
    session.close()
    session.close()
    with pytest.raises(SessionError, match="closed"):
        session.run(np.zeros((1, 28, 28, 1), session.input.dtype))
    with pytest.raises(SessionError, match="closed"):
        session.run(np.zeros((2, 28, 28, 1), session.input.dtype))


def test_sets_of_the_wrong_form_are_refused(session: Session) -> None:
    with pytest.raises(ArgumentError, match=r"expected \[n, 28, 28, 1\]"):
        raw_outputs(session, np.zeros((2, 27, 28, 1), np.float32))
    with pytest.raises(ArgumentError, match="expected uint8"):
        raw_pixel_outputs(session, np.zeros((2, 28, 28, 1), np.int8), IMAGE)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="for an image of"):
        raw_pixel_outputs(session, np.zeros((2, 28, 28, 1), np.uint8), ImageSpec(14, 14, 1))
    assert raw_outputs(session, np.zeros((0, 28, 28, 1), np.float32)).shape == (0, 10)


@pytest.mark.parametrize("threads", [0, -1, 10_000, 1.5, True, "2"])
def test_impossible_threads_are_refused(artifacts: Path, threads: Any) -> None:
    for name in FILES:
        with pytest.raises(ArgumentError, match="threads: expected a whole number from 1 to 256"):
            open_session(artifacts / name, threads=threads)


def test_sessions_run_at_the_same_time(artifacts: Path, test_set: dict[str, Any]) -> None:
    pixels = test_set["pixels"][:60]
    expected = {}
    for name in FILES:
        with open_session(artifacts / name) as opened:
            expected[name] = raw_pixel_outputs(opened, pixels, IMAGE)
    failed: list[str] = []

    def work(name: str) -> None:
        with open_session(artifacts / name, threads=2) as opened:
            for _ in range(3):
                if not np.array_equal(raw_pixel_outputs(opened, pixels, IMAGE), expected[name]):
                    failed.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in FILES * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Sums of floats may come in another order with two threads; integers may not.
    assert not {name for name in failed if name.startswith("int8")}


def test_opening_and_closing_leaks_no_descriptor_and_no_thread(artifacts: Path) -> None:
    def open_all() -> None:
        for name in FILES:
            with open_session(artifacts / name, threads=2) as opened:
                opened.run(np.zeros((1, 28, 28, 1), opened.input.dtype))
        gc.collect()

    def used() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    open_all()
    before = used()
    for _ in range(8):
        open_all()
    descriptors, threads = used()
    assert descriptors <= before[0]
    assert threads <= before[1] + 2


CODE = """
import sys
from pathlib import Path
import numpy as np
from edgecnn.runtime.session import open_session
for name in sys.argv[1:]:
    with open_session(Path(name)) as session:
        session.run(np.zeros((1, 28, 28, 1), session.input.dtype))
heavy = {"tensorflow", "keras", "tf_keras", "onnx", "tf2onnx", "cv2"} & sys.modules.keys()
sys.exit(f"imported {heavy}" if heavy else 0)
"""


def test_a_fresh_process_imports_no_tensorflow_and_writes_nothing(artifacts: Path) -> None:
    files = [str(artifacts / name) for name in FILES]
    done = subprocess.run([sys.executable, "-c", CODE, *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("name", "package"), [("int8.tflite", "ai_edge_litert"), ("int8.onnx", "onnxruntime")])
def test_a_missing_runtime_is_one_line(
    artifacts: Path, name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (artifacts / name).read_bytes()
    monkeypatch.setitem(sys.modules, package, None)
    for module in [module for module in sys.modules if module.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(MissingExtraError, match=rf"^{package} is not installed; run: pip install 'edgecnn\[pi\]'$"):
        open_session(Path(name), content=content)


def test_a_query_is_one_inference_without_the_session_around_it(session: Session, test_set: dict[str, Any]) -> None:
    tensor = quantize(to_tensor(test_set["pixels"][:1], IMAGE), session.input)
    query = session.query(tensor)
    for _ in range(2):
        np.testing.assert_array_equal(query(), session.run(tensor))
    with pytest.raises(ArgumentError, match="tensor: expected"):
        session.query(tensor[0])


def test_sums_of_int8_products_do_not_saturate_on_any_cpu(tmp_path: Path) -> None:
    """On x86 CPUs without VNNI, ONNX Runtime left to itself adds pairs of such products in 16 bits."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.where(np.arange(64 * 10).reshape(64, 10) % 3, 127, -128).astype(np.int8)
    node, array = helper.make_node, numpy_helper.from_array
    graph = helper.make_graph(
        [
            node("DequantizeLinear", ["x", "one", "zero"], ["real"]),
            node("Reshape", ["real", "row"], ["flat"]),
            node("DequantizeLinear", ["weights", "one", "signed zero"], ["matrix"]),
            node("Gemm", ["flat", "matrix"], ["sums"]),
            node("QuantizeLinear", ["sums", "scale", "middle"], ["y"]),
        ],
        "saturating",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", 8, 8, 1])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, ["n", 10])],
        [
            array(weights, "weights"),
            array(np.float32(1), "one"),
            array(np.float32(65536), "scale"),
            array(np.uint8(0), "zero"),
            array(np.int8(0), "signed zero"),
            array(np.uint8(128), "middle"),
            array(np.array([-1, 64]), "row"),
        ],
    )
    path = tmp_path / "saturating.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    pixels = np.random.default_rng(1).choice(np.array([0, 250, 255], np.uint8), (20, 8, 8, 1))
    sums = pixels.reshape(20, 64).astype(np.int64) @ weights.astype(np.int64)
    with open_session(path) as opened:
        np.testing.assert_array_equal(opened.run(pixels), np.clip(np.rint(sums / 65536) + 128, 0, 255))
