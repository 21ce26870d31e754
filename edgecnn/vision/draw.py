"""Draw what was read over a frame, readable on any ground: boxes, labels, the number, the region, a line of status."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecnn.errors import ArgumentError
from edgecnn.vision.place import Ground, beside, corners, label_boxes, least

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecnn.spec import Reading
    from edgecnn.vision.place import Box, Corner

Colour = tuple[int, int, int]
NUMBER: tuple[Corner, ...] = ((0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0), (0.5, 1))
"""Where the number may lie, the first of those that hide the least."""
STATUS: tuple[Corner, ...] = ((0, 1), (1, 1), (0, 0), (1, 0), (0.5, 1), (0.5, 0))
"""Where the status may lie."""

PLATE: Colour = (24, 24, 24)
"""Ground under every text, BGR."""
WHITE: Colour = (255, 255, 255)
SURE: Colour = (80, 220, 80)
"""Box of a reading with a probability of 0.9 and more."""
UNSURE: Colour = (60, 190, 255)
"""Box of any other reading."""
SMALLEST = 0.36
"""Size of type below which nobody can read it; a digit is then 10 pixels tall."""
LEGIBLE = 200
"""Pixels of the shorter side below which a picture is enlarged: type that can be read would cover it."""
LARGEST = 2000
"""Most pixels of the longer side of a picture that was enlarged."""


def zoom(picture: NDArray[np.uint8]) -> int:
    """How many times as large as the picture what `draw` makes of it is: 1, for a small picture more."""
    short, long = sorted(picture.shape[:2])
    return int(max(1, min(-(-LEGIBLE // short), LARGEST // long)))


def draw(
    picture: NDArray[np.uint8],
    readings: Sequence[Reading],
    text: str = "",
    status: str = "",
    roi: Box | None = None,
) -> NDArray[np.uint8]:
    """Draw readings over a picture.

    The number and the status go where they hide the least of the boxes. A label lies above its box, or beside it where
    something else is there; it leaves the probability out where there is no free place for both. A picture that type
    would cover is enlarged first, by a whole number, its pixels as they are.

    Args:
        picture: uint8 [h, w, 3] BGR or [h, w] grey, of any size; it stays as it is.
        readings: What was read in it; a box may reach beyond the picture.
        text: The number, shown in large type in a corner, the upper left one if nothing is there; empty shows nothing.
        status: A line in another corner, the lower left one if nothing is there; empty shows nothing.
        roi: The region that was looked at, which gets a thin frame; None when that was the whole picture.

    Returns:
        uint8 [h, w, 3] BGR, a copy; of a small picture `zoom` times as large.

    Raises:
        ArgumentError: dtype or shape is none of these.
    """
    if picture.dtype != np.uint8 or not (picture.ndim == 2 or picture.shape[2:] == (3,)) or 0 in picture.shape:
        raise ArgumentError(f"picture: expected uint8 [h, w] or [h, w, 3], got {picture.dtype} {picture.shape}")
    import cv2

    canvas: NDArray[np.uint8] = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture.copy()
    times = zoom(picture)
    if times > 1:
        canvas = canvas.repeat(times, axis=0).repeat(times, axis=1)
        readings = [replace(reading, box=scaled(reading.box, times)) for reading in readings]
        roi = None if roi is None else scaled(roi, times)
    thick = _thickness(canvas)
    if roi is not None:
        _frame(canvas, _within(roi, canvas), WHITE, 1)
    for reading in readings:
        _frame(canvas, reading.box, _colour(reading), thick)
    _write_over(canvas, readings, text.replace("|", " | "), status)
    return canvas


def scaled(box: Box, times: int) -> Box:
    """A box of a picture in what `draw` makes of it, `zoom` times as large."""
    x, y, width, height = box
    return x * times, y * times, width * times, height * times


def _write_over(canvas: NDArray[np.uint8], readings: Sequence[Reading], text: str, status: str) -> None:
    """The number, the status and the labels, each where it hides the least of the boxes and of what is there."""
    height, width = canvas.shape[:2]
    size = (height, width)
    scale, gap = min(size) / 900, 2 + _thickness(canvas)
    forms = [_forms(reading, max(SMALLEST, scale), width) for reading in readings]
    labels = Ground(
        next(beside(reading.box, long.wide, long.tall, size, gap))
        for reading, (long, _) in zip(readings, forms, strict=True)
    )
    taken = Ground(_framed(reading.box, gap) for reading in readings)
    for line, type_size, places in ((text, 2.2 * scale, NUMBER), (status, scale, STATUS)):
        if line:
            plate = _plate(line, max(SMALLEST, type_size), width)
            spots = corners(places, plate.wide, plate.tall, size, min(size) // 80)
            # A label can go elsewhere, a box cannot.
            spot = least(spots, lambda spot: 8 * taken.hidden(spot) + labels.hidden(spot))
            taken.take(spot)
            _write(canvas, plate, spot, WHITE)
    extents = [((long.wide, long.tall), (short.wide, short.tall)) for long, short in forms]
    found = label_boxes([reading.box for reading in readings], extents, taken, size, gap)
    for reading, plates, label in zip(readings, forms, found, strict=True):
        _write(canvas, plates[label.short], label.spot, _colour(reading))


class _Plate(NamedTuple):
    """A text on a dark plate, measured."""

    text: str
    size: float
    thick: int
    wide: int
    tall: int
    origin: tuple[int, int]


def _forms(reading: Reading, size: float, room: int) -> tuple[_Plate, _Plate]:
    """The label with the probability and without it."""
    return _plate(f"{reading.label} {reading.probability:.0%}", size, room), _plate(reading.label, size, room)


@lru_cache(1024)
def _plate(text: str, size: float, room: int) -> _Plate:
    """Measure a text; one that is wider than the room becomes smaller. Labels come again in the next frame."""
    import cv2

    thick, pad = max(1, round(1.6 * size)), max(2, round(5 * size))
    (width, height), rest = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    if width > room - 2 * pad:
        size *= max(room - 2 * pad, 1) / width
        pad = max(2, round(5 * size))
        (width, height), rest = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    return _Plate(text, size, thick, width + 2 * pad, height + rest + 2 * pad, (pad, pad + height))


def _write(canvas: NDArray[np.uint8], plate: _Plate, spot: Box, colour: Colour) -> None:
    import cv2

    x, y = spot[:2]
    cv2.rectangle(canvas, (x, y), (x + plate.wide - 1, y + plate.tall - 1), PLATE, -1)
    origin = (x + plate.origin[0], y + plate.origin[1])
    cv2.putText(canvas, plate.text, origin, cv2.FONT_HERSHEY_SIMPLEX, plate.size, colour, plate.thick, cv2.LINE_AA)


def _frame(canvas: NDArray[np.uint8], box: Box, colour: Colour, thick: int) -> None:
    """A bright line around a box between two dark ones: one of them stands out on any ground."""
    import cv2

    x, y, w, h = box
    # Lines of one pixel: OpenCV takes five times as long for a thicker one.
    for out in range(1, thick + 3):
        shade = colour if 1 < out < thick + 2 else PLATE
        cv2.rectangle(canvas, (x - out, y - out), (x + w - 1 + out, y + h - 1 + out), shade)


def _framed(box: Box, out: int) -> Box:
    """A box with its frame."""
    x, y, w, h = box
    return x - out, y - out, w + 2 * out, h + 2 * out


def _within(box: Box, canvas: NDArray[np.uint8]) -> Box:
    """The part of a box around which there is room for a thin frame."""
    x, y, w, h = box
    left, top = max(x, 3), max(y, 3)
    return left, top, min(x + w, canvas.shape[1] - 3) - left, min(y + h, canvas.shape[0] - 3) - top


def _thickness(canvas: NDArray[np.uint8]) -> int:
    """Of the bright line, in pixels."""
    height, width = canvas.shape[:2]
    return int(1 + min(height, width) // 400)


def _colour(reading: Reading) -> Colour:
    return SURE if reading.probability >= 0.9 else UNSURE
