"""The ROC of "is a digit" and the threshold on it."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import ArgumentError
from edgecnn.vision.reject import roc


def told(sure, labels):
    """Probabilities of two digits and of "none", so that being a digit has the given probability."""
    sure = np.asarray(sure, np.float32)
    return np.stack([sure * 0.7, sure * 0.3, 1 - sure], axis=1), np.asarray(labels, np.int64)


def test_shares_at_each_threshold():
    curve = roc(*told([0.9, 0.8, 0.3, 0.2], [0, 1, 0, 2]), reject=2)
    at = {round(float(t), 2): i for i, t in enumerate(curve.thresholds)}
    assert curve.digits == 3 and curve.others == 1
    assert curve.kept[at[0.25]] == 1 and curve.passed[at[0.25]] == 0
    assert curve.kept[at[0.5]] == pytest.approx(2 / 3)
    assert curve.passed[at[0.1]] == 1


def test_the_best_threshold_parts_them_in_the_middle():
    curve = roc(*told([0.9] * 50 + [0.1] * 50, [0] * 50 + [2] * 50), reject=2)
    assert 0.4 < curve.best() < 0.6


def test_of_thresholds_that_are_as_good_the_lowest_is_taken():
    rng = np.random.default_rng(0)
    sure = np.concatenate([rng.uniform(0.3, 1, 1000), rng.uniform(0, 0.7, 100)])
    labels = np.concatenate([np.zeros(1000), np.full(100, 2)])
    curve = roc(*told(sure, labels), reject=2)
    best = int(np.searchsorted(curve.thresholds, curve.best()))
    errors = 1000 * (1 - curve.kept) + 100 * curve.passed
    as_good = errors <= errors.min() + np.sqrt(errors.min())
    assert as_good[best] and not as_good[:best].any()
    assert errors[best] == pytest.approx(errors.min(), abs=np.sqrt(errors.min()) + 1e-6)


def test_both_shares_fall_as_the_threshold_rises():
    rng = np.random.default_rng(1)
    curve = roc(*told(rng.uniform(0, 1, 500), rng.choice([0, 1, 2], 500)), reject=2)
    assert (np.diff(curve.kept) <= 0).all() and (np.diff(curve.passed) <= 0).all()


@pytest.mark.parametrize("labels", [[0, 1], [2, 2]])
def test_one_kind_alone_is_refused(labels):
    with pytest.raises(ArgumentError, match="labels: expected digits and what is no digit"):
        roc(*told([0.5, 0.6], labels), reject=2)
