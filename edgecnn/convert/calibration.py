"""Which pictures set the scales of an int8 network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 100
"""Fewer calibration pictures than this are warned about: a range may be set by chance."""


def choose(labels: NDArray[np.int64], count: int, seed: int = 0) -> NDArray[np.int64]:
    """Choose pictures, as many of each class as can be.

    Args:
        labels: int64 [n], classes of the pictures that there are.
        count: How many are wanted, 1 or more.
        seed: Of the choice among equals.

    Returns:
        int64 [min(count, n)], indices in ascending order. Class sizes differ by one at most, unless a class has too
        few.

    Raises:
        ArgumentError: `count` is less than 1.
        DataError: There is no picture.
    """
    if count < 1:
        raise ArgumentError(f"calibration: expected 1 picture or more, got {count}")
    if not len(labels):
        raise DataError("calibration: the data set holds out no pictures for validation")
    order = np.random.default_rng(seed).permutation(len(labels))
    # The first picture of every class, then the second of every class, and so on.
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        turn[of_class] = np.arange(len(of_class))
    chosen = order[np.argsort(turn[order], kind="stable")][:count]
    return np.sort(chosen)


def doubts(labels: NDArray[np.int64], classes: int, wanted: int) -> list[str]:
    """What speaks against a choice, a line each.

    Args:
        labels: Classes of the chosen pictures.
        classes: How many classes the network has.
        wanted: How many pictures were asked for.
    """
    lines = []
    counts = np.bincount(labels, minlength=classes)
    if len(labels) < wanted:
        lines.append(f"calibration: {wanted} pictures were asked for, only {len(labels)} are held out")
    if len(labels) < ENOUGH:
        lines.append(f"calibration: {len(labels)} pictures are few; a class of a rare look may lose accuracy")
    if (counts == 0).any():
        lines.append(f"calibration: {int((counts == 0).sum())} of {classes} classes have no picture")
    elif counts.max() > 2 * counts.min():
        lines.append(f"calibration: classes are not balanced, {counts.min()} to {counts.max()} pictures")
    return lines
