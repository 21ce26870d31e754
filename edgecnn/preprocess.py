"""The only code that turns pixels into a tensor. Training, calibration, parity, pictures and camera all call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import ArgumentError
from edgecnn.spec import Fit, ImageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 28
"""Side of an MNIST image, in pixels."""
BOX = 20
"""Side of the box in which MNIST fits the ink of a digit."""


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
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if grey.shape == (spec.height, spec.width) and np.median(border) < 128:
        return grey
    paper = float(np.median(border))
    ink = np.clip(grey - paper if paper < 128 else paper - grey.astype(np.float32), 0, None).astype(np.float32)
    if ink.max() <= 0:
        return np.zeros((spec.height, spec.width), np.uint8)
    return centre_digit(ink * (255 / ink.max()), spec.height, spec.width)


def centre_digit(ink: NDArray[np.float32], height: int = SIDE, width: int = SIDE) -> NDArray[np.uint8]:
    """Bring the ink of one digit to MNIST's form.

    The bounding box of the ink is fitted, aspect kept and anti-aliased, into 20x20 of 28x28, and its centre of mass is put
    in the middle (Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits).

    Args:
        ink: float32 [h, w], 0 where there is no ink, 255 where it is full.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        uint8 [height, width], light ink on black; all black where there is no ink.
    """
    import cv2

    rows, cols = np.nonzero(ink.max(axis=1) > 25)[0], np.nonzero(ink.max(axis=0) > 25)[0]
    canvas = np.zeros((height, width), np.uint8)
    if not len(rows) or not len(cols):
        return canvas
    ink = ink[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    ratio = min(height, width) * BOX / SIDE / max(ink.shape)
    size = (max(1, round(ink.shape[1] * ratio)), max(1, round(ink.shape[0] * ratio)))
    small = cv2.resize(ink, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
    total = float(small.sum())
    mass_x = float((small.sum(axis=0) * np.arange(size[0])).sum()) / total
    mass_y = float((small.sum(axis=1) * np.arange(size[1])).sum()) / total
    left = min(max(round((width - 1) / 2 - mass_x), 0), width - size[0])
    top = min(max(round((height - 1) / 2 - mass_y), 0), height - size[1])
    canvas[top : top + size[1], left : left + size[0]] = np.clip(np.rint(small), 0, 255).astype(np.uint8)
    return canvas
