"""What a latency is: percentiles with intervals that hold for samples which follow each other in time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
"""Percentiles of every summary, as MLPerf's load generator reports them."""

RESAMPLES = 1000
MAX_BLOCKS = 100
CONFIDENCE = 0.95
HISTOGRAM_BINS = 60
HISTOGRAM_RANGE = (0.8, 2.0)
"""Ends of the histogram in medians: one query of a second must not press all others into one bin."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval; `low` and `high` are None where there is too little to resample."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Latencies of one row, in microseconds.

    Attributes:
        queries: How many were timed.
        mean: Mean.
        std: Standard deviation over the queries.
        min: The quickest.
        max: The slowest.
        p50: Median with its interval; so are the other percentiles.
        p90: 90th percentile; None below 10 queries, where no sample stands for it.
        p99: 99th percentile; None below 100 queries.
        p99_9: 99.9th percentile; None below 1,000 queries.
        edges: Edges of a histogram from 0.8 to 2 medians with logarithmic bins; one more than `counts`.
        counts: Queries in each bin; quicker ones are in the first, slower ones in the last.
    """

    queries: int
    mean: float
    std: float
    min: float
    max: float
    p50: Estimate
    p90: Estimate | None
    p99: Estimate | None
    p99_9: Estimate | None
    edges: tuple[float, ...]
    counts: tuple[int, ...]


def summarize(samples: NDArray[np.floating], *, seed: int = 0) -> Summary:
    """Reduce the latencies of one row to what is reported.

    Args:
        samples: Microseconds [n] in the order in which they were taken.
        seed: Of the bootstrap, so that the same samples give the same intervals.

    Raises:
        ArgumentError: There is no sample, or one is negative, NaN or infinite.
    """
    values = np.asarray(samples, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or values.min() < 0:
        raise ArgumentError(f"samples: expected finite microseconds >= 0, shape (n,), got shape {values.shape}")
    wanted = [p for p in PERCENTILES if p == 50 or len(values) * (100 - p) / 100 >= 1 - 1e-9]
    found = dict(zip(wanted, percentiles(values, wanted, seed=seed), strict=True))
    edges, counts = _histogram(values)
    return Summary(
        queries=len(values),
        mean=float(values.mean()),
        std=float(values.std()),
        min=float(values.min()),
        max=float(values.max()),
        p50=found[50.0],
        p90=found.get(90.0),
        p99=found.get(99.0),
        p99_9=found.get(99.9),
        edges=edges,
        counts=counts,
    )


def percentiles(samples: NDArray[np.float64], wanted: Sequence[float], *, seed: int = 0) -> list[Estimate]:
    """Percentiles by nearest rank, each with a 95 % interval by a block bootstrap.

    Latencies that follow each other are alike (clock, cache, a neighbour who works), so single samples may not be
    resampled as if they were independent: the intervals would be far too narrow. Blocks of consecutive samples are
    (H. Kuensch: The jackknife and the bootstrap for general stationary observations, Annals of Statistics 1989).

    Args:
        samples: Values [n] in the order in which they were taken, n >= 1.
        wanted: Percentiles, above 0 and at most 100.
        seed: Of the resampling.

    Returns:
        One estimate per wanted percentile; without interval below 8 samples.
    """
    n = len(samples)
    order = np.argsort(samples, kind="stable")
    ordered = samples[order]
    values = [float(ordered[_rank(p, n)]) for p in wanted]
    if n < 8:
        return [Estimate(value, None, None) for value in values]
    # Sorting n samples a thousand times takes minutes on a board. A percentile only needs to know how many samples of
    # each block lie below each of ~2,000 ranks (dense where the tail is), so that much is counted once per block.
    uppers = _rank_grid(n)
    rank_of = np.empty(n, np.int64)
    rank_of[order] = np.arange(n)
    bins = np.searchsorted(uppers, rank_of)
    blocks = min(MAX_BLOCKS, n // max(1, round(n ** (1 / 3))))
    block_of = np.arange(n) * blocks // n
    counts = np.bincount(block_of * len(uppers) + bins, minlength=blocks * len(uppers)).reshape(blocks, len(uppers))
    drawn = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES)
    below = np.cumsum(drawn.astype(np.float64) @ counts.astype(np.float64), axis=1)
    tail = (1 - CONFIDENCE) / 2
    estimates = []
    for p, value in zip(wanted, values, strict=True):
        first = np.argmax(below >= np.ceil(below[:, -1:] * p / 100 - 1e-9), axis=1)
        low, high = np.quantile(ordered[uppers[first]], (tail, 1 - tail))
        estimates.append(Estimate(value, min(float(low), value), max(float(high), value)))
    return estimates


def median_ratio(numerators: Sequence[float], denominators: Sequence[float], *, seed: int = 0) -> Estimate:
    """How many times longer one row takes than another, from rounds in which both were measured close together.

    Args:
        numerators: Median of each round.
        denominators: Median of the other row in the same rounds.
        seed: Of the resampling.

    Returns:
        The median over the rounds' ratios; its interval resamples rounds, and is absent below 5 of them.

    Raises:
        ArgumentError: The two are not of one length, or a value is not positive.
    """
    above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    if above.shape != below.shape or above.ndim != 1 or not len(above) or min(above.min(), below.min()) <= 0:
        raise ArgumentError(f"rounds: expected positive medians of one length, got {above.shape} and {below.shape}")
    ratios = above / below
    value = float(np.median(ratios))
    if len(ratios) < 5:
        return Estimate(value, None, None)
    drawn = np.random.default_rng(seed).integers(0, len(ratios), size=(RESAMPLES, len(ratios)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.median(ratios[drawn], axis=1), (tail, 1 - tail))
    return Estimate(value, min(float(low), value), max(float(high), value))


def relative_error(estimate: Estimate) -> float | None:
    """Half the width of an interval, relative to its value, as one standard deviation (interval / 3.92)."""
    if estimate.low is None or estimate.high is None or estimate.value <= 0:
        return None
    return (estimate.high - estimate.low) / 3.92 / estimate.value


def _rank(percentile: float, n: int) -> int:
    return max(0, math.ceil(n * percentile / 100 - 1e-9) - 1)


def _rank_grid(n: int) -> NDArray[np.int64]:
    """Increasing ranks that end with n - 1: a thousand over all, and many more where the slow tail is."""
    bulk = np.linspace(0, n - 1, min(n, 1000))
    tail = n - 1 - np.geomspace(1, max(1, n / 10), 1000)
    grid: NDArray[np.int64] = np.unique(np.concatenate([bulk, tail, [n - 1]]).round().astype(np.int64))
    return grid


def _histogram(values: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    low, high = (max(float(np.median(values)), 1e-3) * end for end in HISTOGRAM_RANGE)
    edges = np.geomspace(low, high, HISTOGRAM_BINS + 1)
    # Exactly the outer edges: geomspace may miss them by a bit, and numpy drops what lies outside.
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return tuple(float(edge) for edge in edges), tuple(int(count) for count in counts)
