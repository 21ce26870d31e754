"""The split by classes: properties that hold for every mixture of classes and copies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.stratify import LEAST, stratify
from edgecnn.errors import DataError

# For each class the sizes of its groups of copies.
classes = st.lists(st.lists(st.integers(1, 4), min_size=LEAST, max_size=25), min_size=1, max_size=4)
shares = st.tuples(st.floats(0.01, 0.49), st.floats(0.01, 0.49))


def laid_out(sizes: list[list[int]], seed: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Labels and groups of all pictures, in some order."""
    labels, groups = [], []
    for label, group_sizes in enumerate(sizes):
        for size in group_sizes:
            number = max(groups, default=-1) + 1
            labels += [label] * size
            groups += [number] * size
    order = np.random.RandomState(seed).permutation(len(labels))
    return np.array(labels)[order], np.array(groups)[order], tuple(f"c{i}" for i in range(len(sizes)))


@given(classes, shares, st.integers(0, 2**32 - 1))
def test_a_split_is_a_partition_that_keeps_copies_together(
    sizes: list[list[int]], part: tuple[float, float], seed: int
) -> None:
    labels, groups, names = laid_out(sizes, seed)
    splits = stratify(labels, groups, names, part, seed)
    assert sorted(np.concatenate(splits).tolist()) == list(range(len(labels)))
    for split in splits:
        assert set(labels[split].tolist()) == set(range(len(sizes)))  # every class is in every split
    seen = [set(groups[split].tolist()) for split in splits]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


@given(st.integers(20, 300), shares, st.integers(0, 1000))
def test_shares_are_met_where_nothing_is_a_copy(count: int, part: tuple[float, float], seed: int) -> None:
    labels = np.zeros(count, np.int64)
    _, validation, test = stratify(labels, np.arange(count), ("a",), part, seed)
    for split, share in zip((validation, test), part, strict=True):
        assert abs(len(split) - max(1, share * count)) <= 1


def test_the_seed_decides() -> None:
    labels, groups = np.repeat(np.arange(3), 20), np.arange(60)
    one, again, other = (stratify(labels, groups, ("a", "b", "c"), (0.2, 0.2), seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[2], other[2])


def test_a_class_does_not_move_when_another_grows() -> None:
    """Pictures added to a later class leave the test set of the earlier ones alone."""
    labels = np.repeat([0, 1], [20, 20])
    more = np.repeat([0, 1], [20, 35])
    first = stratify(labels, np.arange(40), ("a", "b"), (0.2, 0.2), 0)
    second = stratify(more, np.arange(55), ("a", "b"), (0.2, 0.2), 0)
    for a, b in zip(first, second, strict=True):
        assert a[a < 20].tolist() == b[b < 20].tolist()


def test_of_many_classes_that_are_too_small_some_are_named() -> None:
    names = tuple(f"c{i}" for i in range(1000))
    with pytest.raises(DataError, match=r"but c0 has 0, .*, c7 has 0, and 992 more classes as well$"):
        stratify(np.zeros(0, np.int64), np.zeros(0, np.int64), names, (0.2, 0.2), 0)


def test_all_classes_that_are_too_small_are_named() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    groups = np.array([0, 1, 2, 3, 4, 5, 5, 5])  # class 2 is three copies of one picture
    with pytest.raises(
        DataError, match=r"at least 3 different pictures of each class .* but b has 2, c has 1, d has 0"
    ):
        stratify(labels, groups, ("a", "b", "c", "d"), (0.2, 0.2), 0)
