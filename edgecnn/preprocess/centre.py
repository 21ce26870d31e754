"""The ink of digits, found or drawn, in MNIST's form."""

from __future__ import annotations

from functools import cache, lru_cache
from math import ceil
from typing import TYPE_CHECKING, Any

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

_PHASES = np.array(PHASES, np.float32)
_TRUST: list[float] = (np.maximum(np.arange(256, dtype=np.float32), 1) ** 4).tolist()
"""How much an end is to be trusted, by the level of its ink."""
_LEVELS = bytes(range(256))
"""Every level."""


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
    fine, zoom = _enlarged(inks, side, box * FINE)
    _fill(fine)
    _widen(fine)
    # Down and across, [2, n], are measured together.
    highest, sums, squares = _profiles(fine)
    begin, end, anchor = _ends(highest)
    extent = end - begin
    size = extent / zoom
    longest = np.maximum(size[0], size[1])
    step = np.maximum(longest, FINE / np.minimum(zoom[0], zoom[1]))
    step = step / box * zoom
    cells = np.maximum(np.rint(extent / step), 1)
    begin += (extent - cells * step) * anchor
    begin += _phase(squares, begin, step, cells) * step * (size < NARROW * longest)
    # The grid starts at the ink's edge and moves by whole pixels, as MNIST's did: its own images meet their own grid.
    grid = _grid(_size(height, width), begin, _mass(sums), step, cells)
    rows, cols = np.empty((2, len(inks), height, width), np.float32)
    down = np.minimum(np.maximum(grid[0, :, :height], 0), side - 1)
    down += (_count(len(inks)) * side)[:, None]
    rows[:] = down[:, :, None]
    cols[:] = grid[1, :, None, :width]
    # Coming to the fine grid and from it to MNIST's each softens the edges a little; this takes it back.
    flat = fine.reshape(-1, side)
    crisp = cv2.addWeighted(flat, 1 + CRISP, cv2.blur(flat, (3, 3)), -CRISP, 0)
    digits: NDArray[np.uint8] = cv2.remap(crisp, cols.reshape(-1, width), rows.reshape(-1, width), cv2.INTER_CUBIC)
    return digits.reshape(-1, height, width)


@cache
def _size(height: int, width: int) -> NDArray[np.float32]:
    """The size of a result, down and across: [2, 1]."""
    return np.array([[height], [width]], np.float32)


@lru_cache(maxsize=64)
def _count(number: int) -> NDArray[np.float32]:
    """0, 1, 2, ..."""
    return np.arange(number, dtype=np.float32)


def _enlarged(inks: Sequence[NDArray[np.uint8]], side: int, span: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Inks, as long as `span`, in the middles of [n, side, side]; and by how much, down and across: [2, n]."""
    import cv2

    fine = np.zeros((len(inks), side, side), np.uint8)
    zoom = []
    for sheet, ink in zip(fine, inks, strict=True):
        height, width = ink.shape
        ratio = span / max(height, width)
        h, w = max(1, round(height * ratio)), max(1, round(width * ratio))
        zoom.append((h / height, w / width))
        top, left = (side - h) // 2, (side - w) // 2
        how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
        cv2.resize(ink, (w, h), dst=sheet[top : top + h, left : left + w], interpolation=how)
    return fine, np.array(zoom, np.float32).T


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


def _profiles(fine: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Highest level, sum and sum of squares of each row, then of each column, of [n, side, side]: [2, n, side] each."""
    import cv2

    count, side = fine.shape[:2]
    # Laid side by side, standing on their sides, then as they are: one long pass takes a fifth of many short ones.
    beside = np.concatenate([cv2.transpose(fine.reshape(-1, side)), fine.swapaxes(0, 1).reshape(side, -1)], axis=1)
    highest = np.maximum.reduce(beside, axis=0)
    sums, squares = (cv2.reduce(beside, 0, how, dtype=cv2.CV_32F) for how in (cv2.REDUCE_SUM, cv2.REDUCE_SUM2))
    shape = (2, count, side)
    return highest.reshape(shape), sums.reshape(shape), squares.reshape(shape)


def _mass(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centre of mass, down and across, from the sums of rows and columns [2, n, side]: float32 [2, n]."""
    mass: NDArray[Any] = sums @ _count(sums.shape[2])
    mass /= np.maximum(np.add.reduce(sums[0], axis=1), 1)
    return mass


def _ends(profiles: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Where the ink begins and ends along profiles [2, n, side], and how much more the end is to be trusted, 0..1.

    An end is where the ink has half the level that it has a little further in. The stronger it is there, the plainer.

    Returns:
        float32 [2, n] each.
    """
    *axes, side = profiles.shape
    edges = profiles.tobytes()
    rows = [edges[start : start + side] for start in range(0, len(edges), side)]
    found = np.array([end for row in rows for end in (_end(row), _end(row[::-1]))]).reshape(*axes, 2, 4)
    place = found[..., 0] - (found[..., 1] / found[..., 2]).astype(np.float32) + 0.5
    trust = found[..., 3].astype(np.float32)
    begin, end = place.astype(np.float32).transpose(2, 0, 1)
    return begin, np.float32(side) - end, trust[..., 1] / (trust[..., 0] + trust[..., 1])


def _end(profile: bytes) -> tuple[int, float, int, float]:
    """Where a profile first has half of its ink's level, by how much more, how steep it is there; how plain the level.

    Bytes are looked through in a fraction of the time that arrays of their size take.
    """
    first = _first(profile, FAINT + 1)
    level = max(profile[first], profile[min(first + INSET, len(profile) - 1)])
    half = max(level / 2, FAINT)
    at = max(_first(profile, ceil(half)), 1)
    return at, profile[at] - half, max(profile[at] - profile[at - 1], 1), _TRUST[level]


def _first(profile: bytes, level: int) -> int:
    """Where a profile first reaches a level; 0 if nowhere."""
    return (len(profile) - len(profile.lstrip(_LEVELS[:level]))) % len(profile)


def _phase(
    squares: NDArray[np.float32], begin: NDArray[np.float32], step: NDArray[np.float32], cells: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The one of `PHASES` at which the pixels of a digit hold most of its energy: [2, n].

    Between two pixels of an image that was enlarged each level is a mean of theirs, so it is crispest on its own grid.

    Args:
        squares: [2, n, side]; sums of squares along the fine grid.
        begin: [2, n]; where the ink begins there.
        step: [2, n]; size of a pixel there.
        cells: [2, n]; pixels of the ink.
    """
    import cv2

    side = squares.shape[2]
    places = _middles(side).take(cells.reshape(-1).astype(np.intp), axis=0)
    places *= step.reshape(-1, 1)
    places += begin.reshape(-1, 1) - 0.5
    rows = np.empty_like(places)
    rows[:] = _count(len(rows))[:, None]
    taken = cv2.remap(squares.reshape(-1, side), places, rows, cv2.INTER_LINEAR)
    energy = np.add.reduce(taken.reshape(*begin.shape, len(PHASES), -1), axis=3)
    best: NDArray[np.float32] = _PHASES.take(energy.argmax(axis=2))
    return best


@cache
def _middles(side: int) -> NDArray[np.float32]:
    """Middles of the pixels of what is 0, 1, 2, ... pixels long, at each of `PHASES`: [lengths, phases * longest]."""
    cells = np.arange(side // FINE - 4 + 1, dtype=np.float32)[:, None, None]
    inside = np.arange(0.5, len(cells) - 1, dtype=np.float32)
    middles: NDArray[np.float32] = np.where(inside < cells, inside, np.float32(-side))  # outside there is none
    middles = _PHASES[:, None] + middles
    return middles.reshape(len(cells), -1)


def _grid(
    size: NDArray[np.float32],
    begin: NDArray[np.float32],
    mass: NDArray[np.float32],
    step: NDArray[np.float32],
    cells: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Positions [2, n, longer size] in the fine grid of the pixels of the result; sizes are [2, 1], all else [2, n]."""
    centre = (mass + 0.5 - begin) / step - 0.5
    shift = np.minimum(np.maximum(np.rint(size / 2 - centre), 0), size - cells)  # there are never more cells than size
    grid: NDArray[np.float32] = _count(int(max(size[0, 0], size[1, 0]))) + (0.5 - shift)[..., None]
    grid *= step[..., None]
    grid += (begin - 0.5)[..., None]
    # In the 32nds that OpenCV's remap knows, so that a digit's place in the sheet does not round it otherwise.
    grid *= 32
    np.rint(grid, out=grid)
    grid /= 32
    return grid
