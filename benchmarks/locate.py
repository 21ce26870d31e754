"""What `locate` costs on 640x480 frames, beside the bare OpenCV calls that it makes.

    python benchmarks/locate.py [--rounds 200]

The calls of one `locate` are recorded with their arguments and replayed; both run in turn, on one thread. The rest is
numpy and Python. Stores results/locate.json.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from readers import store, table

from edgecnn.data import strokes
from edgecnn.vision.locate import locate

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """Every call of an OpenCV function made inside, with its arguments."""
    calls: list[Call] = []
    plain = {name: f for name, f in vars(cv2).items() if callable(f) and not isinstance(f, type)}

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls.append((function, arguments, options))
            return function(*arguments, **options)

        return call

    for name, function in plain.items():
        setattr(cv2, name, wrap(function))
    try:
        yield calls
    finally:
        for name, function in plain.items():
            setattr(cv2, name, function)


def frame(digits: int) -> NDArray[np.uint8]:
    """A page with pen-drawn digits in rows of five, uneven light and noise: uint8 [480, 640, 3]."""
    rng = np.random.default_rng(digits)
    page = np.full((480, 640), 215, np.float32)
    for i in range(digits):
        ink = strokes.draw(strokes.DIGITS[i % 10][0], rng, size=70, pen=8).astype(np.float32) / 255
        y, x = 60 + 130 * (i // 5), 40 + 118 * (i % 5)
        page[y : y + ink.shape[0], x : x + ink.shape[1]] *= 1 - 0.8 * ink
    page *= np.linspace(0.7, 1, 640, dtype=np.float32)
    page += rng.normal(0, 3, page.shape)
    return np.repeat(np.clip(page, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def measure(picture: NDArray[np.uint8], rounds: int) -> dict[str, float]:
    """Median milliseconds of `locate` and of its bare calls, and the median of the ratios of neighbours."""
    with recorded() as calls:
        locate(picture)

    def bare() -> None:
        for function, arguments, options in calls:
            function(*arguments, **options)

    times: list[tuple[float, float]] = []
    for _ in range(rounds + 10):
        began = time.perf_counter()
        locate(picture)
        middle = time.perf_counter()
        bare()
        times.append((middle - began, time.perf_counter() - middle))
    ours, calls_alone = zip(*times[10:], strict=True)
    return {
        "candidates": len(locate(picture)),
        "calls": len(calls),
        "ms": 1e3 * statistics.median(ours),
        "bare_ms": 1e3 * statistics.median(calls_alone),
        "ratio": statistics.median(a / b for a, b in times[10:]),
    }


def main() -> int:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rows = {f"{digits} digits": measure(frame(digits), options.rounds) for digits in (0, 1, 5, 10, 15)}
    header = ["frame", "candidates", "OpenCV calls", "locate, ms", "bare calls, ms", "ratio"]
    print(f"640x480, one thread, median of {options.rounds}\n")
    print(table(header, [[name, *(f"{v:.3g}" for v in row.values())] for name, row in rows.items()]))
    print(f"\nstored {store('locate', {'rounds': options.rounds, 'frames': rows})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
