"""Scenes rendered from MNIST's test digits: what is found, what is read, what is read where nothing is.

    python benchmarks/scenes.py [--model digits-live] [--precision int8] [--scenes 2000] [--seed 20261130]

Four measurements: digits in scenes with distractor letters; false readings in empty scenes and in scenes with letters
only (fonts and pen strokes that the net never learnt from); MNIST's own images enlarged and pasted into a scene, which
must come back; and a tutorial's reader on the same scenes. Exit code 1 when a target is missed. Stores
results/scenes.json.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from readers import Matches, Read, edit_distance, open_ours, overlaps, store, table, tutorial, verdict

from edgecnn.bundle import Bundle
from edgecnn.data import load
from edgecnn.data.live import unseen_letters
from edgecnn.data.scenes import Scene, Style, render
from edgecnn.preprocess import to_tensor
from edgecnn.reader import text
from edgecnn.spec import Precision, Runtime
from edgecnn.vision.locate import locate

NO_DIGITS = np.zeros((0, 28, 28), np.uint8)
NO_LABELS = np.zeros(0, np.int64)
WAYS = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
SIZES = (3, 4, 5, 6, 8, 10)


def digits_in_scenes(readers: dict[str, Read], count: int, seed: int) -> dict[str, dict[str, float]]:
    """Find and read digits beside letters; every reader sees the same scenes."""
    test, beside = load("mnist").test, unseen_letters()
    matches = {name: Matches() for name in readers}
    wrong = dict.fromkeys(readers, 0)
    exact = dict.fromkeys(readers, 0)
    for number in range(count):
        scene = render(np.random.default_rng([seed, number]), test.images, test.labels, beside)
        for name, read in readers.items():
            readings = read(scene.picture)
            matches[name].add(readings, scene.boxes, scene.labels)
            distance = edit_distance(text(readings), scene.text)
            wrong[name] += distance
            exact[name] += distance == 0
    return {
        name: {
            "digits": m.true,
            "found": m.matched,
            "false": m.found - m.matched,
            "f1": m.f1,
            "right": m.right / m.true,
            "wrong_characters": wrong[name],
            "exact_scenes": exact[name] / count,
        }
        for name, m in matches.items()
    }


def false_readings(read: Read, count: int, seed: int, beside: list[NDArray[np.uint8]], style: Style) -> float:
    """Readings for 50 frames in which there is no digit."""
    total = 0
    for number in range(count):
        scene = render(np.random.default_rng([seed, 7, number]), NO_DIGITS, NO_LABELS, beside, style)
        total += len(read(scene.picture))
    return 50 * total / count


def pasted(digit: NDArray[np.uint8], size: int, way: int) -> Scene:
    """One MNIST image, enlarged, as ink on even paper."""
    side = 28 * size
    ink = cv2.resize(digit, (side, side), interpolation=way).astype(np.float32) / 255
    paper = np.full((480, 640), 220, np.float32)
    y, x = (480 - side) // 2, (640 - side) // 2
    paper[y : y + side, x : x + side] *= 1 - 0.85 * ink
    rows, cols = np.nonzero(digit.max(axis=1))[0], np.nonzero(digit.max(axis=0))[0]
    box = [x + size * cols[0], y + size * rows[0], x + size * (cols[-1] + 1), y + size * (rows[-1] + 1)]
    picture = np.repeat(np.rint(paper)[..., None], 3, axis=2).astype(np.uint8)
    return Scene(picture, np.array([box], np.float32), NO_LABELS, "", np.zeros((0, 4), np.float32))


def come_back(bundle: Bundle, precision: Precision, count: int) -> dict[str, dict[str, float]]:
    """Enlarge MNIST's test images, paste, locate, compare: grey levels, and the accuracy of the same net on both."""
    test = load("mnist").test
    chosen = np.random.default_rng(5).permutation(len(test))[:count]
    result = {}
    with bundle.open(Runtime.LITERT, precision) as session:

        def labels_of(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
            tensors = to_tensor(pixels[..., None], bundle.image)
            outputs = np.concatenate([session.run(quantized(tensor)) for tensor in np.split(tensors, len(tensors))])
            return bundle.probabilities(outputs, session)[:, :10].argmax(axis=1)

        def quantized(tensor: NDArray[np.float32]) -> NDArray[np.generic]:
            from edgecnn.runtime.session import quantize

            return quantize(tensor, session.input)

        before = (labels_of(test.images[chosen]) == test.labels[chosen]).sum()
        for name, way in WAYS.items():
            back = np.zeros((count, 28, 28), np.uint8)
            for i, index in enumerate(chosen):
                scene = pasted(test.images[index], SIZES[i % len(SIZES)], way)
                best = max(locate(scene.picture), key=lambda c: _share(c.box, scene.boxes), default=None)
                if best is not None:
                    back[i] = best.pixels
            levels = np.abs(back.astype(np.int16) - test.images[chosen]).mean(axis=(1, 2))
            after = (labels_of(back) == test.labels[chosen]).sum()
            result[name] = {"levels": float(levels.mean()), "points_lost": 100 * float(before - after) / count}
    return result


def _share(box: tuple[int, int, int, int], boxes: NDArray[np.float32]) -> float:
    x, y, w, h = box
    return float(overlaps(np.array([[x, y, x + w, y + h]], np.float32), boxes)[0, 0])


def main() -> int:
    """Measure, print, store, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="digits-live")
    parser.add_argument("--precision", type=Precision, default=Precision.INT8)
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--empty", type=int, default=500, help="frames without a digit, of each kind")
    parser.add_argument("--pasted", type=int, default=10_000, help="MNIST images that are pasted, each in three ways")
    parser.add_argument("--seed", type=int, default=20261130)
    options = parser.parse_args()
    bundle, reader = open_ours(options.model, options.precision)
    with reader:
        readers = {"edgecnn": reader.read, "tutorial": tutorial(bundle)}
        scenes = digits_in_scenes(readers, options.scenes, options.seed)
        empty = false_readings(reader.read, options.empty, options.seed, [], Style())
        only = false_readings(reader.read, options.empty, options.seed, unseen_letters(), replace(Style(), letters=8))
    back = come_back(bundle, options.precision, options.pasted)
    print(f"{bundle.name} {options.precision}, {options.scenes} scenes, seed {options.seed}\n")
    columns = ["digits", "found", "false", "f1", "right", "exact_scenes"]
    print(table(["reader", *columns], [[name, *(f"{row[c]:.6g}" for c in columns)] for name, row in scenes.items()]))
    print(f"\nfalse readings for 50 frames: empty {empty:.2f}, letters only {only:.2f} ({options.empty} frames each)\n")
    print(
        table(
            ["enlarged", "grey levels", "points lost"],
            [[n, *(f"{v:.2f}" for v in r.values())] for n, r in back.items()],
        )
    )
    result = {"model": bundle.name, "precision": str(options.precision), "seed": options.seed, "scenes": options.scenes}
    result |= {"readers": scenes, "false_per_50": {"empty": empty, "letters": only}, "pasted": back}
    print(f"\nstored {store('scenes', result)}")
    ours = scenes["edgecnn"]
    return verdict(
        [
            ("detection F1", ours["f1"], 0.99, True),
            ("characters right, %", 100 * ours["right"], 98.5, True),
            ("false readings for 50 empty frames", empty, 1, False),
            ("false readings for 50 frames of letters", only, 1, False),
            *((f"grey levels, {name}", row["levels"], 4, False) for name, row in back.items()),
            *((f"points lost, {name}", row["points_lost"], 0.1, False) for name, row in back.items()),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
