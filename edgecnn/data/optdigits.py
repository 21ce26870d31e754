"""The handwritten digits that are embedded in scikit-learn, in MNIST's form; always available."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.data.stratify import stratify
from edgecnn.data.types import ArraySplit, Dataset
from edgecnn.errors import MissingExtraError
from edgecnn.preprocess import SIDE, centre_digits

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "optdigits"
LABELS = tuple("0123456789")
SHARES = (200 / 1797, 400 / 1797)
"""Of validation and of test: enough to tell 1 % from 3 % of errors, and two thirds are left to learn from."""
_BATCH = 64
"""Digits that are brought to MNIST's form at once."""


def load_optdigits(*, seed: int = 0) -> Dataset:
    """Load the 1,797 digits of the "Optical Recognition of Handwritten Digits" set (E. Alpaydin, C. Kaynak, UCI).

    Args:
        seed: Of the split. Leave it at 0 unless another split is meant.

    Returns:
        The data set; grey 28x28, light on black, about 1,197 train, 200 validation, 400 test.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "sklearn":
            raise
        raise MissingExtraError("scikit-learn", "train") from error
    counts, labels = load_digits(return_X_y=True)
    labels = labels.astype(np.int64)
    images = _mnist_form(counts.reshape(-1, 8, 8))
    parts = stratify(labels, np.arange(len(labels)), LABELS, SHARES, seed)
    train, validation, test = (ArraySplit(images[part], labels[part]) for part in parts)
    return Dataset(
        name=NAME,
        labels=LABELS,
        train=train,
        validation=validation,
        test=test,
        shape=(SIDE, SIDE, 1),
        source=f"Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak), {len(images):,} of scikit-learn",
        sha256=hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest(),
    )


def _mnist_form(counts: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Digits [n, 8, 8] of 0..16, the inked pixels in each 4x4 block of the 32x32 scan, in MNIST's form [n, 28, 28]."""
    import cv2

    # Cubic, because what is enlarged is a stroke of two or three samples: linear leaves steps that a net learns to see.
    # In whole numbers, so that every machine makes the same picture.
    padded = np.pad(np.rint(counts * (255 / 16)).astype(np.uint8), ((0, 0), (1, 1), (1, 1)))
    inks = [cv2.resize(digit, (80, 80), interpolation=cv2.INTER_CUBIC) for digit in padded]
    return np.concatenate([centre_digits(inks[start : start + _BATCH]) for start in range(0, len(inks), _BATCH)])
