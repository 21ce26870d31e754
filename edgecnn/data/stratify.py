"""Splitting the pictures of every class in the same shares, by a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 3
"""Fewest different pictures of a class: one to learn from, one to validate with, one to test with."""
_NAMED = 8
"""Most classes that an error names."""


def stratify(
    labels: NDArray[np.int64], groups: NDArray[np.int64], names: tuple[str, ...], shares: tuple[float, float], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Split pictures into train, validation and test.

    Every class is shuffled and cut by itself, so each split has the same mixture. Pictures of one group (copies of each
    other) stay together: a copy of a training picture in the test set would make the test too easy.

    Args:
        labels: int64 [n], the class of each picture.
        groups: int64 [n], equal for pictures that must stay together; no group spans two classes.
        names: Names of the classes, for errors.
        shares: Of validation and of test, each above 0, together below 1. Each split gets at least one group of every
            class; a cut falls after the group that reaches the share.
        seed: Of the shuffle.

    Returns:
        Three arrays of indices, int64, each in increasing order.

    Raises:
        DataError: A class has fewer than `LEAST` groups; the first such classes are named, the others counted.
    """
    # RandomState, because numpy promises that its stream never changes; that of default_rng may.
    random = np.random.RandomState(seed)
    per_class = [_groups_of(np.flatnonzero(labels == label), groups) for label in range(len(names))]
    short = [f"{name} has {len(found)}" for name, found in zip(names, per_class, strict=True) if len(found) < LEAST]
    if short:
        short[_NAMED:] = [f"and {len(short) - _NAMED:,} more classes as well"] if len(short) > _NAMED else []
        raise DataError(
            f"expected at least {LEAST} different pictures of each class "
            f"(to learn from, to validate and to test with), but {', '.join(short)}"
        )
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for found in per_class:
        _deal([found[i] for i in random.permutation(len(found))], parts, shares)
    train, validation, test = (np.sort(np.array(part, np.int64)) for part in parts)
    return train, validation, test


def _groups_of(members: NDArray[np.int64], groups: NDArray[np.int64]) -> list[list[int]]:
    together: dict[int, list[int]] = {}
    for index in members.tolist():
        together.setdefault(int(groups[index]), []).append(index)
    return list(together.values())


def _deal(shuffled: list[list[int]], parts: tuple[list[int], ...], shares: tuple[float, float]) -> None:
    """Give the groups of one class to test, then to validation, each up to its share; the rest is for training."""
    total = sum(map(len, shuffled))
    wanted = {2: shares[1] * total, 1: shares[0] * total}
    left = list(shuffled)
    for part, size in wanted.items():
        given = 0
        keep = part  # one group for each split that is still to be served
        while left and len(left) > keep and (given == 0 or given + len(left[-1]) / 2 <= size):
            group = left.pop()
            parts[part].extend(group)
            given += len(group)
    for group in left:
        parts[0].extend(group)
