"""The ink of digits, found or drawn, in MNIST's form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIDE = 28
"""Side of an MNIST image, in pixels."""
BOX = 20
"""Side of the box in which MNIST fits the ink of a digit."""
FAINT = 20
"""Level from which a profile of a digit counts as ink, of 255."""
INSET = 2
"""Steps inside a digit's edge where the level is that of its ink."""
CRISP = 0.5
"""How much of its difference from its 3x3 mean is added to the fine grid."""
MAX_SHEET = 32_000
"""Most rows of pixels that OpenCV's remap takes."""
PHASES = (0.0, -0.25, 0.25, -0.5, 0.5)
"""Shifts of the grid that are tried, in pixels, across what does not fill the box; the first of equals is taken."""
NARROW = 0.97
"""Share of the box up to which a digit's extent does not fill it."""
FINE = 3
"""Steps per pixel of the fine grid on which a digit is measured before it is brought to MNIST's grid."""
THIN, WIDE = 1.65, 5.5
"""Narrowest and widest mean stroke that is left as it is, in MNIST pixels: 99 % of MNIST's own lie between them."""
STROKE = 2.5
"""Mean stroke that thinner ink is widened to, in MNIST pixels: MNIST's median."""

_HALF = np.float32(0.5)
_PHASES = np.array(PHASES, np.float32)
_TRUST: list[np.float32] = list(np.maximum(np.arange(256, dtype=np.float32), 1) ** 4)
"""How much an end is to be trusted, by the level of its ink."""
_FAINT = bytes(range(FAINT + 1))
"""Levels that are no ink."""
_HALVES = [(half, bytes(range(ceil(half)))) for half in (max(level / 2, FAINT) for level in range(256))]
"""Half of each level, where that is ink, and all levels below it."""


def centre_digit(ink: NDArray[np.uint8], height: int = SIDE, width: int = SIDE) -> NDArray[np.uint8]:
    """`centre_digits` for one digit: uint8 [h, w] -> uint8 [height, width]."""
    digit: NDArray[np.uint8] = centre_digits([ink], height, width)[0]
    return digit


def centre_digits(inks: Sequence[NDArray[np.uint8]], height: int = SIDE, width: int = SIDE) -> NDArray[np.uint8]:
    """Bring the ink of digits, one in each picture, to MNIST's form.

    The ink is fitted, aspect kept and anti-aliased, into 20x20 of 28x28, its centre of mass is put in the middle
    (Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits), its strongest level becomes 255, and a
    stroke thinner than MNIST's thinnest is widened. MNIST's own images, enlarged, come back as they were.

    Args:
        inks: uint8 [h, w] each, of any size; 0 where there is no ink, the more the fuller.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        uint8 [n, height, width], light ink on black; all black where there is no ink.
    """
    if not inks:
        return np.zeros((0, height, width), np.uint8)
    sheet = max(1, MAX_SHEET // max(_side(height, width), height))
    if len(inks) <= sheet:
        return _centre(inks, height, width)
    return np.concatenate([_centre(inks[i : i + sheet], height, width) for i in range(0, len(inks), sheet)])


def _side(height: int, width: int) -> int:
    """Side of the fine grid of one digit: its box and room for a wider stroke."""
    return max(1, round(min(height, width) * BOX / SIDE)) * FINE + 4 * FINE


def _centre(inks: Sequence[NDArray[np.uint8]], height: int, width: int) -> NDArray[np.uint8]:
    """`centre_digits` for no more than fit into one sheet, one below the other."""
    import cv2

    side = _side(height, width)
    box = side // FINE - 4
    fine, zooms = _enlarged(inks, side, box * FINE)
    _fill(fine)
    _widen(fine)
    highest, squares = _profiles(fine)
    axes = [axis for down, across, zoom in zip(*highest, zooms, strict=True) for axis in _axes(down, across, zoom, box)]
    _shift(axes, squares)
    # The grid starts at the ink's edge and moves by whole pixels, as MNIST's did: its own images meet their own grid.
    grid = _grid(axes, _masses(fine), (height, width))
    rows, cols = np.empty((len(inks), height, width), np.float32), np.empty((len(inks), height, width), np.float32)
    down = np.minimum(np.maximum(grid[:, 0, :height], 0), side - 1)
    if len(inks) > 1:
        down += (_count(len(inks)) * side)[:, None]
    rows[:] = down[:, :, None]
    cols[:] = grid[:, 1, None, :width]
    # Coming to the fine grid and from it to MNIST's each softens the edges a little; this takes it back.
    flat = fine.reshape(-1, side)
    crisp = cv2.addWeighted(flat, 1 + CRISP, cv2.blur(flat, (3, 3)), -CRISP, 0)
    digits: NDArray[np.uint8] = cv2.remap(crisp, cols.reshape(-1, width), rows.reshape(-1, width), cv2.INTER_CUBIC)
    return digits.reshape(-1, height, width)


@lru_cache(maxsize=64)
def _count(number: int) -> NDArray[np.float32]:
    """0, 1, 2, ..."""
    return np.arange(number, dtype=np.float32)


def _enlarged(
    inks: Sequence[NDArray[np.uint8]], side: int, span: int
) -> tuple[NDArray[np.uint8], list[tuple[np.float32, np.float32]]]:
    """Inks, as long as `span`, in the middles of [n, side, side]; and by how much each, down and across."""
    import cv2

    fine = np.zeros((len(inks), side, side), np.uint8)
    zooms = []
    for sheet, ink in zip(fine, inks, strict=True):
        height, width = ink.shape
        ratio = span / max(height, width)
        h, w = max(1, round(height * ratio)), max(1, round(width * ratio))
        zooms.append((np.float32(h / height), np.float32(w / width)))
        top, left = (side - h) // 2, (side - w) // 2
        how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
        cv2.resize(ink, (w, h), dst=sheet[top : top + h, left : left + w], interpolation=how)
    return fine, zooms


def _fill(fine: NDArray[np.uint8]) -> None:
    """Scale each of [n, side, side] so that its strongest level is 255; single specks of noise do not count."""
    import cv2

    smooth = cv2.blur(fine.reshape(-1, fine.shape[2]), (3, 3)).reshape(fine.shape)
    gains = _gains()
    for sheet, soft in zip(fine, smooth, strict=True):
        cv2.LUT(sheet, gains[int(cv2.norm(soft, cv2.NORM_INF))], dst=sheet)


@cache
def _gains() -> NDArray[np.uint8]:
    """What each level becomes, by the strongest: [256, 256]."""
    levels = np.arange(256, dtype=np.float32)
    return np.minimum(levels * (255 / np.maximum(levels, 1))[:, None], 255).astype(np.uint8)


def _widen(fine: NDArray[np.uint8]) -> None:
    """Widen thin strokes in [n, side, side]. A long stroke's width is twice its area by its outline's length."""
    import cv2

    flat = fine.reshape(-1, fine.shape[2])
    across = cv2.Sobel(flat, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    down = cv2.Sobel(flat, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    slopes = cv2.magnitude(across, down).reshape(len(fine), -1)
    outlines = cv2.reduce(slopes, 1, cv2.REDUCE_SUM)[:, 0]
    areas = cv2.reduce(fine.reshape(len(fine), -1), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F)[:, 0]
    for i, (area, outline) in enumerate(zip(areas, outlines, strict=True)):
        stroke = 2 * area / max(outline, 1) / FINE
        if stroke < THIN:
            size = 1 + 2 * max(1, round((STROKE - stroke) * FINE / 2))
            fine[i] = cv2.dilate(fine[i], cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))


def _profiles(fine: NDArray[np.uint8]) -> tuple[tuple[list[bytes], list[bytes]], NDArray[np.float32]]:
    """Of each row, then of each column of each of [n, side, side]: highest level, sum of squares.

    Returns:
        The levels as two lists of n profiles, the sums as [2, n, side].
    """
    import cv2

    count, side = fine.shape[:2]
    # Laid side by side, standing on their sides, then as they are: one long pass takes a fifth of many short ones.
    beside = cv2.hconcat([cv2.transpose(fine.reshape(-1, side)), *fine])
    highest = np.maximum.reduce(beside, axis=0).tobytes()
    squares = cv2.reduce(beside, 0, cv2.REDUCE_SUM2, dtype=cv2.CV_32F)
    profiles = [highest[start : start + side] for start in range(0, len(highest), side)]
    return (profiles[:count], profiles[count:]), squares.reshape(2, count, side)


def _masses(fine: NDArray[np.uint8]) -> list[np.float32]:
    """Centres of mass of n digits, down and across in turn."""
    import cv2

    masses = []
    for sheet in fine:
        moments = cv2.moments(sheet)
        whole = max(moments["m00"], 1)
        masses += [np.float32(moments["m01"] / whole), np.float32(moments["m10"] / whole)]
    return masses


@dataclass(slots=True)
class _Axis:
    """How the pixels of a digit lie along one axis of its fine grid.

    A handful of numbers of each digit: as scalars, of NumPy's for its rounding, they cost less than arrays of them.

    Attributes:
        begin: Where the ink begins.
        step: Size of a pixel.
        cells: Pixels of the ink.
        narrow: Whether the ink does not fill the box along it.
    """

    begin: np.float32
    step: np.float32
    cells: int
    narrow: bool


def _axes(down: bytes, across: bytes, zoom: tuple[np.float32, np.float32], box: int) -> list[_Axis]:
    """Both axes of a digit, from its profiles, by how much it was enlarged along each, for a box of so many pixels."""
    ends = _ends(down), _ends(across)
    sizes = [(end - begin) / times for (begin, end, _), times in zip(ends, zoom, strict=True)]
    longest = max(sizes)
    pixel = max(longest, FINE / min(zoom)) / box
    axes = []
    for (begin, end, anchor), size, times in zip(ends, sizes, zoom, strict=True):
        extent, step = end - begin, pixel * times
        cells = max(round(float(extent / step)), 1)
        axes.append(_Axis(begin + (extent - cells * step) * anchor, step, cells, bool(size < NARROW * longest)))
    return axes


def _ends(profile: bytes) -> tuple[np.float32, np.float32, np.float32]:
    """Where the ink begins and ends along a profile, and how much more the end is to be trusted, 0..1."""
    begin, first = _end(profile)
    end, last = _end(profile[::-1])
    return begin, np.float32(len(profile)) - end, last / (first + last)


def _end(profile: bytes) -> tuple[np.float32, np.float32]:
    """Where a profile first has half the level that it has a little further in; and how plain that level is.

    Bytes are looked through in a fraction of the time that arrays of their size take.
    """
    size = len(profile)
    first = (size - len(profile.lstrip(_FAINT))) % size
    level = max(profile[first], profile[min(first + INSET, size - 1)])
    half, below = _HALVES[level]
    at = (size - len(profile.lstrip(below))) % size or 1
    over = (profile[at] - half) / max(profile[at] - profile[at - 1], 1)
    return np.float32(at - float(np.float32(over)) + 0.5), _TRUST[level]


def _shift(axes: Sequence[_Axis], squares: NDArray[np.float32]) -> None:
    """Shift what is narrow by the one of `PHASES` at which the pixels of a digit hold most of its energy.

    Between two pixels of an image that was enlarged each level is a mean of theirs, so it is crispest on its own grid.

    Args:
        axes: Down and across, of each of n digits.
        squares: [2, n, side]; sums of squares along the fine grid.
    """
    import cv2

    narrow = [i for i, axis in enumerate(axes) if axis.narrow]
    if not narrow:
        return
    count, side = squares.shape[1:]
    chosen = [axes[i] for i in narrow]
    placed = [(axis.step, axis.begin - _HALF, i % 2 * count + i // 2) for i, axis in zip(narrow, chosen, strict=True)]
    columns = np.array(placed, np.float32)
    places = _middles(side).take([axis.cells for axis in chosen], axis=0)
    places *= columns[:, :1]
    places += columns[:, 1:2]
    rows = np.empty_like(places)
    rows[:] = columns[:, 2:]
    taken = cv2.remap(squares.reshape(-1, side), places, rows, cv2.INTER_LINEAR)
    energy = np.add.reduce(taken.reshape(len(narrow), len(PHASES), -1), axis=2)
    for axis, best in zip(chosen, energy.argmax(axis=1).tolist(), strict=True):
        axis.begin += _PHASES[best] * axis.step


@cache
def _middles(side: int) -> NDArray[np.float32]:
    """Middles of the pixels of what is 0, 1, 2, ... pixels long, at each of `PHASES`: [lengths, phases * longest]."""
    cells = np.arange(side // FINE - 4 + 1, dtype=np.float32)[:, None, None]
    inside = np.arange(0.5, len(cells) - 1, dtype=np.float32)
    middles: NDArray[np.float32] = np.where(inside < cells, inside, np.float32(-side))  # outside there is none
    middles = _PHASES[:, None] + middles
    return middles.reshape(len(cells), -1)


def _grid(axes: Sequence[_Axis], masses: Sequence[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Positions in the fine grid of the pixels of the result, down and across: [n, 2, longer size].

    In the 32nds that OpenCV's remap knows, so that a digit's place in the sheet does not round it otherwise.
    """
    placed = []
    for i, (axis, mass) in enumerate(zip(axes, masses, strict=True)):
        length = size[i % 2]
        middle = (mass + _HALF - axis.begin) / axis.step - _HALF
        # There are never more cells than pixels.
        shift = min(max(round(float(length / 2 - middle)), 0), length - axis.cells)
        placed.append((0.5 - shift, axis.step * 32, (axis.begin - _HALF) * 32))
    columns = np.array(placed, np.float32)
    grid: NDArray[np.float32] = _count(max(size)) + columns[:, :1]
    grid *= columns[:, 1:2]
    grid += columns[:, 2:]
    np.rint(grid, out=grid)
    grid *= 1 / 32
    return grid.reshape(-1, 2, max(size))
