from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgecnn.errors import ArgumentError
from edgecnn.metrics import accuracy, agreement, flips, is_finite, max_abs_difference, mcnemar, sqnr_db, wilson

FINITE = st.floats(-1e4, 1e4, width=32)


@st.composite
def two_logits(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Two logits of one shape, each with a dtype of its own, and labels."""
    rows, classes = draw(st.integers(1, 20)), draw(st.integers(1, 6))
    pair = []
    for _ in range(2):
        dtype = draw(st.sampled_from([np.float32, np.float64, np.int8, np.uint8]))
        elements = FINITE if np.dtype(dtype).kind == "f" else None
        pair.append(draw(hnp.arrays(dtype, (rows, classes), elements=elements)))
    labels = draw(hnp.arrays(np.int64, rows, elements=st.integers(0, classes - 1)))
    return pair[0], pair[1], labels


@given(two_logits())
def test_counts_are_those_of_a_plain_loop_and_inputs_stay(case: tuple[Any, Any, Any]) -> None:
    a, b, labels = case
    before = [a.copy(), b.copy(), labels.copy()]
    top_a, top_b = (
        [max(range(len(r)), key=r.__getitem__) for r in a.tolist()],
        [max(range(len(r)), key=r.__getitem__) for r in b.tolist()],
    )
    truth = labels.tolist()
    right = accuracy(a, labels)
    assert right.correct == sum(x == y for x, y in zip(top_a, truth, strict=True))
    assert right.total == len(truth)
    assert right.low <= right.value <= right.high
    assert agreement(a, b).equal == sum(x == y for x, y in zip(top_a, top_b, strict=True))
    changed = flips(a, b, labels)
    triples = list(zip(top_a, top_b, truth, strict=True))
    assert changed.lost == sum(x == t != y for x, y, t in triples)
    assert changed.gained == sum(y == t != x for x, y, t in triples)
    assert changed.total == len(truth) - agreement(a, b).equal
    assert accuracy(b, labels).correct == right.correct - changed.lost + changed.gained
    assert max_abs_difference(a, b) == max_abs_difference(b, a)
    sqnr_db(a, b)
    for array, kept in zip((a, b, labels), before, strict=True):
        np.testing.assert_array_equal(array, kept)


@given(two_logits())
def test_a_model_agrees_with_itself(case: tuple[Any, Any, Any]) -> None:
    a, _, labels = case
    assert agreement(a, a.copy()).value == 1
    assert flips(a, a, labels).total == 0
    assert flips(a, a, labels).p_value == 1
    assert max_abs_difference(a, a) == 0
    assert sqnr_db(a, a) is None


@given(st.integers(1, 20_000), st.data())
def test_wilson_holds_the_share(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    low, high = wilson(count, total)
    assert 0 <= low <= count / total <= high <= 1
    assert low < high
    mirrored_low, mirrored_high = wilson(total - count, total)
    assert math.isclose(mirrored_low, 1 - high, abs_tol=1e-12)
    assert math.isclose(mirrored_high, 1 - low, abs_tol=1e-12)


def test_intervals_and_p_values_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for count, total in [(0, 1), (1, 1), (0, 10), (9958, 10_000), (9999, 10_000), (17, 98), (1, 3)]:
        expected = stats.binomtest(count, total).proportion_ci(method="wilson")
        assert wilson(count, total) == pytest.approx((expected.low, expected.high), abs=1e-12)
    for lost, gained in [(0, 1), (1, 0), (5, 5), (3, 9), (40, 12), (700, 640), (0, 2000)]:
        expected = stats.binomtest(lost, lost + gained).pvalue
        assert mcnemar(lost, gained) == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_symmetric_and_a_probability(lost: int, gained: int) -> None:
    assert mcnemar(lost, gained) == mcnemar(gained, lost)
    assert 0 < mcnemar(lost, gained) <= 1
    assert (mcnemar(lost, gained) == 1) == (abs(lost - gained) <= 1)


def test_sqnr_of_known_noise() -> None:
    signal = np.array([[3.0, 4.0]], np.float32)
    assert sqnr_db(signal, signal * 1.1) == pytest.approx(20, abs=1e-4)
    assert sqnr_db(signal, np.zeros_like(signal)) == 0
    assert sqnr_db(np.zeros_like(signal), signal) is None
    huge = np.full((1, 2), 3e38, np.float32)
    assert sqnr_db(huge, -huge) == pytest.approx(-6.0206, abs=1e-4)


def test_the_first_of_equal_logits_counts() -> None:
    tied = np.array([[5, 5, 1], [1, 7, 7]], np.int8)
    assert accuracy(tied, np.array([0, 1])).correct == 2


FUNCTIONS: list[Callable[[Any], Any]] = [
    lambda x: accuracy(x, np.zeros(len(x), np.int64)),
    lambda x: agreement(x, np.ones_like(x)),
    lambda x: agreement(np.ones_like(x), x),
    lambda x: flips(x, np.ones_like(x), np.zeros(len(x), np.int64)),
    lambda x: max_abs_difference(np.ones_like(x), x),
    lambda x: sqnr_db(x, np.ones_like(x)),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_errors(function: Callable[[Any], Any], value: float) -> None:
    logits = np.ones((3, 2), np.float32)
    logits[1, 0] = value
    with pytest.raises(ArgumentError, match=r"NaN or infinity in 1 of 3 rows"):
        function(logits)
    assert is_finite(logits).tolist() == [True, False, True]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (2, 2, 2)])
def test_other_shapes_are_errors(function: Callable[[Any], Any], shape: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match="expected numbers"):
        function(np.ones(shape, np.float32))


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (np.array([0, 3]), r"expected 0\.\.2, got 0\.\.3"),
        (np.array([-1, 0]), r"got -1\.\.0"),
        (np.array([0.0, 1.0]), "whole numbers, got float64"),
        (np.array([0]), r"expected 2 whole numbers, got int64 \[1\]"),
    ],
)
def test_labels_are_checked(labels: Any, match: str) -> None:
    logits = np.ones((2, 3), np.float32)
    with pytest.raises(ArgumentError, match=match):
        accuracy(logits, labels)
    with pytest.raises(ArgumentError, match=match):
        flips(logits, logits, labels)


def test_shapes_must_match() -> None:
    with pytest.raises(ArgumentError, match="of the same shape"):
        agreement(np.ones((2, 3)), np.ones((3, 3)))


@pytest.mark.parametrize(("count", "total"), [(-1, 3), (4, 3), (0, 0)])
def test_impossible_counts_are_errors(count: int, total: int) -> None:
    with pytest.raises(ArgumentError):
        wilson(count, total)
    with pytest.raises(ArgumentError):
        mcnemar(-1, 2)
