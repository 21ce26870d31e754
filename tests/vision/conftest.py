"""Pages that the tests of vision look at: pen-drawn digits and lines, no data set needed."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from edgecnn.data import strokes

Page = Callable[..., np.ndarray]


def put(page: np.ndarray, digit: int, x: float, y: float, tall: float, pen: float | None = None) -> None:
    """Write one digit with the pen, its box `tall` high with its left upper corner at x, y."""
    step = tall / 8
    for stroke in strokes.DIGITS[digit][0].split("|"):
        points = np.array([[int(p[0]), int(p[1])] for p in stroke.split()], np.float64) * step * [0.6, 1] + [x, y]
        path = strokes.round_corners(points) if len(points) > 2 else points
        pen_width = max(1, round(pen if pen is not None else tall / 9))
        cv2.polylines(page, [np.rint(path * 16).astype(np.int32)], False, 0, pen_width, cv2.LINE_AA, 4)


@pytest.fixture
def page() -> Page:
    """`page("123|45", tall=60)`: uint8 [480, 640], dark digits on light paper, lines parted by |."""

    def write(
        text: str,
        *,
        tall: float = 60,
        gap: float = 0.5,
        slant: float = 0.0,
        at: tuple[float, float] = (60, 60),
        pitch: float = 1.8,
        size: tuple[int, int] = (480, 640),
        pen: float | None = None,
    ) -> np.ndarray:
        sheet = np.full(size, 225, np.uint8)
        for row, line in enumerate(text.split("|")):
            for column, character in enumerate(line):
                x = at[0] + column * tall * (0.6 + gap)
                y = at[1] + row * tall * pitch + slant * (x - at[0])
                put(sheet, int(character), x, y, tall, pen)
        return sheet

    return write
