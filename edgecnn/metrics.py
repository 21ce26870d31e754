"""How good, and how alike: numpy only. A NaN is an error, never a number; inputs are never modified."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Z = 1.959963984540054
"""97.5 % quantile of the normal distribution: two-sided 95 % intervals."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Top-1 accuracy with its 95 % interval.

    Attributes:
        correct: Pictures whose class is right.
        total: All pictures, 1 or more.
        value: correct / total.
        low: Lower end of Wilson's 95 % interval.
        high: Upper end.
    """

    correct: int
    total: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two models name the same class, with its 95 % interval.

    Attributes:
        equal: Pictures to which both give the same class.
        total: All pictures, 1 or more.
        value: equal / total.
        low: Lower end of Wilson's 95 % interval.
        high: Upper end.
    """

    equal: int
    total: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Flips:
    """Pictures that got another class than the reference gave them.

    Attributes:
        lost: The reference was right, the other is wrong.
        gained: The reference was wrong, the other is right.
        neither: Both are wrong, each in its own way.
        p_value: Exact two-sided McNemar test of lost against gained: how likely so uneven a split is when neither is
            better.
    """

    lost: int
    gained: int
    neither: int
    p_value: float

    @property
    def total(self) -> int:
        """All pictures whose class changed."""
        return self.lost + self.gained + self.neither


def wilson(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share, which stays within 0..1 and holds near the ends.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).

    Args:
        count: 0..total.
        total: 1 or more.

    Returns:
        Lower and upper end; count / total lies between them.

    Raises:
        ArgumentError: `count` or `total` is out of range.
    """
    if not 0 <= count <= total or total < 1:
        raise ArgumentError(f"share: expected 0 <= count <= total and total >= 1, got {count} of {total}")
    share = count / total
    squared = _Z * _Z / total
    middle = (share + squared / 2) / (1 + squared)
    half = _Z * math.sqrt(share * (1 - share) / total + squared / (4 * total)) / (1 + squared)
    # At the ends the interval touches 0 or 1 exactly; rounding may miss that by a bit.
    low = 0.0 if count == 0 else max(0.0, middle - half)
    high = 1.0 if count == total else min(1.0, middle + half)
    return low, high


def accuracy(logits: NDArray[Any], labels: NDArray[np.integer[Any]]) -> Accuracy:
    """Top-1 accuracy. Of equal logits the first counts, as `numpy.argmax` and the runtimes' ArgMax have it.

    Args:
        logits: Numbers [n, classes], n >= 1.
        labels: Whole numbers [n], 0..classes-1.

    Raises:
        ArgumentError: Shapes, dtypes or values are something else; NaN and infinity are.
    """
    _check_logits(logits, "logits")
    correct, total = int((_top(logits) == _checked_labels(labels, logits)).sum()), len(logits)
    return Accuracy(correct, total, correct / total, *wilson(correct, total))


def agreement(a: NDArray[Any], b: NDArray[Any]) -> Agreement:
    """How often both name the same class.

    Args:
        a: Numbers [n, classes], n >= 1.
        b: Numbers of the same shape; the dtype may be another one.

    Raises:
        ArgumentError: Shapes, dtypes or values are something else; NaN and infinity are.
    """
    _check_pair(a, b)
    equal, total = int((_top(a) == _top(b)).sum()), len(a)
    return Agreement(equal, total, equal / total, *wilson(equal, total))


def flips(reference: NDArray[Any], other: NDArray[Any], labels: NDArray[np.integer[Any]]) -> Flips:
    """Rows whose class changed, by direction.

    Args:
        reference: Numbers [n, classes], n >= 1.
        other: Numbers of the same shape.
        labels: Whole numbers [n], 0..classes-1.

    Raises:
        ArgumentError: Shapes, dtypes or values are something else; NaN and infinity are.
    """
    _check_pair(reference, other)
    truth = _checked_labels(labels, reference)
    before, after = _top(reference), _top(other)
    lost = int(((before == truth) & (after != truth)).sum())
    gained = int(((before != truth) & (after == truth)).sum())
    changed = int((before != after).sum())
    return Flips(lost, gained, changed - lost - gained, mcnemar(lost, gained))


def mcnemar(lost: int, gained: int) -> float:
    """Exact two-sided McNemar test: is one of two classifiers better on the same pictures?

    Under the null hypothesis each picture that only one of them gets right is a fair coin. Source: Q. McNemar, Note on
    the sampling error of the difference between correlated proportions, Psychometrika 12 (1947), with the binomial
    distribution in place of its approximation.

    Args:
        lost: Pictures that only the first gets right, 0 or more.
        gained: Pictures that only the second gets right, 0 or more.

    Returns:
        The p-value, 0..1; 1 when there is no such picture.

    Raises:
        ArgumentError: A number is negative.
    """
    if lost < 0 or gained < 0:
        raise ArgumentError(f"mcnemar: expected counts of 0 or more, got {lost} and {gained}")
    total = lost + gained
    ways, tail = 1, 0
    for k in range(min(lost, gained) + 1):
        tail += ways
        ways = ways * (total - k) // (k + 1)
    p_value: float = 2 * tail / 2**total  # whole numbers up to here, so the division rounds once
    return min(1.0, p_value)


def max_abs_difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Largest |a - b|, computed in float64.

    Args:
        a: Numbers [n, classes], n >= 1.
        b: Numbers of the same shape.

    Raises:
        ArgumentError: Shapes, dtypes or values are something else; NaN and infinity are.
    """
    _check_pair(a, b)
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def sqnr_db(reference: NDArray[Any], other: NDArray[Any]) -> float | None:
    """Signal to quantization noise ratio, 10 log10(sum reference^2 / sum (reference - other)^2).

    Args:
        reference: Numbers [n, classes], n >= 1.
        other: Numbers of the same shape.

    Returns:
        Decibels; None when there is no noise (both are equal) or no signal (the reference is all zeros).

    Raises:
        ArgumentError: Shapes, dtypes or values are something else; NaN and infinity are.
    """
    _check_pair(reference, other)
    signal = reference.astype(np.float64)
    # The square of any float32, the largest and the smallest too, fits in float64.
    noise = float(np.square(signal - other.astype(np.float64)).sum())
    power = float(np.square(signal).sum())
    return 10 * math.log10(power / noise) if noise > 0 and power > 0 else None


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle: of a few numbers quicker than an array of them.

    Args:
        values: One or more, in any order.
    """
    ranked = sorted(values)
    return (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2


def is_finite(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows hold neither NaN nor infinity.

    Args:
        values: Numbers [n, classes].

    Returns:
        bool [n].
    """
    return np.asarray(np.isfinite(values).all(axis=1))


def _top(logits: NDArray[Any]) -> NDArray[np.intp]:
    return np.asarray(logits.argmax(axis=1))


def _check_logits(logits: NDArray[Any], name: str) -> None:
    if logits.ndim != 2 or 0 in logits.shape or logits.dtype.kind not in "iuf":
        raise ArgumentError(f"{name}: expected numbers [n, classes], got {logits.dtype} {list(logits.shape)}")
    bad = len(logits) - int(is_finite(logits).sum())
    if bad:
        raise ArgumentError(f"{name}: expected finite numbers, got NaN or infinity in {bad} of {len(logits)} rows")


def _check_pair(a: NDArray[Any], b: NDArray[Any]) -> None:
    _check_logits(a, "first logits")
    _check_logits(b, "second logits")
    if a.shape != b.shape:
        raise ArgumentError(f"logits: expected two of the same shape, got {list(a.shape)} and {list(b.shape)}")


def _checked_labels(labels: NDArray[np.integer[Any]], logits: NDArray[Any]) -> NDArray[np.integer[Any]]:
    if labels.dtype.kind not in "iu" or labels.shape != logits.shape[:1]:
        raise ArgumentError(f"labels: expected {len(logits)} whole numbers, got {labels.dtype} {list(labels.shape)}")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ArgumentError(f"labels: expected 0..{logits.shape[1] - 1}, got {labels.min()}..{labels.max()}")
    return labels
