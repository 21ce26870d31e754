from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.bench.statistics import Estimate, median_ratio, percentiles, relative_error, summarize
from edgecnn.errors import ArgumentError


def test_percentiles_are_nearest_ranks() -> None:
    found = summarize(np.arange(1, 1001, dtype=np.float64))
    assert [e.value for e in (found.p50, found.p90, found.p99, found.p99_9) if e] == [500, 900, 990, 999]
    assert (found.min, found.max, found.mean, found.queries) == (1, 1000, 500.5, 1000)


@pytest.mark.parametrize(("n", "there"), [(1, 1), (9, 1), (10, 2), (99, 2), (100, 3), (999, 3), (1000, 4)])
def test_a_percentile_that_no_sample_stands_for_is_not_told(n: int, there: int) -> None:
    found = summarize(np.ones(n))
    assert sum(e is not None for e in (found.p50, found.p90, found.p99, found.p99_9)) == there


@given(st.lists(st.floats(0.001, 1e7), min_size=1, max_size=300))
def test_intervals_hold_their_value(values: list[float]) -> None:
    found = summarize(np.array(values))
    assert found.min <= found.p50.value <= found.max
    assert sum(found.counts) == len(values) == found.queries
    assert len(found.edges) == len(found.counts) + 1
    for estimate in (found.p50, found.p90, found.p99):
        if estimate is not None and estimate.low is not None and estimate.high is not None:
            assert found.min <= estimate.low <= estimate.value <= estimate.high <= found.max


def coverage(make: object, truth: float, trials: int = 60) -> float:
    inside = 0
    for seed in range(trials):
        (found,) = percentiles(make(np.random.default_rng(seed)), [50.0], seed=seed)  # type: ignore[operator]
        inside += found.low is not None and found.high is not None and found.low <= truth <= found.high
    return inside / trials


def test_the_interval_of_independent_samples_covers_the_truth() -> None:
    assert coverage(lambda rng: rng.exponential(size=2000), np.log(2)) > 0.88


def test_the_interval_of_drifting_samples_covers_it_where_single_samples_would_not() -> None:
    def drifting(rng: np.random.Generator) -> np.ndarray:
        steps = np.repeat(rng.normal(size=200), 20)  # twenty queries in a row are alike
        return 10 + steps + rng.normal(scale=0.1, size=4000)

    def shuffled(rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(drifting(rng))

    assert coverage(drifting, 10.0) > 0.85
    assert coverage(shuffled, 10.0) < 0.6  # what an ordinary bootstrap of single samples would be


def test_many_samples_take_no_time_to_speak_of() -> None:
    found = summarize(np.random.default_rng(0).gamma(9, size=1_000_000))
    exact = np.random.default_rng(0).gamma(9, size=1_000_000)
    assert found.p99_9 is not None
    assert found.p99_9.low is not None
    assert found.p99_9.high is not None
    assert found.p99_9.value == np.sort(exact)[998_999]
    assert found.p99_9.low < found.p99_9.value < found.p99_9.high
    assert (found.p99_9.high - found.p99_9.low) / found.p99_9.value < 0.02


@pytest.mark.parametrize("bad", [[], [1.0, np.nan], [np.inf], [-1.0], [[1.0]]])
def test_no_number_of_what_is_none(bad: list[float]) -> None:
    with pytest.raises(ArgumentError, match="samples: expected finite"):
        summarize(np.array(bad))


def test_ratio_of_rounds_cancels_what_both_suffer() -> None:
    pace = np.array([1.0, 1.5, 0.8, 2.0, 1.1, 0.9, 1.3])
    found = median_ratio(30 * pace, 10 * pace)
    assert (found.value, found.low, found.high) == pytest.approx((3, 3, 3))


def test_ratio_of_few_rounds_has_no_interval() -> None:
    assert median_ratio([2.0, 2.0], [1.0, 1.0]) == Estimate(2.0, None, None)


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0, 2.0]), ([], []), ([0.0], [1.0]), ([1.0], [-1.0])])
def test_ratio_of_what_cannot_be_divided(a: list[float], b: list[float]) -> None:
    with pytest.raises(ArgumentError, match="rounds: expected positive medians"):
        median_ratio(a, b)


def test_relative_error() -> None:
    assert relative_error(Estimate(100.0, 98.04, 101.96)) == pytest.approx(0.01)
    assert relative_error(Estimate(100.0, None, None)) is None
