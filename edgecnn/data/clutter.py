"""What a camera sees that is no digit: scribbles, lines, blobs, texture, hands, words, and digits grown together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecnn.data.strokes import LETTERS, draw, round_corners

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SIDE = 72
"""Height and width in which these shapes are drawn, in pixels."""


def _canvas() -> NDArray[np.uint8]:
    return np.zeros((SIDE, SIDE), np.uint8)


def _curve(canvas: NDArray[np.uint8], points: NDArray[np.float64], pen: float) -> NDArray[np.uint8]:
    import cv2

    cv2.polylines(canvas, [np.rint(points * 16).astype(np.int32)], False, 255, max(1, round(pen)), cv2.LINE_AA, 4)
    return canvas


def scribble(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A pen that goes to and fro."""
    points = rng.uniform(6, SIDE - 6, (int(rng.integers(6, 15)), 2))
    return _curve(_canvas(), round_corners(points), rng.uniform(2, 8))


def stroke(rng: np.random.Generator) -> NDArray[np.uint8]:
    """One stroke that lies too flat for a 1, straight or bent."""
    angle = np.deg2rad(rng.uniform(-32, 32))
    ends = np.array([[-1, 0], [0, rng.normal(0, 0.12)], [1, 0]]) * (SIDE / 2 - 6)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return _curve(_canvas(), round_corners(ends @ turn.T + SIDE / 2), rng.uniform(1.5, 14))


def corner(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Two or three straight lines that meet: frames, table corners."""
    start = rng.uniform(8, SIDE - 8, 2)
    points = [start]
    heading = rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.integers(2, 4))):
        points.append(points[-1] + rng.uniform(20, 60) * np.array([np.cos(heading), np.sin(heading)]))
        heading += np.pi / 2 * rng.choice([-1, 1]) + rng.normal(0, 0.1)
    path = np.array(points)
    path -= path.min(axis=0) - 8
    return _curve(np.zeros((200, 200), np.uint8), path, rng.uniform(1.5, 10))


def blob(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A filled patch with a wavy outline: a stain, a thumb, a shadow."""
    import cv2

    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    radii = (SIDE / 2 - 6) * np.clip(1 + rng.normal(0, rng.uniform(0.05, 0.35), 12), 0.2, 1.3)
    flat = rng.uniform(0.4, 1)
    outline = np.stack([np.cos(angles) * radii, np.sin(angles) * radii * flat], axis=1) + SIDE / 2
    canvas = _canvas()
    cv2.fillPoly(canvas, [np.rint(round_corners(np.concatenate([outline, outline[:1]]))).astype(np.int32)], 255)
    return canvas


def texture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Grain that passed the ink's threshold."""
    import cv2

    cells = int(rng.integers(6, 30))
    field = cv2.resize(rng.normal(0, 1, (cells, cells)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    reach = np.hypot(*(np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2)) / (SIDE / 2) * rng.uniform(0.8, 2)
    grain: NDArray[np.uint8] = np.clip((field - reach + rng.uniform(0.4, 1.2)) * 255, 0, 255).astype(np.uint8)
    return grain


def specks(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Some dots and dashes side by side."""
    import cv2

    canvas = _canvas()
    for _ in range(int(rng.integers(2, 7))):
        x, y = rng.integers(8, SIDE - 8, 2).tolist()
        dx, dy = rng.integers(-10, 11, 2).tolist()
        cv2.line(canvas, (x, y), (x + dx, y + dy), 255, int(rng.integers(2, 9)), cv2.LINE_AA)
    return canvas


def hand(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A palm with fingers, or another solid thing with arms."""
    import cv2

    canvas = _canvas()
    middle = rng.uniform(24, 48, 2)
    cv2.circle(canvas, np.rint(middle).astype(int).tolist(), int(rng.integers(6, 18)), 255, -1)
    first, spread = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.7)
    for finger in range(int(rng.integers(2, 6))):
        angle = first + finger * spread
        tip = middle + rng.uniform(16, 36) * np.array([np.cos(angle), np.sin(angle)])
        cv2.line(
            canvas,
            np.rint(middle).astype(int).tolist(),
            np.rint(tip).astype(int).tolist(),
            255,
            int(rng.integers(4, 12)),
            cv2.LINE_AA,
        )
    return canvas


def word(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Two to four letters written without lifting the pen far enough."""
    forms = list(LETTERS.values())
    pen = rng.uniform(3, 8)
    picks = [draw(forms[int(rng.integers(len(forms)))], rng, size=48, pen=pen) for _ in range(int(rng.integers(2, 5)))]
    return side_by_side(picks, round(pen) + 6)


def side_by_side(inks: list[NDArray[np.uint8]], overlap: int) -> NDArray[np.uint8]:
    """Put ink pictures into a row, each over the end of the one before.

    Args:
        inks: uint8 [h, w] each.
        overlap: Columns by which two overlap, in pixels.

    Returns:
        uint8 [h, w].
    """
    height = max(ink.shape[0] for ink in inks)
    canvas = np.zeros((height, sum(ink.shape[1] for ink in inks)), np.uint8)
    x = 0
    for ink in inks:
        h, w = ink.shape
        top = (height - h) // 2
        window = canvas[top : top + h, x : x + w]
        np.maximum(window, ink, out=window)
        x += max(w - overlap, 1)
    return canvas


KINDS: tuple[Callable[[np.random.Generator], NDArray[np.uint8]], ...] = (
    scribble,
    stroke,
    corner,
    blob,
    texture,
    specks,
    hand,
    word,
)
"""Every kind of clutter; each gives uint8 [h, w], ink 255 on 0."""
