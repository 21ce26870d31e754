"""Where to draw the line between digits and what is none: the ROC of "is a digit" and the threshold chosen on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOW, HIGH = 0.05, 0.99
"""Range of thresholds: nearer to 0 or 1 a quantized network's probabilities are too coarse to tell pictures apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """What each threshold keeps and lets pass.

    Attributes:
        thresholds: float32 [n], rising, `LOW` to `HIGH`.
        kept: float64 [n]; share of the digits that are kept, 0..1.
        passed: float64 [n]; share of what is no digit that passes for one, 0..1.
        digits: How many digits were measured.
        others: How much that is no digit was measured.
    """

    thresholds: NDArray[np.float32]
    kept: NDArray[np.float64]
    passed: NDArray[np.float64]
    digits: int
    others: int

    def best(self) -> float:
        """The lowest threshold whose errors are within one standard error of the fewest; without errors, the middle.

        An error is a digit that is lost or another thing that passes, and each counts once: the curve is to be measured
        on what a camera sees. Of thresholds that the measurement cannot tell apart (L. Breiman et al., Classification
        and Regression Trees, 1984) the lowest is taken: what passes in one frame of a camera is outvoted in the next.
        """
        errors = self.digits * (1 - self.kept) + self.others * self.passed
        fewest = float(errors.min())
        good = np.nonzero(errors <= fewest + fewest**0.5 + 1e-6)[0]
        return float(self.thresholds[good[0] if fewest > 0.5 else good[len(good) // 2]])


def roc(probabilities: NDArray[np.float32], labels: NDArray[np.int64], reject: int) -> Roc:
    """Measure every threshold.

    Args:
        probabilities: float32 [n, classes].
        labels: int64 [n]; the true class of each.
        reject: The class that means "not a digit".

    Returns:
        The curve in steps of 0.01.

    Raises:
        ArgumentError: There is no digit, or nothing else.
    """
    other = labels == reject
    if other.all() or not other.any():
        raise ArgumentError(f"labels: expected digits and what is no digit, got {len(labels)} of one kind")
    sure = 1 - probabilities[:, reject]
    thresholds = np.arange(LOW, HIGH + 0.005, 0.01, dtype=np.float32)
    digits, others = np.sort(sure[~other]), np.sort(sure[other])
    return Roc(
        thresholds=thresholds,
        kept=1 - np.searchsorted(digits, thresholds) / len(digits),
        passed=1 - np.searchsorted(others, thresholds) / len(others),
        digits=len(digits),
        others=len(others),
    )
