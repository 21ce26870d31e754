"""The stages of an export, each a function from what it needs to what it gives."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn import models
from edgecnn.bench.machine import read_machine
from edgecnn.bundle import BundleDraft, Head, Reference, Reject
from edgecnn.convert import identity, onnx, source, tflite
from edgecnn.convert.reference import reference
from edgecnn.data import Dataset, live
from edgecnn.errors import ArgumentError
from edgecnn.parity import ParityReport, compare
from edgecnn.pipeline.material import Material, image_of
from edgecnn.pipeline.types import Artifacts, ExportOptions, Told
from edgecnn.preprocess import to_tensor
from edgecnn.runtime.session import logits, open_session, softmax
from edgecnn.spec import Format, Locate, Precision
from edgecnn.vision.doubt import settled
from edgecnn.vision.reject import Roc, roc

_PACKAGES = ("tensorflow", "tf-keras", "keras", "tensorflow-model-optimization", "tf2onnx", "onnx", "onnxruntime")


def fine_tuned(model: models.Model, dataset: Dataset, epochs: int, told: Told) -> models.Model:
    """The model after quantization-aware training, with the ranges that it learnt.

    Raises:
        ArgumentError: It is no Keras model.
        ModelError: TFMOT cannot train it.
    """
    from edgecnn.compress import qat

    if model.keras is None:
        raise ArgumentError(f"qat: needs a model of tf_keras that can be trained, got a {model.kind}")
    tuned = qat(
        source.ending_in_logits(model.keras),
        dataset,
        image_of(model),
        epochs=epochs,
        on_tick=lambda tick: told((tick.epoch - 1) * tick.steps + tick.step, tick.epochs * tick.steps),
    )
    return models.of_keras(tuned, model.path, model.identity)


def float_tflite(model: models.Model, softmax: bool) -> Artifacts:
    """The float32 TFLite file; nothing for a .tflite file that is int8 already.

    Raises:
        ConversionError: The converter refuses the model, or what it wrote fails its check.
    """
    if model.function is not None:
        content = tflite.to_float(model.function.whole, softmax=softmax)
    elif model.precision is Precision.FLOAT32:
        content = tflite.adopt(model.content or b"", softmax=softmax)
    else:
        return {}
    content = tflite.describe(content, identity.to_metadata(model.identity))
    tflite.check(content, Precision.FLOAT32)
    return {(Format.TFLITE, Precision.FLOAT32): content}


def int8_tflite(
    model: models.Model,
    artifacts: Artifacts,
    material: Material,
    options: ExportOptions,
    notes: list[str],
    told: Told,
) -> Artifacts:
    """The int8 TFLite file: calibrated, or from ranges that were learnt, or as it came.

    Raises:
        ConversionError: The quantizer refuses the model, or what it wrote fails its check.
    """
    if model.function is not None and model.function.ranges is not None:
        content = tflite.to_int8_from_ranges(model.function.ranges, softmax=options.softmax)
        notes.append("int8 from the ranges that the model learnt by quantization-aware training")
    elif not artifacts:
        content = tflite.adopt(model.content or b"", softmax=options.softmax)
        notes.append("the .tflite file is int8 already: taken as it is; there is no float model to compare with")
    else:
        tensors = to_tensor(material.calibration, image_of(model))
        content = tflite.to_int8(artifacts[Format.TFLITE, Precision.FLOAT32], tensors, told)
    content = tflite.describe(content, identity.to_metadata(model.identity))
    tflite.check(content, Precision.INT8)
    return {(Format.TFLITE, Precision.INT8): content}


def translated(artifacts: Artifacts, known: identity.Identity) -> Artifacts:
    """An ONNX file of each TFLite file.

    Raises:
        ConversionError: An operator has no translation, or what was written fails its check.
    """
    made: Artifacts = {}
    for (_, precision), content in artifacts.items():
        translated = onnx.to_onnx(content, {"edgecnn": identity.to_text(known)})
        onnx.check(translated, precision)
        made[Format.ONNX, precision] = translated
    return made


def reference_of(model: models.Model, material: Material, told: Told) -> Reference | None:
    """What the float model answers on the test set; of a .tflite file in a bundle, what the bundle has stored.

    Raises:
        ConversionError: An answer is NaN or infinite.
    """
    if model.function is not None:
        name = material.dataset.name
        return reference(model.function.logits, material.test, image_of(model), name, told)
    return None if model.bundle is None else model.bundle.reference()


def compared(
    artifacts: Artifacts,
    model: models.Model,
    material: Material,
    stored: Reference | None,
    options: ExportOptions,
    told: Told,
) -> ParityReport:
    """Every artefact on the whole test set, against the float model and against each other.

    Raises:
        SessionError: An artefact failed.
    """
    with ExitStack() as stack:
        sessions = [
            stack.enter_context(open_session(Path(f"{model.identity.name}-{precision}.{kind}"), content=content))
            for (kind, precision), content in artifacts.items()
        ]
        return compare(
            sessions,
            material.test,
            image_of(model),
            dataset=f"{material.dataset.name} test",
            reference=stored,
            head=_head(artifacts),
            budget=options.budget,
            machine=read_machine().line,
            progress=told,
        )


def doubts(report: ParityReport, model: models.Model) -> list[str]:
    """A line when the float model itself is hardly better than chance: then parity proves nothing of use."""
    first = report.rows[0].accuracy
    if first is None or first.high > 2 / model.classes:
        return []
    image = image_of(model)
    return [
        f"{report.rows[0].name} names {100 * first.value:.1f} % right, hardly more than chance: likely the range of "
        f"the pixels ({image.offset:g}..{image.offset + 255 * image.scale:g}, see --pixels) or the order of the labels"
    ]


def draft_of(
    artifacts: Artifacts,
    model: models.Model,
    stored: Reference | None,
    report: ParityReport,
    options: ExportOptions,
) -> BundleDraft:
    """What becomes the bundle."""
    known = model.identity
    return BundleDraft(
        name=known.name,
        labels=known.labels or (),
        image=image_of(model),
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


def curve_of(artifacts: Artifacts, model: models.Model, material: Material) -> Roc | None:
    """What each threshold keeps and lets pass, of the int8 artefact if there is one; None if no class means "none"."""
    labels = model.identity.labels or ()
    if live.NONE not in labels:
        return None
    precision = Precision.INT8 if (Format.TFLITE, Precision.INT8) in artifacts else Precision.FLOAT32
    held = np.asarray(material.held.labels)
    pixels, none = material.held.pixels(np.arange(len(held)), image_of(model)), labels.index(live.NONE)
    with open_session(Path("calibrate.tflite"), content=artifacts[Format.TFLITE, precision]) as session:

        def classify(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
            values = logits(session, to_tensor(pictures.reshape(-1, *pixels.shape[1:]), image_of(model)))
            return values.clip(0, 1) if _head(artifacts) is Head.SOFTMAX else softmax(values)

        probabilities = classify(pixels)
        if model.identity.locate is Locate.DIGITS:  # there the reader looks twice at what is in doubt
            probabilities = settled(pixels[..., 0], probabilities, classify, none)
    return roc(probabilities, held, none)


def rejecting(draft: BundleDraft, curve: Roc, dataset: str) -> BundleDraft:
    """The draft with the threshold that a curve gives, and what it keeps and lets pass."""
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
