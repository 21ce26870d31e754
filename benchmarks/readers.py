"""What photos.py and scenes.py share: our reader and a tutorial's reader behind one call, matching, edit distance."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.bundle import Bundle, find_bundle, read_bundle
from edgecnn.reader import Reader
from edgecnn.spec import Precision, Reading, Runtime
from edgecnn.vision.lines import reading_order

RESULTS = Path(__file__).resolve().parent / "results"
Read = Callable[[NDArray[np.uint8]], tuple[Reading, ...]]


def open_ours(name: str, precision: Precision) -> tuple[Bundle, Reader]:
    """A shipped bundle, or a folder, and its reader under LiteRT with one thread."""
    bundle = read_bundle(find_bundle(name))
    return bundle, Reader(bundle, runtime=Runtime.LITERT, precision=precision)


def tutorial(bundle: Bundle) -> Read:
    """The reader that most tutorials build: blur, Otsu, outer contours, each box resized to 28x28, the same net.

    Boxes smaller than 5x15 pixels are dropped, as the tutorials do; contours are put into lines by our own code, which
    the tutorials leave out.
    """
    session = bundle.open(Runtime.LITERT, Precision.FLOAT32)
    classes = 10

    def read(picture: NDArray[np.uint8]) -> tuple[Reading, ...]:
        grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (5, 5), 0)
        _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
        contours, _ = cv2.findContours(ink, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = [box for box in map(cv2.boundingRect, contours) if box[2] >= 5 and box[3] >= 15]
        corners = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.int32).reshape(-1, 4)
        readings = []
        for line, members in enumerate(reading_order(corners)):
            for i in members:
                x, y, w, h = boxes[i]
                digit = cv2.resize(ink[y : y + h, x : x + w], (28, 28), interpolation=cv2.INTER_AREA)
                tensor = (digit.astype(np.float32) / 255).reshape(1, 28, 28, 1)
                values = bundle.probabilities(session.run(tensor), session)[0, :classes]
                label = int(values.argmax())
                readings.append(Reading(bundle.labels[label], float(values[label]), boxes[i], (), None, line))
        return tuple(readings)

    return read


def edit_distance(read: str, truth: str) -> int:
    """Least insertions, deletions and changes of characters between two texts (V. Levenshtein, 1966)."""
    row = list(range(len(truth) + 1))
    for i, character in enumerate(read, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(truth, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (character != other))
    return row[-1]


@dataclass
class Matches:
    """How found boxes agree with true ones; sums over scenes."""

    true: int = 0
    found: int = 0
    matched: int = 0
    right: int = 0

    def add(self, readings: tuple[Reading, ...], boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Match greedily, the greatest intersection over union first, from 0.5 on."""
        found = np.array([(x, y, x + w, y + h) for x, y, w, h in (r.box for r in readings)], np.float32).reshape(-1, 4)
        share = overlaps(boxes, found)
        self.true += len(boxes)
        self.found += len(found)
        while share.size and share.max() >= 0.5:
            i, j = np.unravel_index(int(share.argmax()), share.shape)
            self.matched += 1
            self.right += readings[int(j)].label == str(labels[int(i)])
            share[i], share[:, j] = 0, 0

    @property
    def f1(self) -> float:
        """Harmonic mean of the share of true boxes that were found and the share of found boxes that are true."""
        return 2 * self.matched / max(self.true + self.found, 1)


def overlaps(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes x, y, right, bottom: [n, 4], [m, 4] -> [n, m]."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    both = np.clip(sides, 0, None).prod(axis=2)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(axis=1)[None]
    return both / np.maximum(areas - both, 1e-6)


def store(name: str, result: dict[str, object]) -> Path:
    """Write a result as JSON beside the others."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    about = {"date": date.today().isoformat(), "machine": f"{platform.system()} {platform.machine()}"}
    about["versions"] = f"Python {platform.python_version()}, OpenCV {cv2.__version__}, numpy {np.__version__}"
    path.write_text(json.dumps({**about, **result}, indent=1) + "\n")
    return path


def table(header: list[str], rows: list[list[object]]) -> str:
    """Markdown, numbers to the right."""
    cells = [header, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def verdict(checks: list[tuple[str, float, float, bool]]) -> int:
    """Print what was asked for and what came: (what, value, target, whether more is better). 1 if one is missed."""
    missed = 0
    for what, value, target, more in checks:
        good = value >= target if more else value <= target
        missed |= not good
        print(f"{'ok    ' if good else 'MISSED'} {what}: {value:.4g} (target {'>=' if more else '<='} {target:g})")
    sys.stdout.flush()
    return int(missed)
