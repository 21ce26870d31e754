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

Here is the order and what goes from stage to stage. `material.py` and `stages.py` hand the work to `models`,
`compress`, `convert`, `parity` and `bundle`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edgecnn import _tf, models
from edgecnn.bundle import check_target, write_bundle
from edgecnn.errors import EdgecnnError, StageError
from edgecnn.files import output_folder
from edgecnn.pipeline import stages
from edgecnn.pipeline.material import identified, load_material
from edgecnn.pipeline.types import Artifacts, ExportOptions, ExportResult, Progress, Told

__all__ = ["ExportOptions", "ExportResult", "Progress", "export"]


def export(options: ExportOptions, progress: Progress | None = None) -> ExportResult:
    """Convert a model, prove the artefacts, and write a bundle.

    Args:
        options: What to do.
        progress: Told of each stage.

    Returns:
        The report, and the bundle when the verdict is for it (or `keep_failed` is set).

    Raises:
        MissingExtraError: The extra `train` is not installed.
        StageError: A stage failed. Nothing was written, and what was there before is untouched.
    """
    _tf.check_installed()
    run = _Stages(progress)
    notes: list[str] = []
    with run("open"):
        if options.out is not None:
            output_folder(options.out.parent, "out")
        model = models.open_model(options.model)
        name = model.identity.name if options.name is None else options.name
        target = options.out or Path("exports") / name
        check_target(target, name)
    with run("data"):
        material = load_material(model, options, notes)
        model = identified(model, material, options, notes)
    with run("fine-tune") as told:
        if options.qat:
            model = stages.fine_tuned(model, material.dataset, options.qat, told)
    artifacts: Artifacts = {}
    with run("convert"):
        artifacts |= stages.float_tflite(model, options.softmax)
    with run("quantize") as told:
        if options.int8:
            artifacts |= stages.int8_tflite(model, artifacts, material, options, notes, told)
    with run("translate"):
        artifacts |= stages.translated(artifacts, model.identity)
    with run("refer") as told:
        stored = stages.reference_of(model, material, told)
    with run("compare") as told:
        report = stages.compared(artifacts, model, material, stored, options, told)
        report = replace(report, notes=(*report.notes, *stages.doubts(report, model)))
    with run("calibrate"):
        curve = stages.curve_of(artifacts, model, material)
    with run("write"):
        draft = stages.draft_of(artifacts, model, stored, report, options)
        if curve is not None:
            draft = stages.rejecting(draft, curve, material.dataset.name)
        bundle = write_bundle(target, draft) if report.passed or options.keep_failed else None
    sizes = {key: len(content) for key, content in artifacts.items()}
    return ExportResult(draft.name, bundle, report, sizes, tuple(notes), run.seconds)


class _Stages:
    """Runs stages: tells of them, times them, and says of an error in which of them it happened."""

    def __init__(self, progress: Progress | None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def __call__(self, stage: str) -> Iterator[Told]:
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
