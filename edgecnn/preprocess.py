"""The only code that turns pixels into a tensor. Training, calibration, parity, pictures and camera all call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import ArgumentError
from edgecnn.spec import Fit, ImageSpec

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
FINE = 3
"""Steps per pixel of the fine grid on which a digit is measured before it is brought to MNIST's grid."""
THIN, WIDE = 1.65, 5.5
"""Narrowest and widest mean stroke that is left as it is, in MNIST pixels: 99 % of MNIST's own lie between them."""
STROKE = 2.5
"""Mean stroke that thinner ink is widened to, in MNIST pixels: MNIST's median."""


def to_tensor(pixels: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.float32]:
    """Turn fitted pixels into what the network takes: pixel * scale + offset.

    Args:
        pixels: uint8 [n, height, width, channels] as `fit` gives them (RGB order for 3 channels).
        spec: The network's image.

    Returns:
        float32 of the same shape.

    Raises:
        ArgumentError: dtype or shape is not the network's.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != spec.shape:
        raise ArgumentError(f"pixels: expected uint8 (n, {spec.shape}), got {pixels.dtype} {pixels.shape}")
    tensor = pixels.astype(np.float32)
    tensor *= np.float32(spec.scale)
    tensor += np.float32(spec.offset)
    return tensor


def fit(picture: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.uint8]:
    """Bring a whole picture, seen as one object, to the network's size.

    Args:
        picture: uint8 [h, w] grey, [h, w, 1] grey or [h, w, 3] BGR, any size from 1x1.
        spec: The network's image.

    Returns:
        uint8 [height, width, channels]; RGB order for 3 channels. With fit DIGIT a picture that already has MNIST's
        size and a dark border comes back unchanged.

    Raises:
        ArgumentError: dtype or shape is none of these.
    """
    ok = picture.dtype == np.uint8 and (picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (1, 3)))
    if not ok or 0 in picture.shape:
        raise ArgumentError(f"picture: expected uint8 [h, w] or [h, w, 3], got {picture.dtype} {picture.shape}")
    import cv2

    if spec.channels == 1 and picture.ndim == 3:
        picture = picture[..., 0] if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    elif spec.channels == 3:
        grey = picture.ndim == 2 or picture.shape[2] == 1
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB if grey else cv2.COLOR_BGR2RGB)
    fitted = _digit(picture, spec) if spec.fit is Fit.DIGIT else _crop(picture, spec)
    return np.ascontiguousarray(fitted).reshape(spec.shape)


def _crop(picture: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.uint8]:
    import cv2

    height, width = picture.shape[:2]
    if (height, width) == (spec.height, spec.width):
        return picture
    ratio = max(spec.height / height, spec.width / width)
    size = (max(spec.width, round(width * ratio)), max(spec.height, round(height * ratio)))
    # INTER_AREA averages all pixels that fall into one: without it a large picture aliases.
    resized: NDArray[np.uint8] = cv2.resize(
        picture, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    )
    top, left = (size[1] - spec.height) // 2, (size[0] - spec.width) // 2
    return resized[top : top + spec.height, left : left + spec.width]


def _digit(grey: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.uint8]:
    import cv2

    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if grey.shape == (spec.height, spec.width) and np.median(border) < 128:
        return grey
    paper = float(np.median(border))
    ink = cv2.subtract(grey, paper) if paper < 128 else cv2.subtract(paper, grey)
    return centre_digit(ink, spec.height, spec.width)


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
    side = _side(height, width)
    sheet = max(1, MAX_SHEET // max(side, height))
    return np.concatenate([_centre(inks[i : i + sheet], height, width) for i in range(0, len(inks), sheet)])


def _side(height: int, width: int) -> int:
    """Side of the fine grid of one digit: its box and room for a wider stroke."""
    return max(1, round(min(height, width) * BOX / SIDE)) * FINE + 4 * FINE


def _centre(inks: Sequence[NDArray[np.uint8]], height: int, width: int) -> NDArray[np.uint8]:
    """`centre_digits` for no more than fit into one sheet, one below the other."""
    import cv2

    side = _side(height, width)
    box = side // FINE - 4
    span = box * FINE
    fine = np.zeros((len(inks), side, side), np.uint8)
    zoom = np.empty((2, len(inks)), np.float32)
    for i, ink in enumerate(inks):
        ratio = span / max(ink.shape)
        h, w = max(1, round(ink.shape[0] * ratio)), max(1, round(ink.shape[1] * ratio))
        zoom[:, i] = h / ink.shape[0], w / ink.shape[1]
        how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
        top, left = (side - h) // 2, (side - w) // 2
        fine[i, top : top + h, left : left + w] = cv2.resize(ink, (w, h), interpolation=how)
    fine = _widen(_full(fine))
    tall, broad = fine.max(axis=2), fine.max(axis=1)
    top, bottom, anchor_y = _ends(tall)
    left, right, anchor_x = _ends(broad)
    longer = np.maximum((bottom - top) / zoom[0], (right - left) / zoom[1])
    step = np.maximum(longer, FINE / zoom.min(axis=0)) / box * zoom
    flat = fine.reshape(-1, side)
    steps = np.arange(side, dtype=np.float32)
    rows_sum = cv2.reduce(flat, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F).reshape(-1, side)
    mass = np.maximum(rows_sum.sum(axis=1), 1)
    mass_y = (rows_sum @ steps) / mass
    mass_x = (np.ones(side, np.float32) @ fine.astype(np.float32) @ steps) / mass
    # The grid starts at the ink's edge and moves by whole pixels, as MNIST's did: its own images meet their own grid.
    y = _grid(height, top, mass_y, step[0], bottom - top, anchor_y)
    x = _grid(width, left, mass_x, step[1], right - left, anchor_x)
    first = (np.arange(len(inks), dtype=np.float32) * side)[:, None]
    rows = np.repeat((np.clip(y, 0, side - 1) + first).reshape(-1, 1), width, axis=1)
    cols = np.repeat(x, height, axis=0)
    # Coming to the fine grid and from it to MNIST's each softens the edges a little; this takes it back.
    crisp = cv2.addWeighted(flat, 1 + CRISP, cv2.blur(flat, (3, 3)), -CRISP, 0)
    digits: NDArray[np.uint8] = cv2.remap(crisp, cols, rows, cv2.INTER_CUBIC)
    return digits.reshape(-1, height, width)


def _full(fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale each of [n, side, side] so that its strongest level is 255; single specks of noise do not count."""
    import cv2

    smooth = cv2.blur(fine.reshape(-1, fine.shape[2]), (3, 3)).reshape(fine.shape)
    gain = 255 / np.maximum(smooth.max(axis=(1, 2)), 1).astype(np.float32)
    full: NDArray[np.uint8] = np.minimum(fine * gain[:, None, None], 255).astype(np.uint8)
    return full


def _widen(fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Widen thin strokes in [n, side, side]. A long stroke's width is twice its area by its outline's length."""
    import cv2

    flat = fine.reshape(-1, fine.shape[2])
    across, down = (
        cv2.Sobel(flat, cv2.CV_32F, 1, 0, ksize=1, scale=0.5),
        cv2.Sobel(flat, cv2.CV_32F, 0, 1, ksize=1, scale=0.5),
    )
    slopes = cv2.magnitude(across, down).reshape(len(fine), -1)
    outline = cv2.reduce(slopes, 1, cv2.REDUCE_SUM)[:, 0]
    area = cv2.reduce(fine.reshape(len(fine), -1), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F)[:, 0]
    stroke = 2 * area / np.maximum(outline, 1) / FINE
    for i in np.nonzero((stroke < THIN) & (outline > 0))[0]:
        size = 1 + 2 * max(1, round((STROKE - stroke[i]) * FINE / 2))
        fine[i] = cv2.dilate(fine[i], cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return fine


def _ends(profile: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Where the ink begins and ends along profiles [n, side], and how much more the end is to be trusted, 0..1.

    An end is where the ink has half the level that it has a little further in. The stronger it is there, the plainer.
    """
    begin, first = _begin(profile)
    end, last = _begin(profile[:, ::-1])
    return begin, np.float32(profile.shape[1]) - end, last / (first + last)


def _begin(profile: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    n = np.arange(len(profile))
    first = np.argmax(profile > FAINT, axis=1)
    inset = np.minimum(first + INSET, profile.shape[1] - 1)
    level = np.maximum(profile[n, first], profile[n, inset]).astype(np.float32)
    half = np.maximum(level / 2, FAINT)
    at = np.maximum(np.argmax(profile >= half[:, None], axis=1), 1)
    inner, outer = profile[n, at].astype(np.float32), profile[n, at - 1].astype(np.float32)
    begin: NDArray[np.float32] = (at - (inner - half) / np.maximum(inner - outer, 1) + 0.5).astype(np.float32)
    return begin, np.maximum(level, 1) ** 4


def _grid(
    size: int,
    begin: NDArray[np.float32],
    mass: NDArray[np.float32],
    step: NDArray[np.float32],
    extent: NDArray[np.float32],
    anchor: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Positions [n, size] in the fine grid of the pixels of the result."""
    cells = np.maximum(np.rint(extent / step), 1)
    begin = begin + (extent - cells * step) * anchor
    centre = (mass + 0.5 - begin) / step - 0.5
    shift = np.clip(np.rint(size / 2 - centre), 0, np.maximum(size - cells, 0))
    places = np.arange(size, dtype=np.float32) + np.float32(0.5) - shift[:, None]
    # In the 32nds that OpenCV's remap knows, so that a digit's place in the sheet does not round it otherwise.
    grid: NDArray[np.float32] = (np.rint((begin[:, None] - 0.5 + places * step[:, None]) * 32) / 32).astype(np.float32)
    return grid
