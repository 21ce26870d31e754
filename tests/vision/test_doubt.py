"""The second look: only at what is in doubt, turned to both sides, and the mean counts."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.vision.decide import decide
from edgecnn.vision.doubt import LEAST, PLAIN, TURNS, settled
from edgecnn.vision.locate import locate

NONE = 10


def said(*sure):
    """Probabilities of a network that takes pictures for a 1 as surely as told."""
    result = np.zeros((len(sure), 11), np.float32)
    result[:, 1], result[:, NONE] = sure, 1 - np.array(sure, np.float32)
    return result


def stroke():
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 13:15] = 255
    return picture


def test_what_is_plain_is_not_looked_at_again():
    def never(_):
        raise AssertionError

    probabilities = said(0, LEAST - 0.01, PLAIN + 0.001, 1)
    assert settled(np.stack([stroke()] * 4), probabilities, never, NONE) is probabilities


def test_what_is_in_doubt_becomes_the_mean():
    seen = []

    def classify(pixels):
        seen.append(pixels)
        return said(*[0.6, 0.3][: len(pixels)])

    probabilities = said(0.9, 1.0)
    result = settled(np.stack([stroke(), stroke()]), probabilities, classify, NONE)
    assert result[:, 1] == pytest.approx([0.6, 1.0]) and result.sum(axis=1) == pytest.approx([1, 1])
    assert probabilities[0, 1] == np.float32(0.9)  # what was given stays as it is
    (views,) = seen
    assert views.shape == (len(TURNS), 28, 28) and views.dtype == np.uint8


def test_views_are_turned_to_both_sides():
    def classify(pixels):
        columns = [np.average(np.arange(28), weights=p[:8].sum(axis=0)) for p in pixels]
        assert columns[0] < 13.5 < columns[1] or columns[1] < 13.5 < columns[0]
        assert columns[0] + columns[1] == pytest.approx(27, abs=0.2)
        return said(0.5, 0.5)

    settled(np.stack([stroke()]), said(0.5), classify, NONE)


@pytest.mark.parametrize(("again", "digits"), [(0.9, 2), (0.1, 0)])
def test_the_second_look_decides(page, again, digits):
    calls = []

    def classify(pixels):
        calls.append(len(pixels))
        return said(*[0.7 if len(calls) == 1 else again] * len(pixels))

    assert len(decide(locate(page("17")), classify, reject=NONE, threshold=0.75)) == digits
    assert calls == [2, 4]


def test_a_network_without_such_a_class_is_asked_once(page):
    calls = []

    def classify(pixels):
        calls.append(len(pixels))
        return said(*[0.7] * len(pixels))[:, :10]

    assert len(decide(locate(page("17")), classify, reject=None, threshold=0.5)) == 2
    assert calls == [2]
