"""Does training wait for augmentation? A step with against one without, and our warp against ImageDataGenerator.

    python benchmarks/augment.py [--rounds 7] [--steps 60] [--json]

Blocks of steps run interleaved (A B A B ...), so a busy machine slows both alike; the ratio is the median of the ratios
of neighbours. Both sides of the second comparison shuffle, gather, change and scale the same pictures with the same
ranges of the same changes. Exit code 1 when a ratio misses its target. Needs MNIST (EDGECNN_DATA or the Keras cache).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from edgecnn import _tf, nets
from edgecnn.augment import stream
from edgecnn.bench.machine import read_machine
from edgecnn.data import ArraySplit, load
from edgecnn.nets import Recipe
from edgecnn.train.loop import Loop

NET = nets.get("digits")
WARM_UP = 8
"""Batches before the clock starts: the first ones were made while nothing was learnt."""


@dataclass(frozen=True)
class Comparison:
    """One pair.

    Attributes:
        what: What was compared.
        ours_ms: Median of ours, in milliseconds for a batch of 128.
        peer_ms: Median of the peer.
        ratio: Median of the ratios of neighbouring blocks; see `target`.
        target: "<= x" or ">= x".
        rounds: How many pairs of blocks.
        met: Whether the ratio meets the target.
    """

    what: str
    ours_ms: float
    peer_ms: float
    ratio: float
    target: str
    rounds: int
    met: bool


def block(batches: Iterator[Any], use: Callable[[Any, Any], None], steps: int) -> float:
    """Seconds a batch."""
    for images, labels in itertools.islice(batches, WARM_UP):
        use(images, labels)
    began = time.perf_counter()
    for images, labels in itertools.islice(batches, steps):
        use(images, labels)
    return (time.perf_counter() - began) / steps


def ignore(images: Any, labels: Any) -> None:
    """Take a batch and do nothing with it."""


def epochs(split: ArraySplit, rounds: int, steps: int) -> Comparison:
    """Training steps of `digits` with augmentation against the same without."""
    model = nets.build(NET.name)
    loop = Loop(model, replace(NET.recipe, epochs=1), steps=10_000, seed=0)
    plain, changed = replace(NET.recipe, augmentation=None), NET.recipe
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds + 1):
        for recipe in (plain, changed):
            # A new stream each time: one that waits would fill its buffer at the cost of the other.
            feed = stream(split, NET.image, recipe, seed=0)
            times[recipe is changed].append(block(iter(feed.batches), loop.step, steps))
    with_it, without = times[True][1:], times[False][1:]  # the first of each traces
    ratio = statistics.median(a / b for a, b in zip(with_it, without, strict=True))
    return Comparison(
        "step of digits with augmentation / without",
        1e3 * statistics.median(with_it),
        1e3 * statistics.median(without),
        ratio,
        "<= 1.15",
        rounds,
        ratio <= 1.15,
    )


def alone(split: ArraySplit, rounds: int, steps: int) -> Comparison:
    """Our stream against ImageDataGenerator: batches for the training, and nothing done with them."""
    recipe: Recipe = NET.recipe
    changes = recipe.augmentation
    if changes is None:
        raise SystemExit("the recipe of digits has no augmentation")
    generator = _tf.keras().preprocessing.image.ImageDataGenerator(
        rotation_range=changes.rotation,
        width_shift_range=changes.shift,
        height_shift_range=changes.shift,
        shear_range=changes.shear,
        zoom_range=changes.zoom,
        fill_mode="constant",
        rescale=recipe.scale,
    )
    pixels = split.pixels(np.arange(len(split)), NET.image)
    ours, peers = [], []
    for _ in range(rounds):
        peer = generator.flow(pixels, split.labels, batch_size=recipe.batch, seed=0)
        peers.append(block(iter(peer), ignore, max(1, steps // 10)))
        ours.append(block(iter(stream(split, NET.image, recipe, seed=0).batches), ignore, steps))
    ratio = statistics.median(b / a for a, b in zip(ours, peers, strict=True))
    return Comparison(
        "ImageDataGenerator's batch / our augmented batch",
        1e3 * statistics.median(ours),
        1e3 * statistics.median(peers),
        ratio,
        ">= 5",
        rounds,
        ratio >= 5,
    )


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=60, help="batches of 128 pictures in a block")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    whole = load("mnist").train
    if not isinstance(whole, ArraySplit):
        raise SystemExit("MNIST is expected to be in memory")
    count = (options.steps + WARM_UP) * NET.recipe.batch
    split = ArraySplit(whole.images[:count], whole.labels[:count])
    results = [epochs(split, options.rounds, options.steps), alone(split, options.rounds, options.steps)]
    machine = f"{read_machine().line}, load {os.getloadavg()[0]:.1f}"
    if options.json:
        print(json.dumps({"machine": machine, "data": f"mnist, {count} pictures", "results": [*map(asdict, results)]}))
    else:
        for one in results:
            line = f"{one.ours_ms:.2f} ms, {one.peer_ms:.2f} ms a batch; median ratio of {one.rounds} pairs"
            print(f"{one.what}: {one.ratio:.2f} ({one.target}, {'met' if one.met else 'MISSED'}; {line})")
        print(f"mnist, {count} pictures of its training part; {machine}")
    return 0 if all(one.met for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
