"""What the float model answers on a test set, in the framework that it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.bundle import Reference
from edgecnn.errors import ConversionError
from edgecnn.metrics import is_finite
from edgecnn.parity import Pictures
from edgecnn.preprocess import to_tensor
from edgecnn.spec import ImageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK_BYTES = 16 * 2**20
"""Tensors that are in memory at once."""


def reference(
    logits: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    pictures: Pictures,
    image: ImageSpec,
    dataset: str,
    progress: Callable[[int, int], None] | None = None,
) -> Reference:
    """Run a float model on a test set.

    Args:
        logits: Runs it, float32 [n, height, width, channels] -> [n, classes].
        pictures: The test set, its labels counting in the model's classes.
        image: How a picture becomes the model's tensor.
        dataset: Name of the data set.
        progress: Called with the pictures that are done and all of them.

    Returns:
        The logits, with the hash of the pictures.

    Raises:
        ConversionError: A logit is NaN or infinite: the model is broken, or its pixels have another range.
    """
    rows, digest, total = [], hashlib.sha256(), len(pictures)
    step = max(1, _CHUNK_BYTES // (4 * image.height * image.width * image.channels))
    for start in range(0, total, step):
        pixels = pictures.pixels(np.arange(start, min(start + step, total)), image)
        digest.update(np.ascontiguousarray(pixels).data)
        rows.append(logits(to_tensor(pixels, image)))
        bad = len(rows[-1]) - int(is_finite(rows[-1]).sum())
        if bad:
            raise ConversionError(
                f"the float model gives NaN or infinity for {bad} of the first {start + len(pixels)} test pictures; "
                "it is broken"
            )
        if progress is not None:
            progress(start + len(pixels), total)
    labels = np.asarray(pictures.labels, np.int64)
    return Reference(np.concatenate(rows), labels, dataset, "test", digest.hexdigest())
