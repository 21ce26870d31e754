"""The pictures of an export, and what a model does not say of itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecnn import models
from edgecnn.convert import calibration, pixels
from edgecnn.data import NAMES, Dataset, labels_of, load, name_of
from edgecnn.errors import ArgumentError, DataError
from edgecnn.parity import Pictures, check_labels, relabelled
from edgecnn.pipeline.types import ExportOptions
from edgecnn.spec import Fit, ImageSpec, Locate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGITS = ("mnist", "optdigits")
"""Data sets whose pictures have MNIST's form."""
_TRIAL = 200
"""Pictures on which ranges of pixels are tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """The pictures of an export, labels counting in the model's classes.

    Attributes:
        dataset: Where they are from.
        image: How a picture gets the model's size; scale and offset are those of the model only if it says them.
        test: What the artefacts are judged on.
        held: What was held out of the training.
        calibration: uint8 [n, h, w, c] of them that set the scales.
        calibration_labels: int64 [n].
    """

    dataset: Dataset
    image: ImageSpec
    test: Pictures
    held: Pictures
    calibration: NDArray[np.uint8]
    calibration_labels: NDArray[np.int64]


def image_of(model: models.Model) -> ImageSpec:
    """How a picture becomes the model's tensor, which `identified` has made sure of."""
    image = model.identity.image
    if image is None:
        raise ArgumentError(f"{model.path}: how a picture becomes its tensor is not known yet")
    return image


def load_material(model: models.Model, options: ExportOptions, notes: list[str]) -> Material:
    """Load the data set, choose the calibration pictures, and count the labels in the model's classes.

    Raises:
        ArgumentError: The data set has other classes than the model, or is not here.
        DataError: It is absent, damaged or too small.
    """
    if options.data is not None:  # to load it may take minutes
        _labels(model, name_of(options.data), labels_of(options.data))
    dataset = _dataset(model, options, notes)
    labels = _labels(model, dataset.name, dataset.labels)
    validation = relabelled(dataset.validation, dataset.labels, labels)
    chosen = calibration.choose(validation.labels, options.calibration)
    if options.int8:
        notes += calibration.doubts(validation.labels[chosen], model.classes, options.calibration)
    image = _image(model, dataset, options)
    test = relabelled(dataset.test, dataset.labels, labels)
    return Material(dataset, image, test, validation, validation.pixels(chosen, image), validation.labels[chosen])


def _labels(model: models.Model, data: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The model's classes; where it does not say, those of the data set."""
    labels = model.identity.labels or names
    if len(labels) != model.classes:
        raise ArgumentError(
            f"data: the model has {model.classes} classes, {data} has {len(labels)}; name the data set that it was "
            "trained on"
        )
    check_labels(names, labels)
    return labels


def _dataset(model: models.Model, options: ExportOptions, notes: list[str]) -> Dataset:
    if options.data is not None:
        return load(options.data, data_dir=options.data_dir)
    name = model.identity.data or DIGITS[0]
    try:
        return load(name, data_dir=options.data_dir)
    except ArgumentError as error:
        if name in NAMES:
            raise
        raise ArgumentError(
            f"data: the model was trained on {name!r}, which is no data set of ours; say where it is: --data FOLDER"
        ) from error
    except DataError:
        if name not in DIGITS:
            raise
    notes.append(f"{name} is not on this machine: calibrated and judged on the embedded {DIGITS[1]}")
    return load(DIGITS[1])


def _image(model: models.Model, dataset: Dataset, options: ExportOptions) -> ImageSpec:
    """What the model or else the data say of the picture; `--fit` goes before both."""
    usual = Fit.DIGIT if dataset.name in DIGITS and model.shape[2] == 1 else Fit.CROP
    image = model.identity.image or ImageSpec(*model.shape, fit=usual)
    return image if options.fit is None else replace(image, fit=options.fit)


def identified(model: models.Model, material: Material, options: ExportOptions, notes: list[str]) -> models.Model:
    """The model with all of its identity: what it does not say comes from the options, the data, or a trial."""
    known = model.identity
    image = material.image
    ends = options.pixels
    if ends is None and known.image is None:
        if model.function is not None and model.function.scales_itself:
            ends = (0.0, 255.0)
        else:
            few = material.calibration[:_TRIAL]
            trials = pixels.try_ranges(model.logits, few, material.calibration_labels[:_TRIAL])
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
            name=known.name if options.name is None else options.name,
            labels=known.labels or material.dataset.labels,
            image=image,
            locate=locate,
        ),
    )
