"""From a model to a bundle: what is written, what is proven, and what stays when something goes wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn.bundle import Head, read_bundle
from edgecnn.convert.flatbuffer import read_metadata
from edgecnn.errors import ArgumentError, BundleError, ModelError, StageError
from edgecnn.metrics import accuracy
from edgecnn.models import Kind, open_model
from edgecnn.parity import Budget
from edgecnn.pipeline import ExportOptions, export
from edgecnn.runtime.session import logits, open_session
from edgecnn.spec import Fit, Format, Locate, Precision, Runtime, Target

LENIENT = Budget(max_drop=1, min_agreement=98)
"""On 401 pictures a flip is a quarter of a point."""
IMPOSSIBLE = Budget(float_tolerance=0)
"""No two libraries sum floats in the same order."""


@pytest.fixture
def options(small_run: Path, tmp_path: Path) -> ExportOptions:
    return ExportOptions(small_run, int8=True, data="optdigits", budget=LENIENT, out=tmp_path / "out", name="small")


@pytest.fixture(scope="module")
def foreign(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float32 .tflite file as somebody else makes them: other names, no metadata."""
    from edgecnn.convert.flatbuffer import Graph

    bundle = read_bundle(small_bundle)
    graph = Graph(bundle.file(bundle.artifact(Format.TFLITE, Precision.FLOAT32)).read_bytes())
    graph.input.name, graph.output.name = b"serving_default_x:0", b"StatefulPartitionedCall:0"
    graph.model.metadata = []
    path = tmp_path_factory.mktemp("foreign") / "my net (1).tflite"
    path.write_bytes(graph.pack())
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_folder_becomes_a_bundle_with_four_artefacts(small_run, small_bundle):
    bundle = read_bundle(small_bundle)
    assert [(a.format, a.precision) for a in bundle.artifacts] == [
        (Format.TFLITE, Precision.FLOAT32),
        (Format.TFLITE, Precision.INT8),
        (Format.ONNX, Precision.FLOAT32),
        (Format.ONNX, Precision.INT8),
    ]
    assert (bundle.net, bundle.locate, bundle.head, bundle.image.fit) == (
        "digits",
        Locate.DIGITS,
        Head.LOGITS,
        Fit.DIGIT,
    )
    assert {artifact.input.name for artifact in bundle.artifacts} == {"image"}
    assert {artifact.output.name for artifact in bundle.artifacts} == {"logits"}
    rows = {row["name"]: row for row in bundle.measured["parity"]["rows"]}
    assert list(rows) == ["Keras float32", "TFLite float32", "ONNX float32", "TFLite int8", "ONNX int8"]
    assert bundle.measured["parity"]["passed"] is True
    assert bundle.measured["parity"]["int8_equal"]["equal"] == bundle.measured["parity"]["int8_equal"]["total"] == 401


def test_a_lone_artefact_says_what_it_is(small_bundle):
    import onnx

    bundle = read_bundle(small_bundle)
    lone = open_model(bundle.file(bundle.artifact(Format.TFLITE, Precision.INT8)))
    assert (lone.kind, lone.identity.labels, lone.identity.image) == (Kind.TFLITE, bundle.labels, bundle.image)
    model = onnx.load(bundle.file(bundle.artifact(Format.ONNX, Precision.INT8)))
    assert [entry.key for entry in model.metadata_props] == ["edgecnn"]


def test_stages_are_told_in_order(options):
    told: list[str] = []
    result = export(options, lambda stage, done, total: told.append(stage))
    assert list(dict.fromkeys(told)) == list(result.seconds)
    assert list(result.seconds)[:2] == ["open", "data"]
    assert list(result.seconds)[-1] == "write"


def test_the_same_model_gives_the_same_artefacts(options, small_bundle):
    """The small bundle was made in another process."""
    again = export(options).bundle
    assert again is not None
    assert [a.sha256 for a in again.artifacts] == [a.sha256 for a in read_bundle(small_bundle).artifacts]


def test_without_int8_there_are_floats_only(options):
    bundle = export(replace(options, int8=False, target=Target.ONNX)).bundle
    assert bundle is not None
    assert [(a.format, a.precision) for a in bundle.artifacts] == [(Format.ONNX, Precision.FLOAT32)]


def test_options_go_before_what_the_model_says(options):
    bundle = export(replace(options, int8=False, fit=Fit.CROP, pixels=(0.0, 1.02))).bundle
    assert bundle is not None
    assert (bundle.image.fit, bundle.image.scale, bundle.image.offset) == (Fit.CROP, 1.02 / 255, 0.0)


def test_softmax_inside(options):
    bundle = export(replace(options, model=_with_softmax(options), softmax=True)).bundle
    assert bundle is not None
    assert bundle.head is Head.SOFTMAX
    assert {artifact.output.name for artifact in bundle.artifacts} == {"probabilities"}


def _with_softmax(options: ExportOptions) -> Path:
    from edgecnn import _tf
    from edgecnn.train import save_model

    keras = _tf.keras()
    model = open_model(options.model).keras
    whole = keras.Model(model.inputs, keras.layers.Softmax()(model.outputs[0]))
    path = Path(str(options.out)).with_name("softmax.keras")
    save_model(whole, path)
    return path


def test_fine_tuning_for_int8(options, small_run):
    result = export(replace(options, qat=1))
    assert result.bundle is not None, result.report.reasons
    assert any("ranges that the model learnt" in note for note in result.notes)
    calibrated = read_bundle(small_run.parent / "bundle").artifact(Format.TFLITE, Precision.INT8)
    learnt = result.bundle.artifact(Format.TFLITE, Precision.INT8)
    assert learnt.output.scale != calibrated.output.scale


def test_a_tflite_file_of_somebody_else(options, foreign):
    result = export(replace(options, model=foreign, name=None))
    assert result.bundle is not None
    assert result.name == "my-net-1"
    assert {a.precision for a in result.bundle.artifacts} == set(Precision)
    assert result.report.reference == "TFLite float32"
    assert "0..1 fits best" in next(note for note in result.notes if note.startswith("pixels"))
    values = read_metadata(result.bundle.file(result.bundle.artifact(Format.TFLITE, Precision.INT8)).read_bytes())
    assert values is not None
    assert values["labels"] == [str(digit) for digit in range(10)]


def test_a_tflite_file_that_is_int8_already(options, small_bundle):
    bundle = read_bundle(small_bundle)
    path = bundle.file(bundle.artifact(Format.TFLITE, Precision.INT8))
    result = export(replace(options, model=path))
    assert result.bundle is not None
    assert [(a.format, a.precision) for a in result.bundle.artifacts] == [
        (Format.TFLITE, Precision.INT8),
        (Format.ONNX, Precision.INT8),
    ]
    assert result.report.int8_equal is not None
    assert result.report.int8_equal.equal == 401


def test_a_bundle_is_a_model_too(options, small_bundle, tmp_path):
    shutil.copytree(small_bundle, tmp_path / "named")
    opened = open_model(tmp_path / "named")
    assert (opened.kind, opened.identity.net) == (Kind.TFLITE, "digits")
    result = export(replace(options, model=tmp_path / "named"))
    assert result.report.rows[0].name == "Keras float32", "the stored logits of Keras are of these pictures"
    assert result.report.passed


def test_a_wrong_range_of_pixels_is_noticed(options, foreign):
    result = export(replace(options, model=foreign, pixels=(255.0, 0.0)))
    assert "likely the range of the pixels (255..0, see --pixels)" in result.report.notes[-1]


def test_a_failed_verdict_leaves_what_was_there(options):
    before = files(export(options).bundle.path)
    result = export(replace(options, budget=IMPOSSIBLE))
    assert not result.report.passed
    assert result.bundle is None
    assert files(options.out) == before


def test_a_failed_bundle_that_is_kept_says_so(options):
    result = export(replace(options, budget=IMPOSSIBLE, calibration=1, keep_failed=True))
    assert result.bundle is not None
    assert result.bundle.measured["parity"]["passed"] is False
    assert any("calibration: 1 pictures are few" in note for note in result.notes)


@pytest.mark.parametrize("stage", ["convert", "compare", "write"])
def test_an_interrupted_export_leaves_what_was_there(options, stage):
    options.out.mkdir()
    for name, content in files(Path(options.model).parent / "bundle").items():
        (options.out / name).write_bytes(content)
    before = files(options.out)

    def interrupt(now: str, done: int, total: int) -> None:
        if now == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(options, interrupt)
    assert files(options.out) == before
    assert [path.name for path in options.out.parent.iterdir()] == [options.out.name]


def test_a_folder_that_is_no_bundle_is_not_replaced(options):
    options.out.mkdir()
    (options.out / "thesis.txt").write_text("years of work")
    with pytest.raises(StageError, match="no bundle, so it is not replaced") as error:
        export(options)
    assert isinstance(error.value.__cause__, BundleError)
    assert error.value.stage == "open", "told before the work"
    assert files(options.out) == {"thesis.txt": b"years of work"}


def test_a_name_that_is_none_is_told_before_the_work(options):
    for name in ("a/b", ""):
        with pytest.raises(ArgumentError, match="name: expected letters, digits"):
            replace(options, name=name)


def test_weights_that_are_no_numbers_are_one_line(options, tmp_path):
    from edgecnn.train import save_model

    model = open_model(options.model).keras
    kernel = model.layers[-1].kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    save_model(model, tmp_path / "broken.keras")
    with pytest.raises(StageError, match="NaN") as error:
        export(replace(options, model=tmp_path / "broken.keras", pixels=(0.0, 1.0)))
    assert error.value.stage == "convert"
    assert error.value.after == ("open", "data", "fine-tune")
    assert not options.out.exists()


def test_a_data_set_with_other_classes_is_one_line(options, foreign, tmp_path):
    import cv2

    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(12):
            picture = np.random.default_rng([i, len(name), ord(name[0])]).integers(0, 256, (20, 20), np.uint8)
            assert cv2.imwrite(str(tmp_path / "pets" / name / f"{i}.png"), picture)
    with pytest.raises(StageError, match="the model has 10 classes, pets has 2"):
        export(replace(options, model=foreign, data=str(tmp_path / "pets")))


def test_a_run_that_was_trained_on_a_folder_asks_where_it_is(options, small_run, tmp_path):
    run = shutil.copytree(small_run, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["data"]["name"] = "pets"
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(StageError, match="trained on 'pets', which is no data set of ours; say where"):
        export(replace(options, model=run, data=None))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing", None, "no such bundle"),
        ("net.pt", b"x", r"expected a file that ends in \.keras"),
        ("net.tflite", b"x" * 100, "not a TFLite model"),
        ("net.keras", b"x" * 100, r"not a \.keras file"),
    ],
)
def test_what_is_no_model_is_one_line(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        open_model(tmp_path / name)


def test_an_empty_run_folder_is_one_line(small_run, tmp_path):
    shutil.copy(small_run / "config.json", tmp_path)
    with pytest.raises(ModelError, match="no model yet"):
        open_model(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"calibration": 0}, "calibration: expected 1"),
        ({"qat": -1}, "qat: expected 0"),
        ({"qat": 1}, "add --int8"),
        ({"qat": 1, "int8": True, "softmax": True}, "leave out --softmax"),
    ],
)
def test_options_that_contradict_each_other(values, message):
    with pytest.raises(ArgumentError, match=message):
        ExportOptions(**values)


def test_the_int8_artefact_reads_digits(small_bundle):
    from edgecnn.data import load
    from edgecnn.preprocess import to_tensor

    bundle, test = read_bundle(small_bundle), load("optdigits").test
    tensors = to_tensor(test.pixels(np.arange(len(test)), bundle.image), bundle.image)
    for runtime in Runtime:
        with open_session(bundle.file(bundle.artifact(runtime, Precision.INT8))) as session:
            assert accuracy(logits(session, tensors), test.labels).value > 0.9
