"""Draw what was read over a frame, readable on any ground: boxes, labels, the number, a line of status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecnn.spec import Reading

Colour = tuple[int, int, int]

PLATE: Colour = (24, 24, 24)
"""Ground under every text, BGR."""
WHITE: Colour = (255, 255, 255)
SURE: Colour = (80, 220, 80)
"""Box of a reading with a probability of 0.9 and more."""
UNSURE: Colour = (60, 190, 255)
"""Box of any other reading."""


def draw(
    picture: NDArray[np.uint8], readings: Sequence[Reading], text: str = "", status: str = ""
) -> NDArray[np.uint8]:
    """Draw readings over a picture.

    Args:
        picture: uint8 [h, w, 3] BGR or [h, w] grey, of any size; it stays as it is.
        readings: What was read in it; a box may reach beyond the picture.
        text: The number, shown in large type in the upper left corner; empty shows nothing there.
        status: A line in the lower left corner; empty shows nothing there.

    Returns:
        uint8 [h, w, 3] BGR, a copy.

    Raises:
        ArgumentError: dtype or shape is none of these.
    """
    if picture.dtype != np.uint8 or not (picture.ndim == 2 or picture.shape[2:] == (3,)) or 0 in picture.shape:
        raise ArgumentError(f"picture: expected uint8 [h, w] or [h, w, 3], got {picture.dtype} {picture.shape}")
    import cv2

    canvas: NDArray[np.uint8] = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture.copy()
    size = max(0.4, min(canvas.shape[:2]) / 900)
    for reading in readings:
        colour = SURE if reading.probability >= 0.9 else UNSURE
        _frame(canvas, reading.box, colour)
        x, y = reading.box[:2]
        _write(canvas, f"{reading.label} {reading.probability:.0%}", (x, y - 3), size, colour)
    if text:
        _write(canvas, text.replace("|", " | "), (6, 6), 2.2 * size, WHITE, below=True)
    if status:
        _write(canvas, status, (6, canvas.shape[0] - 6), size, WHITE)
    return canvas


def _frame(canvas: NDArray[np.uint8], box: tuple[int, int, int, int], colour: Colour) -> None:
    """A bright line on a dark wider one: one of them stands out on any ground."""
    import cv2

    x, y, w, h = box
    thick = 1 + min(canvas.shape[:2]) // 400
    cv2.rectangle(canvas, (x - 2, y - 2), (x + w + 1, y + h + 1), PLATE, thick + 2)
    cv2.rectangle(canvas, (x - 2, y - 2), (x + w + 1, y + h + 1), colour, thick)


def _write(
    canvas: NDArray[np.uint8], text: str, at: tuple[int, int], size: float, colour: Colour, *, below: bool = False
) -> None:
    """Text on a dark plate; its lower left (`below`: upper left) corner is at a place. Kept inside of the canvas."""
    import cv2

    thick = max(1, round(1.6 * size))
    (width, height), rest = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    room = canvas.shape[1] - 2 * max(2, round(5 * size))
    if width > room:
        size *= max(room, 1) / width
        (width, height), rest = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    pad = max(2, round(5 * size))
    wide, tall = width + 2 * pad, height + rest + 2 * pad
    left = max(0, min(at[0], canvas.shape[1] - wide))
    top = max(0, min(at[1] if below else at[1] - tall, canvas.shape[0] - tall))
    cv2.rectangle(canvas, (left, top), (left + wide, top + tall), PLATE, -1)
    origin = (left + pad, top + pad + height)
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
