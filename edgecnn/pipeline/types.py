"""What goes into an export, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgecnn.bundle import Bundle, check_name
from edgecnn.errors import ArgumentError, BundleError
from edgecnn.parity import Budget, ParityReport
from edgecnn.spec import Fit, Format, Precision, Target

Artifacts = dict[tuple[Format, Precision], bytes]
"""Content of each artefact."""
Progress = Callable[[str, int, int], None]
"""Called with the stage, what is done of it and the total; 0 and 0 when it begins."""
Told = Callable[[int, int], None]
"""The same within a stage."""


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
        pixels: Values of a black and of a white pixel; None for what the model says, or else to find out.
        fit: How a picture is brought to the model's size; None for what the model says, or else what suits the data.
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
        if self.name is not None:
            try:
                check_name(self.name)
            except BundleError as error:
                raise ArgumentError(str(error)) from error
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
