"""What is given to an artefact when it is timed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.runtime.session import Session, quantize
from edgecnn.spec import ImageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray


def tensor_for(session: Session, image: ImageSpec | None = None, *, batch: int = 1) -> NDArray[Any]:
    """A tensor of random pixels, the same one in every run.

    Zeros would not do: a kernel may skip them, and a float one may meet denormals that real pictures never make.

    Args:
        session: The opened artefact.
        image: How a pixel becomes a tensor; 0..1 without it.
        batch: Pictures in the tensor.

    Returns:
        [batch, height, width, channels] in the dtype of the artefact's input.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (batch, *session.input.shape[1:])).astype(np.float32)
    scale, offset = (image.scale, image.offset) if image else (1 / 255, 0.0)
    return quantize(pixels * np.float32(scale) + np.float32(offset), session.input)


def random_pixels(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """A tensor where only shape and dtype are known: whole range for integers, 0..1 for float32; the same in every run.

    Args:
        shape: Sizes.
        dtype: float32, int8 or uint8.
    """
    integers = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return integers.astype(np.float32) / np.float32(255) if dtype == "float32" else integers.view(dtype)
