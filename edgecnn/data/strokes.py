"""Letters, signs and digits as a pen writes them: a few points each, jittered, rounded and drawn with a pen's width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LETTERS = {
    "A": "08 40 88|25 65",
    "A pointed": "08 40 88|15 75",
    "A round": "08 04 20 60 84 88|05 85",
    "B": "00 08|00 60 72 54 04|54 76 68 08",
    "C": "81 60 20 02 06 28 68 87",
    "B open": "10 18|10 50 61 53 14|43 75 67 38 08",
    "D": "00 08|00 50 83 85 58 08",
    "E": "80 00 08 88|04 64",
    "E round": "80 40 12 24 54 24 06 38 88",
    "F": "80 00 08|04 64",
    "F hook": "80 20 11 18|04 63",
    "G": "81 60 20 02 06 28 68 86 84 54",
    "G hook": "81 50 11 04 27 58 86 84|44 84 88",
    "H": "00 08|80 88|04 84",
    "H written": "10 18|70 78|15 73",
    "K": "00 08|80 04 88",
    "K apart": "10 18|70 24 35 78",
    "M": "08 00 45 80 88",
    "M round": "08 11 30 42 48|42 61 72 88",
    "N": "08 00 88 80",
    "N round": "08 11 20 57 78 80",
    "P": "00 08|00 60 82 64 04",
    "Q": "40 02 06 48 86 82 40|55 88",
    "P tall": "10 18|11 50 72 54 24",
    "R": "00 08|00 60 82 64 04|44 88",
    "R round": "10 18|01 40 72 54 14 55 78",
    "T": "00 80|40 48",
    "T hook": "01 10 80|40 47 28",
    "U": "00 06 28 68 86 80",
    "V": "00 48 80",
    "W": "00 28 43 68 80",
    "W round": "00 05 28 46 43 46 68 85 80",
    "X": "00 88|80 08",
    "Y": "00 44 80|44 48",
    "Y tail": "00 13 44 73 80|80 66 38 17",
    "a": "71 40 12 06 28 58 75|71 75 88",
    "a round": "60 30 13 16 38 56 60|60 67 78",
    "b": "20 28|24 53 75 68 28",
    "d": "70 77 88|74 43 15 26 48 77",
    "e": "04 84 62 31 04 26 48 87",
    "f": "70 50 32 38|13 63",
    "f loop": "04 53 60 41 48 28 37 55 85",
    "g": "72 40 12 15 36 62|71 77 58 28 17",
    "h": "10 18|14 43 64 68",
    "h loop": "06 53 50 31 28|25 54 65 68 87",
    "k": "10 18|62 15 78",
    "l loop": "06 54 60 30 26 48 77",
    "m": "02 08|04 23 44 48|44 63 84 88",
    "n": "02 08|04 43 74 78",
    "n written": "03 12 18|14 42 63 67 88",
    "p": "00 08|01 50 73 55 04",
    "r": "02 08|05 33 63",
    "r written": "05 32 43 63 57 78",
    "t": "30 37 58 77|03 63",
    "t plain": "40 48|13 73",
    "u": "02 06 28 58 76|72 78",
    "u written": "03 12 16 38 66 72 77 88",
    "v": "02 48 82",
    "w": "02 28 44 68 82",
    "y": "00 44|80 28",
    "y written": "02 14 36 64 72|72 67 38 17",
}
"""Letters on a grid of 0..8: strokes are parted by |, points are two digits, x to the right and y down. Letters that a
digit looks like beyond doubt when seen alone (I, O, S, Z, l, i, j, o, q, s, z) are not among them."""

SIGNS = {
    "plus": "40 48|04 84",
    "times": "00 88|80 08",
    "hash": "20 28|60 68|03 83|06 86",
    "arrow": "04 84 51|84 57",
    "arrow up": "48 40 13|40 73",
    "zigzag": "00 28 40 68 80",
    "tick": "04 38 80",
    "star": "40 68 03 83 28 40",
    "equal": "02 82|06 86",
    "wave": "04 21 44 67 84",
    "and": "88 11 40 61 15 38 85",
    "infinity": "44 12 14 26 44 62 84 66 44",
    "spiral": "44 53 64 46 24 32 61 84 67 28 05",
    "dash": "04 84",
    "root": "05 15 38 50 80",
    "per cent": "80 08|11 22|66 77",
    "brace": "60 41 43 24 45 47 68",
    "brace closing": "20 41 43 64 45 47 28",
    "brace slanted": "80 61 53 34 45 37 48",
    "question mark": "11 30 51 52 34 35|37 38",
}
"""Signs that are no digits, in the same form."""

DIGITS = {
    0: ("40 12 06 48 86 72 40", "50 22 06 38 76 82 60 30"),
    1: ("40 48", "24 50 48", "04 50 48", "22 40 48|18 78", "05 40 48|08 88", "13 50 58", "33 50 48", "24 50 48|28 68"),
    2: ("02 20 60 72 54 08 88", "12 30 60 73 45 08 37 88", "02 20 60 73 18 26 88"),
    3: ("10 60 72 34 74 78 38 07", "00 80 34 74 86 58 08", "01 40 73 34 76 58 07"),
    4: (
        "50 05 85|64 68",
        "10 05 85|60 68",
        "60 05 85|60 68",
        "20 14 84|70 58",
        "20 04 16 55 83|50 48",
        "30 05 16 75|60 48",
        "20 13 25 45 83|60 48",
        "40 14 26 65 83|51 48",
    ),
    5: ("80 10 04 54 76 58 07", "20 13 53 76 48 07|20 80", "10 04 54 76 48 06|10 80"),
    6: ("60 22 06 38 76 54 06", "50 13 06 48 76 54 15", "70 33 16 38 76 54 25"),
    7: ("00 80 38", "00 70 38|24 74", "02 00 80 48", "01 80 28|14 74", "10 60 38", "12 20 70 38"),
    8: ("60 20 12 64 76 48 16 24 72 60", "71 30 12 64 77 38 16 64 71", "40 12 44 17 48 77 44 72 40"),
    9: (
        "71 40 12 34 72 70 68",
        "72 50 22 34 71 67 38",
        "61 30 12 34 62 60 66 58 18",
        "70 30 12 34 72 70 48",
        "61 40 22 34 62 61 58",
        "60 40 32 43 61 60 48",
    ),
}
"""Ways to write each digit, in this form. MNIST's writers are American: here are a 1 with a flag and a foot too, and
a 7 with a bar."""


def draw(
    form: str, rng: np.random.Generator, *, size: int = 72, pen: float = 8.0, jitter: float = 0.35
) -> NDArray[np.uint8]:
    """Write one form.

    Args:
        form: Its points, as in `LETTERS`.
        rng: Chance of this writing: jitter, slant, width, roundness.
        size: Height of the grid in the picture, in pixels.
        pen: Width of the pen, in pixels.
        jitter: Standard deviation of each point, in steps of the grid.

    Returns:
        uint8 [h, w], ink 255 on 0, with a margin on all sides.
    """
    import cv2

    strokes = [np.array([[int(p[0]), int(p[1])] for p in s.split()], np.float64) for s in form.split("|")]
    round_off = rng.uniform() < 0.75
    turn, slant = rng.normal(0, 0.08), rng.normal(0.08, 0.15)
    broad = rng.uniform(0.5, 0.95)
    step = size / 8
    shape = np.array([[broad, -slant], [0, 1]]) @ np.array(
        [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    )
    paths = []
    for points in strokes:
        points = points + rng.normal(0, jitter, points.shape)
        points = (round_corners(points) if round_off and len(points) > 2 else points) @ shape.T * step
        paths.append(points)
    margin = pen / 2 + 3
    low = np.min([path.min(axis=0) for path in paths], axis=0) - margin
    high = np.max([path.max(axis=0) for path in paths], axis=0) + margin
    width, height = np.ceil(high - low).astype(int)
    canvas = np.zeros((height, width), np.uint8)
    lines = [np.rint((path - low) * 16).astype(np.int32) for path in paths]
    cv2.polylines(canvas, lines, False, 255, max(1, round(pen)), cv2.LINE_AA, 4)
    return canvas


def round_corners(points: NDArray[np.float64], pieces: int = 6) -> NDArray[np.float64]:
    """A curve through points (E. Catmull, R. Rom, A class of local interpolating splines, 1974).

    Args:
        points: float64 [n, 2], n >= 2.
        pieces: Straight pieces between two of them.

    Returns:
        float64 [(n - 1) * pieces + 1, 2].
    """
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    before, start, stop, after = ends[:-3], ends[1:-2], ends[2:-1], ends[3:]
    t = np.linspace(0, 1, pieces, endpoint=False)[:, None, None]
    curve = 0.5 * (
        2 * start
        + (stop - before) * t
        + (2 * before - 5 * start + 4 * stop - after) * t**2
        + (3 * start - before - 3 * stop + after) * t**3
    )
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), points[-1:]])
