"""What OpenCV's threads bring to the search for digits, and what they cost, by the size of the frame.

    python benchmarks/opencv_threads.py [--rounds 40]

The same page in several sizes; one thread and as many as there are cores take turns. Wall time is what a frame waits,
CPU time is what the board pays, waiting threads that spin included. Stores results/opencv-threads.json.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time

import cv2
import numpy as np
from numpy.typing import NDArray
from readers import store, table

from edgecnn.data import strokes
from edgecnn.vision.locate import locate
from edgecnn.vision.threads import opencv_threads

SIZES = ((640, 480), (1280, 960), (1920, 1080), (4000, 3000))
AT_ONCE = 3
"""Searches in a sample."""


def page(width: int, height: int) -> NDArray[np.uint8]:
    """Five pen-drawn digits, uneven light and noise: uint8 [height, width, 3]."""
    rng = np.random.default_rng(0)
    sheet = np.full((480, 640), 215, np.float32)
    for i in range(5):
        ink = strokes.draw(strokes.DIGITS[i][0], rng, size=70, pen=8).astype(np.float32) / 255
        sheet[200 : 200 + ink.shape[0], 40 + 118 * i : 40 + 118 * i + ink.shape[1]] *= 1 - 0.8 * ink
    sheet = cv2.resize(sheet, (width, height)) * np.linspace(0.7, 1, width, dtype=np.float32)
    sheet += rng.normal(0, 3, sheet.shape)
    return np.repeat(np.clip(sheet, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def sample(picture: NDArray[np.uint8], threads: int) -> tuple[float, float]:
    """Milliseconds of one search: wall, CPU."""
    with opencv_threads(threads):
        locate(picture)  # threads are started by the first call that has use for them
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(AT_ONCE):
            locate(picture)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return 1e3 * wall / AT_ONCE, 1e3 * cpu / AT_ONCE


def measure(picture: NDArray[np.uint8], many: int, rounds: int) -> dict[str, float]:
    """Medians of both, and the medians of the ratios of neighbours: many threads to one."""
    pairs = []
    for number in range(rounds):
        sides = {threads: sample(picture, threads) for threads in ((1, many) if number % 2 else (many, 1))}
        pairs.append((sides[1], sides[many]))
    return {
        "one_ms": round(statistics.median(one for (one, _), _ in pairs), 2),
        "many_ms": round(statistics.median(shared for _, (shared, _) in pairs), 2),
        "wall_ratio": round(statistics.median(shared / one for (one, _), (shared, _) in pairs), 3),
        "cpu_ratio": round(statistics.median(shared / one for (_, one), (_, shared) in pairs), 3),
    }


def main() -> int:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    many = len(os.sched_getaffinity(0))
    rows = {f"{w}x{h}": measure(page(w, h), many, options.rounds) for w, h in SIZES}
    header = ["frame", "1 thread, ms", f"{many} threads, ms", "wall ratio", "CPU ratio"]
    print(table(header, [[name, *(f"{v:.3g}" for v in row.values())] for name, row in rows.items()]))
    print(f"\nstored {store('opencv-threads', {'rounds': options.rounds, 'threads': many, 'frames': rows})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
