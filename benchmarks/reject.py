"""The ROC of "not a digit": which share of digits each threshold keeps, which share of everything else it lets pass.

    python benchmarks/reject.py [--model digits-live] [--precision int8]

Measured on the test part of the digits-live data set, which chose nothing: MNIST's test digits as they are, and letters
in fonts that were never learnt from, pen letters, clutter, digits grown together and candidates from scenes; and again
on digits as they are found in rendered scenes. Prints a table, stores results/reject.json and results/reject.png.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from numpy.typing import NDArray
from readers import RESULTS, store, table

from edgecnn.bundle import Bundle, find_bundle, read_bundle
from edgecnn.data import live, load, scenes
from edgecnn.preprocess import to_tensor
from edgecnn.runtime.session import logits, softmax
from edgecnn.spec import Precision, Runtime
from edgecnn.vision.doubt import settled
from edgecnn.vision.reject import Roc, roc

SHOWN = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def probabilities(bundle: Bundle, precision: Precision, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the reader makes of pictures in MNIST's form, looking twice where in doubt: float32 [n, classes]."""
    with bundle.open(Runtime.LITERT, precision) as session:

        def classify(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
            return softmax(logits(session, to_tensor(pictures[..., None], bundle.image)))

        return settled(pixels, classify(pixels), classify, bundle.labels.index(live.NONE))


def found_in_scenes(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Candidates of rendered scenes with their true names."""
    test = load("mnist").test
    letters = live.unseen_letters()
    found = [
        live.labelled_candidates(scenes.render(np.random.default_rng([77, number]), test.images, test.labels, letters))
        for number in range(count)
    ]
    return np.concatenate([pixels for pixels, _ in found]), np.concatenate([labels for _, labels in found])


def plot(curves: dict[str, Roc], threshold: float) -> None:
    """Draw the curves; the shipped threshold is a dot on each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for name, curve in curves.items():
        (line,) = axes.plot(100 * curve.passed, 100 * curve.kept, label=name)
        at = int(np.searchsorted(curve.thresholds, threshold - 1e-6))
        axes.plot(100 * curve.passed[at], 100 * curve.kept[at], "o", color=line.get_color())
    axes.set_xlabel("share of what is no digit that passes, %")
    axes.set_ylabel("share of digits that are kept, %")
    axes.set_title(f"Is it a digit? The dots are the shipped threshold, {threshold:.2f}")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(RESULTS / "reject.png", metadata={"Software": None})


def main() -> int:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="digits-live")
    parser.add_argument("--precision", type=Precision, default=Precision.INT8)
    parser.add_argument("--scenes", type=int, default=400)
    options = parser.parse_args()
    bundle = read_bundle(find_bundle(options.model))
    none = bundle.labels.index(live.NONE)
    test = load(live.NAME).test
    pixels = test.pixels(np.arange(len(test)), bundle.image)[..., 0]
    said = probabilities(bundle, options.precision, pixels)
    digits = test.labels != none
    named = np.delete(said, none, axis=1)[digits].argmax(axis=1) == test.labels[digits]
    scene_pixels, scene_labels = found_in_scenes(options.scenes)
    curves = {
        "test pictures": roc(said, test.labels, none),
        "candidates in scenes": roc(probabilities(bundle, options.precision, scene_pixels), scene_labels, none),
    }
    print(
        f"{bundle.name} {options.precision}; over the ten digits {100 * named.mean():.2f} % of {digits.sum()} right\n"
    )
    rows: list[list[object]] = []
    for threshold in (*SHOWN, bundle.reject.threshold):
        row: list[object] = [f"{threshold:.2f}{' (shipped)' if threshold == bundle.reject.threshold else ''}"]
        for curve in curves.values():
            at = int(np.searchsorted(curve.thresholds, threshold - 1e-6))
            row += [f"{100 * curve.kept[at]:.2f}", f"{100 * curve.passed[at]:.2f}"]
        rows.append(row)
    header = [f"{name}: {what}, %" for name in curves for what in ("kept", "passed")]
    print(table(["threshold", *header], rows))
    result: dict[str, object] = {"model": bundle.name, "threshold": bundle.reject.threshold}
    result |= {"digits": int(digits.sum()), "digits_right": float(named.mean())}
    for name, curve in curves.items():
        result[name] = {
            "digits": curve.digits,
            "others": curve.others,
            "thresholds": [round(float(t), 2) for t in curve.thresholds],
            "kept": [round(float(v), 5) for v in curve.kept],
            "passed": [round(float(v), 5) for v in curve.passed],
        }
    print(f"\nstored {store('reject', result)}")
    plot(curves, bundle.reject.threshold)
    return 0


if __name__ == "__main__":
    sys.exit(main())
