"""From a trained model to a proven bundle: the stages of `edgecnn export`, by name, in order.

    open       whatever the user calls a model becomes a function of TensorFlow, or the content of a .tflite file
    data       the pictures to calibrate and to judge with, and how a picture becomes the model's tensor
    fine-tune  with --qat: quantization-aware training
    convert    float32 TFLite
    quantize   int8 TFLite, calibrated on held-out pictures, or from the ranges that the model learnt
    translate  ONNX, from the TFLite files
    refer      what the float model itself answers on the test set
    compare    every artefact on the whole test set, with the float model and with each other
    calibrate  for a net that knows what is no digit: from which probability on it is one, on held-out pictures
    write      the bundle, all or nothing

This file holds the order and what goes from stage to stage; how a stage does its work is in `models`, `compress`,
`convert`, `parity` and `bundle`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecnn import models
from edgecnn.bench.machine import read_machine
from edgecnn.bundle import Bundle, BundleDraft, Head, Reference, Reject, write_bundle
from edgecnn.convert import calibration, identity, onnx, pixels, source, tflite
from edgecnn.convert.reference import reference
from edgecnn.data import Dataset, live, load
from edgecnn.errors import ArgumentError, DataError, EdgecnnError, StageError
from edgecnn.parity import Budget, ParityReport, Pictures, compare, relabelled
from edgecnn.preprocess import to_tensor
from edgecnn.runtime.session import logits, open_session, softmax
from edgecnn.spec import Fit, Format, ImageSpec, Locate, Precision, Target
from edgecnn.vision.reject import Roc, roc

if TYPE_CHECKING:
    from numpy.typing import NDArray

Artifacts = dict[tuple[Format, Precision], bytes]
"""Content of each artefact."""
Progress = Callable[[str, int, int], None]
"""Called with the stage, what is done of it and the total; 0 and 0 when it begins."""

DIGITS = ("mnist", "optdigits")
"""Data sets whose pictures have MNIST's form."""
_PACKAGES = ("tensorflow", "tf-keras", "keras", "tensorflow-model-optimization", "tf2onnx", "onnx", "onnxruntime")
_TRIAL = 200
"""Pictures on which ranges of pixels are tried."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What `export` shall do.

    Attributes:
        model: What `models.open_model` takes; None for the best shipped digit model.
        int8: Make int8 artefacts beside the float32 ones.
        target: Which formats are written.
        softmax: Keep the softmax inside.
        calibration: How many held-out pictures set the scales.
        qat: Epochs of quantization-aware training; 0 for none.
        data: Data set to calibrate and to judge with; None for the one that the model was trained on, or MNIST.
        data_dir: Where data sets are looked for first.
        pixels: Values of a black and of a white pixel, for a model that does not say; None to find out.
        fit: How a picture is brought to the model's size, for a model that does not say; None for what suits the data.
        budget: What an artefact may lose.
        keep_failed: Write the bundle also when the verdict is against it.
        out: Folder of the bundle; None for exports/NAME.
        name: Its name; None for the model's.
        float32: Write the float32 artefacts too; they are made and compared in any case.
        about: What the model is and how it was trained, for the model card; Markdown.
        licence: Licence of the weights, for the model card.
        measured: What else was measured, as JSON knows it, by name; "parity" is the report.
    """

    model: str | Path | None = None
    int8: bool = False
    target: Target = Target.BOTH
    softmax: bool = False
    calibration: int = 500
    qat: int = 0
    data: str | None = None
    data_dir: Path | None = None
    pixels: tuple[float, float] | None = None
    fit: Fit | None = None
    budget: Budget = field(default_factory=Budget)
    keep_failed: bool = False
    out: Path | None = None
    name: str | None = None
    float32: bool = True
    about: str = ""
    licence: str = ""
    measured: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.calibration < 1:
            raise ArgumentError(f"calibration: expected 1 picture or more, got {self.calibration}")
        if self.qat < 0:
            raise ArgumentError(f"qat: expected 0 epochs or more, got {self.qat}")
        if not self.float32 and not self.int8:
            raise ArgumentError("float32: without it and without int8 there is nothing to write")
        if self.qat and not self.int8:
            raise ArgumentError("qat: prepares for int8, which was not asked for; add --int8")
        if self.qat and self.softmax:
            raise ArgumentError("qat: trains a model that ends in logits; leave out --softmax")


@dataclass(frozen=True, slots=True, eq=False)
class ExportResult:
    """What `export` did.

    Attributes:
        name: Name of the bundle.
        bundle: What was written; None when the verdict was against it.
        report: Parity of all artefacts.
        sizes: Bytes of each artefact that was made.
        notes: What one should know, a line each.
        seconds: How long each stage took.
    """

    name: str
    bundle: Bundle | None
    report: ParityReport
    sizes: dict[tuple[Format, Precision], int]
    notes: tuple[str, ...]
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Pictures:
    """The pictures of an export, labels counting in the model's classes."""

    dataset: Dataset
    test: Pictures
    held: Pictures
    calibration: NDArray[np.uint8]
    calibration_labels: NDArray[np.int64]


def export(options: ExportOptions, progress: Progress | None = None) -> ExportResult:
    """Convert a model, prove the artefacts, and write a bundle.

    Args:
        options: What to do.
        progress: Told of each stage.

    Returns:
        The report, and the bundle when the verdict is for it (or `keep_failed` is set).

    Raises:
        StageError: A stage failed. Nothing was written, and what was there before is untouched.
    """
    stages = _Stages(progress)
    notes: list[str] = []
    with stages("open"):
        model = models.open_model(options.model)
    with stages("data"):
        pictures = _load_pictures(model, options, notes)
        model = _identified(model, pictures, options, notes)
    with stages("fine-tune") as told:
        if options.qat:
            model = _fine_tuned(model, pictures.dataset, options.qat, told)
    artifacts: Artifacts = {}
    with stages("convert"):
        artifacts |= _float_tflite(model, options.softmax)
    with stages("quantize") as told:
        if options.int8:
            artifacts |= _int8_tflite(model, artifacts, pictures, options, notes, told)
    with stages("translate"):
        artifacts |= _translated(artifacts, model.identity)
    with stages("refer") as told:
        stored = _reference(model, pictures, told)
    with stages("compare") as told:
        report = _compared(artifacts, model, pictures, stored, options, told)
        report = replace(report, notes=(*report.notes, *_doubts(report, model)))
    with stages("calibrate"):
        curve = _curve(artifacts, model, pictures)
    with stages("write"):
        draft = _draft(artifacts, model, stored, report, options)
        if curve is not None:
            draft = _rejecting(draft, curve, pictures.dataset.name)
        target = options.out or Path("exports") / draft.name
        bundle = write_bundle(target, draft) if report.passed or options.keep_failed else None
    sizes = {key: len(content) for key, content in artifacts.items()}
    return ExportResult(draft.name, bundle, report, sizes, tuple(notes), stages.seconds)


class _Stages:
    """Runs stages: tells of them, times them, and says of an error in which of them it happened."""

    def __init__(self, progress: Progress | None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def __call__(self, stage: str) -> Iterator[Callable[[int, int], None]]:
        def told(done: int, total: int) -> None:
            if self._progress is not None:
                self._progress(stage, done, total)

        told(0, 0)
        began = time.perf_counter()
        try:
            yield told
        except EdgecnnError as error:
            raise StageError(stage, tuple(self.seconds), error) from error
        self.seconds[stage] = time.perf_counter() - began


def _load_pictures(model: models.Model, options: ExportOptions, notes: list[str]) -> _Pictures:
    dataset = _dataset(model, options, notes)
    labels = model.identity.labels or dataset.labels
    if len(labels) != model.classes:
        raise ArgumentError(
            f"data: the model has {model.classes} classes, {dataset.name} has {len(labels)}; name the data set that it "
            "was trained on"
        )
    validation = relabelled(dataset.validation, dataset.labels, labels)
    chosen = calibration.choose(validation.labels, options.calibration)
    if options.int8:
        notes += calibration.doubts(validation.labels[chosen], model.classes, options.calibration)
    image = model.identity.image or ImageSpec(*model.shape, fit=_fit(model, dataset, options))
    test = relabelled(dataset.test, dataset.labels, labels)
    return _Pictures(dataset, test, validation, validation.pixels(chosen, image), validation.labels[chosen])


def _dataset(model: models.Model, options: ExportOptions, notes: list[str]) -> Dataset:
    if options.data is not None:
        return load(options.data, data_dir=options.data_dir)
    name = model.identity.data or DIGITS[0]
    try:
        return load(name, data_dir=options.data_dir)
    except (DataError, ArgumentError) as error:
        if name not in DIGITS:
            raise ArgumentError(
                f"data: the model was trained on {name!r}, which is not here; name it by --data"
            ) from error
    notes.append(f"{name} is not on this machine: calibrated and judged on the embedded {DIGITS[1]}")
    return load(DIGITS[1])


def _fit(model: models.Model, dataset: Dataset, options: ExportOptions) -> Fit:
    if options.fit is not None:
        return options.fit
    return Fit.DIGIT if dataset.name in DIGITS and model.shape[2] == 1 else Fit.CROP


def _identified(model: models.Model, pictures: _Pictures, options: ExportOptions, notes: list[str]) -> models.Model:
    """The model with all of its identity: what it does not say comes from the options, the data, or a trial."""
    known = model.identity
    image = known.image or ImageSpec(*model.shape, fit=_fit(model, pictures.dataset, options))
    ends = options.pixels
    if ends is None and known.image is None:
        if model.function is not None and model.function.scales_itself:
            ends = (0.0, 255.0)
        else:
            few = pictures.calibration[:_TRIAL]
            trials = pixels.try_ranges(model.logits, few, pictures.calibration_labels[:_TRIAL])
            ends = (trials[0].low, trials[0].high)
            notes.append(
                f"pixels: the model does not say; {ends[0]:g}..{ends[1]:g} fits best on {len(few)} validation pictures "
                f"({', '.join(map(str, trials))})"
            )
    if ends is not None:
        scale, offset = pixels.scale_offset(*ends)
        image = replace(image, scale=scale, offset=offset)
    locate = known.locate or (Locate.DIGITS if image.fit is Fit.DIGIT else Locate.WHOLE)
    return replace(
        model,
        identity=replace(
            known,
            name=options.name or known.name,
            labels=known.labels or pictures.dataset.labels,
            image=image,
            locate=locate,
        ),
    )


def _fine_tuned(model: models.Model, dataset: Dataset, epochs: int, told: Callable[[int, int], None]) -> models.Model:
    from edgecnn.compress import qat

    if model.keras is None:
        raise ArgumentError(f"qat: needs a model of tf_keras that can be trained, got a {model.kind}")
    tuned = qat(
        source.ending_in_logits(model.keras),
        dataset,
        _image(model),
        epochs=epochs,
        on_tick=lambda tick: told((tick.epoch - 1) * tick.steps + tick.step, tick.epochs * tick.steps),
    )
    return models.of_keras(tuned, model.path, model.identity)


def _float_tflite(model: models.Model, softmax: bool) -> Artifacts:
    if model.function is not None:
        content = tflite.to_float(model.function.whole, softmax=softmax)
    elif model.precision is Precision.FLOAT32:
        content = tflite.adopt(model.content or b"", softmax=softmax)
    else:
        return {}
    content = tflite.describe(content, identity.to_metadata(model.identity))
    tflite.check(content, Precision.FLOAT32)
    return {(Format.TFLITE, Precision.FLOAT32): content}


def _int8_tflite(
    model: models.Model,
    artifacts: Artifacts,
    pictures: _Pictures,
    options: ExportOptions,
    notes: list[str],
    told: Callable[[int, int], None],
) -> Artifacts:
    if model.function is not None and model.function.ranges is not None:
        content = tflite.to_int8_from_ranges(model.function.ranges, softmax=options.softmax)
        notes.append("int8 from the ranges that the model learnt by quantization-aware training")
    elif not artifacts:
        content = tflite.adopt(model.content or b"", softmax=options.softmax)
        notes.append("the .tflite file is int8 already: taken as it is; there is no float model to compare with")
    else:
        tensors = to_tensor(pictures.calibration, _image(model))
        content = tflite.to_int8(artifacts[Format.TFLITE, Precision.FLOAT32], tensors, told)
    content = tflite.describe(content, identity.to_metadata(model.identity))
    tflite.check(content, Precision.INT8)
    return {(Format.TFLITE, Precision.INT8): content}


def _translated(artifacts: Artifacts, known: identity.Identity) -> Artifacts:
    made: Artifacts = {}
    for (_, precision), content in artifacts.items():
        translated = onnx.to_onnx(content, {"edgecnn": identity.to_text(known)})
        onnx.check(translated, precision)
        made[Format.ONNX, precision] = translated
    return made


def _reference(model: models.Model, pictures: _Pictures, told: Callable[[int, int], None]) -> Reference | None:
    if model.function is not None:
        name = pictures.dataset.name
        return reference(model.function.logits, pictures.test, _image(model), name, told)
    return None if model.bundle is None else model.bundle.reference()


def _compared(
    artifacts: Artifacts,
    model: models.Model,
    pictures: _Pictures,
    stored: Reference | None,
    options: ExportOptions,
    told: Callable[[int, int], None],
) -> ParityReport:
    with ExitStack() as stack:
        sessions = [
            stack.enter_context(open_session(Path(f"{model.identity.name}-{precision}.{kind}"), content=content))
            for (kind, precision), content in artifacts.items()
        ]
        return compare(
            sessions,
            pictures.test,
            _image(model),
            dataset=f"{pictures.dataset.name} test",
            reference=stored,
            head=_head(artifacts),
            budget=options.budget,
            machine=read_machine().line,
            progress=told,
        )


def _doubts(report: ParityReport, model: models.Model) -> list[str]:
    first = report.rows[0].accuracy
    if first is None or first.high > 2 / model.classes:
        return []
    image = _image(model)
    return [
        f"{report.rows[0].name} names {100 * first.value:.1f} % right, hardly more than chance: likely the range of "
        f"the pixels ({image.offset:g}..{image.offset + 255 * image.scale:g}, see --pixels) or the order of the labels"
    ]


def _draft(
    artifacts: Artifacts,
    model: models.Model,
    stored: Reference | None,
    report: ParityReport,
    options: ExportOptions,
) -> BundleDraft:
    known = model.identity
    return BundleDraft(
        name=known.name,
        labels=known.labels or (),
        image=_image(model),
        artifacts={key: content for key, content in artifacts.items() if _is_written(*key, options)},
        locate=known.locate or Locate.WHOLE,
        head=_head(artifacts),
        reject=Reject() if model.bundle is None else model.bundle.reject,
        reference=stored,
        net=known.net,
        recipe=known.recipe,
        measured={**options.measured, "parity": report.to_json()},
        versions={"edgecnn": metadata.version("edgecnn"), **_versions()},
        about=options.about,
        licence=options.licence,
    )


def _curve(artifacts: Artifacts, model: models.Model, pictures: _Pictures) -> Roc | None:
    """What each threshold keeps and lets pass, of the int8 artefact if there is one; None if no class means "none"."""
    labels = model.identity.labels or ()
    if live.NONE not in labels:
        return None
    precision = Precision.INT8 if (Format.TFLITE, Precision.INT8) in artifacts else Precision.FLOAT32
    held = np.asarray(pictures.held.labels)
    tensors = to_tensor(pictures.held.pixels(np.arange(len(held)), _image(model)), _image(model))
    with open_session(Path("calibrate.tflite"), content=artifacts[Format.TFLITE, precision]) as session:
        values = logits(session, tensors)
    probabilities = values.clip(0, 1) if _head(artifacts) is Head.SOFTMAX else softmax(values)
    return roc(probabilities, held, labels.index(live.NONE))


def _rejecting(draft: BundleDraft, curve: Roc, dataset: str) -> BundleDraft:
    threshold = curve.best()
    at = int(np.searchsorted(curve.thresholds, threshold))
    measured = {
        "on": f"{dataset} validation",
        "digits": curve.digits,
        "digits_kept": float(curve.kept[at]),
        "others": curve.others,
        "others_passed": float(curve.passed[at]),
    }
    reject = Reject(live.NONE, round(threshold, 2))
    return replace(draft, reject=reject, measured={**draft.measured, "reject": measured})


def _is_written(kind: Format, precision: Precision, options: ExportOptions) -> bool:
    return kind in options.target.formats and (options.float32 or precision is Precision.INT8)


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in (*_PACKAGES, "ai-edge-litert", "numpy")}


def _head(artifacts: Artifacts) -> Head:
    inside = any(tflite.ends_in_softmax(content) for (kind, _), content in artifacts.items() if kind is Format.TFLITE)
    return Head.SOFTMAX if inside else Head.LOGITS


def _image(model: models.Model) -> ImageSpec:
    image = model.identity.image
    if image is None:
        raise ArgumentError(f"{model.path}: how a picture becomes its tensor is not known yet")
    return image
