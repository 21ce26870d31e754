"""The only code that turns pixels into a tensor. Training, calibration, parity, pictures and camera all call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import ArgumentError
from edgecnn.preprocess.centre import SIDE, centre_digit, centre_digits
from edgecnn.spec import Fit, ImageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SIDE", "centre_digit", "centre_digits", "fit", "to_tensor"]


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
