"""How a net is trained: frozen values, free of TensorFlow, written into every run folder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Optimizer(StrEnum):
    """What moves the weights, with the defaults of Keras but for the rate."""

    ADAM = "adam"
    RMSPROP = "rmsprop"


class Schedule(StrEnum):
    """How the rate goes.

    CONSTANT: it stays. ONE_CYCLE: up for 30 % of the steps, then down to nothing, both as cosines (L. Smith, N. Topin,
    Super-convergence, arXiv:1708.07120).
    """

    CONSTANT = "constant"
    ONE_CYCLE = "one-cycle"


class Fill(StrEnum):
    """What an augmented picture shows where the original has ended. BLACK: 0. NEAREST: its border, drawn out."""

    BLACK = "black"
    NEAREST = "nearest"


def _within(where: str, value: object, low: float, high: float) -> None:
    ok = type(value) in (int, float) and math.isfinite(value) and low <= value <= high  # type: ignore[arg-type,operator]
    if not ok:
        raise ArgumentError(f"{where}: expected a number from {low:g} to {high:g}, got {value!r}")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random changes to each training picture; each is drawn evenly from -x to +x, and all are one affine warp.

    Attributes:
        rotation: Degrees, 0..180.
        shift: Share of the height and of the width, 0..1.
        shear: Degrees, 0..60.
        zoom: Share of the size, separately for height and width, 0..0.9.
        fill: What is seen beyond the picture's edge.

    Raises:
        ArgumentError: A value is out of range.
    """

    rotation: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    fill: Fill = Fill.BLACK

    def __post_init__(self) -> None:
        for name, high in (("rotation", 180), ("shift", 1), ("shear", 60), ("zoom", 0.9)):
            _within(f"augmentation {name}", getattr(self, name), 0, high)
        if not isinstance(self.fill, Fill):
            raise ArgumentError(f"augmentation fill: expected one of {[f.value for f in Fill]}, got {self.fill!r}")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a net is trained.

    Attributes:
        epochs: Times that every training picture is seen, 1..10000.
        batch: Pictures a step, 1..65536.
        optimizer: What moves the weights.
        rate: Learning rate; with one cycle its peak.
        schedule: How the rate goes.
        scale: The network's input is pixel * scale + offset.
        offset: See `scale`.
        augmentation: Random changes to the training pictures; None for none.
        smoothing: Label smoothing, 0..0.5.
        held_out: Share of all training pictures, taken from their end, that is held out for validation; 0 for none at
            all (some seeds train on everything), None for the part that the data set itself holds out.
        keep_best: Whether the result is the weights that were best on validation, not the last ones.
        patience: Epochs without a better validation after which training ends; None for never.
        bfloat16: Whether convolutions and matrix products of training may round their inputs to bfloat16, where oneDNN
            can (about 1.7 times as fast on AVX512-BF16); weights stay float32.

    Raises:
        ArgumentError: A value is out of range.
    """

    epochs: int
    batch: int = 128
    optimizer: Optimizer = Optimizer.ADAM
    rate: float = 1e-3
    schedule: Schedule = Schedule.CONSTANT
    scale: float = 1 / 255
    offset: float = 0.0
    augmentation: Augmentation | None = None
    smoothing: float = 0.0
    held_out: float | None = None
    keep_best: bool = True
    patience: int | None = None
    bfloat16: bool = False

    def __post_init__(self) -> None:
        counts = (("epochs", self.epochs, 10_000), ("batch", self.batch, 65_536), ("patience", self.patience, 10_000))
        for name, value, high in counts:
            if value is not None and (type(value) is not int or not 1 <= value <= high):
                raise ArgumentError(f"{name}: expected a whole number from 1 to {high}, got {value!r}")
        _within("rate", self.rate, 1e-9, 100)
        _within("smoothing", self.smoothing, 0, 0.5)
        if self.held_out is not None:
            _within("held_out", self.held_out, 0, 0.9)
        if self.held_out == 0 and (self.keep_best or self.patience is not None):
            raise ArgumentError("held_out: with nothing held out there is no best epoch and no patience, got 0")


def rates(recipe: Recipe, steps: int) -> NDArray[np.float32]:
    """The learning rate of every step of a whole training.

    Args:
        recipe: Its rate and schedule.
        steps: Steps in all, at least 1.

    Returns:
        float32 [steps].
    """
    import numpy as np

    if recipe.schedule is Schedule.CONSTANT:
        return np.full(steps, recipe.rate, np.float32)
    rise = max(1, round(0.3 * steps))
    up = (1 - np.cos(np.pi * np.arange(rise) / rise)) / 2  # 0 to 1
    down = (1 + np.cos(np.pi * np.arange(1, steps - rise + 1) / max(1, steps - rise))) / 2  # 1 to 0
    low = recipe.rate / 25
    return np.concatenate([low + (recipe.rate - low) * up, recipe.rate * down])[:steps].astype(np.float32)
