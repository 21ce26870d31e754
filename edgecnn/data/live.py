"""digits-live: what the live reader's network learns from, digits as they are cut out of scenes and what is no digit.

Digits: MNIST's own images; the same as a camera shows them, and those of other writers (their 1s have flags, their 7s
bars); digits of a pen and of print. "Not a digit", the eleventh class: letters and signs, written and printed, clutter,
digits grown together, and what `vision.locate` finds in scenes that is no digit. Everything is drawn from a seed; fonts
that are measured with are not learnt from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.data import clutter, glyphs, strokes
from edgecnn.data.mnist import MNIST, load_family
from edgecnn.data.optdigits import load_optdigits
from edgecnn.data.scenes import Scene, render
from edgecnn.data.types import ArraySplit, Dataset, Progress
from edgecnn.preprocess import centre_digits
from edgecnn.vision.candidate import Candidate
from edgecnn.vision.locate import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Draw = Callable[[np.random.Generator], tuple[NDArray[np.uint8], int]]

NAME = "digits-live"
NONE = "none"
"""Name of the class that is no digit."""
NOT_A_DIGIT = 10
"""Its number."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many pictures of each kind a split holds.

    Attributes:
        seen: MNIST images as a camera shows them.
        others: Digits of other writers as a camera shows them.
        written: Digits of a pen.
        printed: Digits of print.
        letters: Written letters and signs.
        print_letters: Printed letters.
        clutter: Scribbles, lines, blobs, texture, hands, words.
        grown: Two digits grown together.
        scenes: Scenes whose candidates are taken, digits and others.
    """

    seen: int
    others: int
    written: int
    printed: int
    letters: int
    print_letters: int
    clutter: int
    grown: int
    scenes: int


TRAIN = Amounts(45_000, 6_000, 13_000, 4_000, 17_000, 24_000, 9_000, 5_000, 3_000)
HELD = Amounts(0, 0, 0, 0, 1_500, 1_000, 800, 400, 600)
"""Mostly scenes: what is chosen with them, the threshold before all, is chosen for what a camera sees."""


def load_live(*, data_dir: Path | None = None, seed: int = 0, progress: Progress | None = None) -> Dataset:
    """Make the data set; takes about two minutes.

    The validation and test digits are MNIST's own, so accuracies over the ten digits compare with other nets'.

    Args:
        data_dir: Folder in which MNIST is looked for first.
        seed: Of MNIST's split and of all that is drawn.
        progress: Told of a download.

    Raises:
        DataError: MNIST is absent or damaged.
        MissingExtraError: matplotlib, scikit-learn or a package whose fonts are used is not installed.
    """
    base = load_family(MNIST, data_dir=data_dir, seed=seed, progress=progress)
    others = load_optdigits(seed=seed).train
    parts = (base.train, base.validation, base.test)
    splits = []
    for number, (part, amounts) in enumerate(zip(parts, (TRAIN, HELD, HELD), strict=True)):
        if not isinstance(part, ArraySplit) or not isinstance(others, ArraySplit):
            raise TypeError("both are held in memory")
        fonts = (glyphs.FONTS, glyphs.HELD, glyphs.UNSEEN)[number]
        splits.append(make_split(part, others, amounts, seed=[seed, number], fonts=fonts))
    content = hashlib.sha256(b"".join(s.images.tobytes() + s.labels.tobytes() for s in splits))
    return replace(
        base,
        name=NAME,
        labels=(*base.labels, NONE),
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        source=f"{base.source}; letters, clutter and scenes drawn with seed {seed}",
        sha256=content.hexdigest(),
    )


def unseen_letters() -> list[NDArray[np.uint8]]:
    """Letters to measure with, never learnt from: other fonts, other strokes of the pen; uint8 [h, w] each."""
    rng = np.random.default_rng(99)
    pen = [strokes.draw(form, rng, pen=rng.uniform(4, 12)) for _ in range(6) for form in strokes.LETTERS.values()]
    return pen + [glyphs.glyph(font, character) for font in glyphs.UNSEEN for character in glyphs.letters(font)]


def make_split(
    part: ArraySplit, others: ArraySplit, amounts: Amounts, *, seed: list[int], fonts: Sequence[str]
) -> ArraySplit:
    """Make one part of the data set.

    Args:
        part: MNIST's images of that part; they come first, as they are.
        others: Digits of other writers.
        amounts: How many pictures of each kind follow.
        seed: Of all that is drawn.
        fonts: What is printed with.

    Returns:
        Pictures in MNIST's form; labels 0..9 and `NOT_A_DIGIT`.
    """
    draws: list[tuple[int, Draw]] = [
        (amounts.seen, lambda rng: _seen(rng, part)),
        (amounts.others, lambda rng: _seen(rng, others)),
        (amounts.written, _written_digit),
        (amounts.printed, lambda rng: _printed_digit(rng, fonts)),
        (amounts.letters, _written_letter),
        (amounts.print_letters, lambda rng: _printed_letter(rng, fonts)),
        (amounts.clutter, lambda rng: (clutter.KINDS[int(rng.integers(len(clutter.KINDS)))](rng), NOT_A_DIGIT)),
        (amounts.grown, lambda rng: (grown_together(rng, part), NOT_A_DIGIT)),
    ]
    images, labels = [part.images], [part.labels]
    for kind, (count, draw) in enumerate(draws):
        rng = np.random.default_rng([*seed, kind])
        drawn = [draw(rng) for _ in range(count)]
        for start in range(0, count, 200):
            images.append(centre_digits([as_seen(rng, ink) for ink, _ in drawn[start : start + 200]]))
        labels.append(np.array([label for _, label in drawn], np.int64))
    printed = [glyphs.glyph(font, character) for font in fonts for character in glyphs.letters(font)]
    letters = printed + [_written_letter(np.random.default_rng([*seed, 100, i]))[0] for i in range(len(printed))]
    for number in range(amounts.scenes):
        rng = np.random.default_rng([*seed, 200, number])
        cut, names = labelled_candidates(render(rng, part.images, part.labels, letters))
        images.append(cut)
        labels.append(names)
    return ArraySplit(np.concatenate(images), np.concatenate(labels))


def _pick(rng: np.random.Generator, part: ArraySplit) -> tuple[NDArray[np.uint8], int]:
    i = int(rng.integers(len(part)))
    return part.images[i], int(part.labels[i])


def _seen(rng: np.random.Generator, part: ArraySplit) -> tuple[NDArray[np.uint8], int]:
    """A digit, every other one bent, as another hand might have written it."""
    import cv2

    digit, label = _pick(rng, part)
    if rng.uniform() < 0.5:
        digit = bent(rng, cv2.resize(digit, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC).astype(np.uint8))
    return digit, label


def _written_digit(rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
    digit = int(rng.integers(10))
    forms = strokes.DIGITS[digit]
    return strokes.draw(forms[int(rng.integers(len(forms)))], rng, pen=rng.uniform(3, 11)), digit


def _written_letter(rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
    forms = [*strokes.LETTERS.values(), *strokes.SIGNS.values()]
    return strokes.draw(forms[int(rng.integers(len(forms)))], rng, pen=rng.uniform(3, 12)), NOT_A_DIGIT


def _printed_digit(rng: np.random.Generator, fonts: Sequence[str]) -> tuple[NDArray[np.uint8], int]:
    digit = int(rng.integers(10))
    return bent(rng, glyphs.glyph(fonts[int(rng.integers(len(fonts)))], glyphs.DIGITS[digit])), digit


def _printed_letter(rng: np.random.Generator, fonts: Sequence[str]) -> tuple[NDArray[np.uint8], int]:
    font = fonts[int(rng.integers(len(fonts)))]
    characters = glyphs.letters(font)
    return bent(rng, glyphs.glyph(font, characters[int(rng.integers(len(characters)))])), NOT_A_DIGIT


def bent(rng: np.random.Generator, ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ink as another font or hand might have it: bent at random, bolder or lighter; uint8 [h, w], in a wider margin."""
    import cv2

    ink = cv2.copyMakeBorder(ink, 10, 10, 10, 10, cv2.BORDER_CONSTANT, value=0)
    height, width = ink.shape
    pen = int(rng.integers(-2, 4))
    if pen:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(pen) + 1, abs(pen) + 1))
        changed = cv2.dilate(ink, kernel) if pen > 0 else cv2.erode(ink, kernel)
        ink = changed if changed.max() > 128 else ink  # a hairline would vanish
    reach = rng.uniform(0, 0.05) * max(height, width)
    fields = rng.normal(0, 1, (2, 4, 4)).astype(np.float32) * np.float32(reach)
    moved = [cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) for field in fields]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    result: NDArray[np.uint8] = cv2.remap(ink, columns + moved[0], rows + moved[1], cv2.INTER_LINEAR)
    return result if result.max() > 128 else ink


def grown_together(rng: np.random.Generator, part: ArraySplit) -> NDArray[np.uint8]:
    """Two MNIST digits side by side that touch: uint8 [h, w]."""
    pair = []
    for _ in range(2):
        digit, _ = _pick(rng, part)
        cols = np.nonzero(digit.max(axis=0))[0]
        pair.append(digit[:, cols[0] : cols[-1] + 1])
    return clutter.side_by_side(pair, int(rng.integers(1, 5)))


def as_seen(rng: np.random.Generator, ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ink as `vision.locate` cuts it out of a photograph: turned, of any size, blurred, with noise, thresholded.

    Args:
        rng: Chance of this photograph.
        ink: uint8 [h, w], light on black.

    Returns:
        uint8 [h, w], the ink with a soft rim on 0; never empty.
    """
    import cv2

    tall = float(np.exp(rng.uniform(np.log(14), np.log(90))))
    scale = tall / max(ink.shape)
    if scale < 0.5:  # the warp below takes four neighbours only
        ink = cv2.resize(ink, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        scale = tall / max(ink.shape)
    turn, shear = np.deg2rad(rng.normal(0, 9)), rng.normal(0, 0.17)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn) + shear], [np.sin(turn), np.cos(turn)]])
    matrix[0] *= rng.uniform(0.85, 1.15)
    side = round(1.5 * tall) + 8
    middle = np.array([(ink.shape[1] - 1) / 2, (ink.shape[0] - 1) / 2])
    move = (side - 1) / 2 - matrix @ middle
    soft = cv2.warpAffine(ink, np.column_stack([matrix, move]), (side, side), flags=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(soft, (0, 0), rng.uniform(0.3, 0.6 + 0.025 * tall))
    level = max(float(soft.max()), 1.0)
    noise = rng.normal(0, rng.uniform(0, 0.06) * level, soft.shape)
    own = cv2.threshold(soft, 0.4 * level, 255, cv2.THRESH_BINARY)[1]
    rim = 2 * (1 + round(tall) // 20) + 1
    near = cv2.dilate(own, np.ones((rim, rim), np.uint8)) > 0
    seen: NDArray[np.uint8] = np.where(near, np.clip(soft + noise, 0, 255), 0).astype(np.uint8)
    rows, cols = np.nonzero(near.any(axis=1))[0], np.nonzero(near.any(axis=0))[0]
    return seen[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


def labelled_candidates(scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """What is located in a scene, with its true names.

    A candidate is the digit whose box it shares more than 0.6 of (intersection by union), and no digit where it shares
    less than 0.1 with any; those between are left out.

    Args:
        scene: A rendered scene.

    Returns:
        uint8 [n, 28, 28] and int64 [n].
    """
    pixels, labels = [], []
    for candidate in locate(scene.picture):
        share, label = _best(candidate, scene)
        if share > 0.6 or share < 0.1:
            pixels.append(candidate.pixels)
            labels.append(label if share > 0.6 else NOT_A_DIGIT)
    if not pixels:
        return np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64)
    return np.stack(pixels), np.array(labels, np.int64)


def _best(candidate: Candidate, scene: Scene) -> tuple[float, int]:
    if not len(scene.boxes):
        return 0.0, NOT_A_DIGIT
    x, y, w, h = candidate.box
    box = np.array([x, y, x + w, y + h], np.float32)
    both = np.minimum(scene.boxes[:, 2:], box[2:]) - np.maximum(scene.boxes[:, :2], box[:2])
    common = np.clip(both, 0, None).prod(axis=1)
    share = common / ((scene.boxes[:, 2:] - scene.boxes[:, :2]).prod(axis=1) + w * h - common)
    best = int(share.argmax())
    return float(share[best]), int(scene.labels[best])
