"""Where in a picture is ink: the paper's level by a wide median, the light it lost, one threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

COARSE = 160
"""Longer side of the coarse picture on which the paper is estimated, in pixels."""
WINDOW = 41
"""Side of the median's window on it: a quarter of the picture, in which the boldest stroke is a minority."""
SHARE = 0.42
"""Share of the ink's typical level from which a pixel is ink."""
STEP = 0.3
"""Share by which the ground changes over two coarse pixels where it makes a step: an edge of the paper."""
GRAIN = 6
"""Change over two coarse pixels that is no step however dark the ground is, of 255."""
SOLID = 0.8
"""Share of its box that a dark patch on lighter paper fills from which it is a thing and no bold digit."""
GLOOM = 0.22
"""Share of the brightest ground below which ground is too dark to be read: what lies around a paper."""
PLAIN = 1.5
"""Least ratio of the ink's typical level to what counts at all: less is the tail of the paper's grain."""
SECOND = 0.3
"""Least ink of the weaker polarity, by that of the stronger, from which it is looked at too."""
LEVELS = 12
"""Least grey levels by which ink stands out."""
LEAST = 24
"""Least ink that counts, in 255ths of the paper's light: below it is show-through, shadow and paper grain."""
_EVERY = np.arange(256, dtype=np.float32)
"""Every grey level."""


@dataclass(slots=True, eq=False)
class Ink:
    """The ink of a picture, of one polarity.

    Attributes:
        map: uint8 [h, w]; 0 is paper, 255 is ink that takes all light.
        mask: uint8 [h, w]; 255 where there is ink, else 0.
        threshold: Level in `map` from which a pixel is ink.
        floor: Level up to which all is noise.
        level: Typical level of the ink in `map`, above the threshold.
        light: Whether the ink is lighter than its ground.
        blind: uint8 [h, w], 255 where nothing can be read: a step of the ground, or ground too dark; None where there
            is no such place.
    """

    map: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    threshold: int
    floor: int
    level: float
    light: bool
    blind: NDArray[np.uint8] | None


def ink_maps(grey: NDArray[np.uint8]) -> list[Ink]:
    """Find the ink of a picture; dark on light, light on dark, or both where it is not plain which of them it is.

    Args:
        grey: uint8 [h, w].

    Returns:
        None, one or two maps, the stronger first.
    """
    import cv2

    height, width = grey.shape
    factor = max(1, round(max(height, width) / COARSE))
    size = (max(1, width // factor), max(1, height // factor))
    coarse = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    paper = cv2.medianBlur(coarse, WINDOW)
    around = _around(paper)
    grounds = [(paper, *around), (paper, *around)]  # for dark and for light ink
    if around[2] is not None:
        bare = _without_bold(coarse, paper), ~_without_bold(~coarse, ~paper)
        grounds = [(one, *_around(one)) for one in bare]
    maps = []
    for light, (paper, high, low, steps) in zip((False, True), grounds, strict=True):
        # Beside a step of the ground (a paper's edge) the coarse level leaks over it by one coarse pixel. The darker of
        # the neighbours for dark ink, the lighter for light ink, keeps that rim from looking like a stroke.
        ground = cv2.resize(high if light else low, (width, height), interpolation=cv2.INTER_LINEAR)
        lost = cv2.subtract(grey, ground) if light else cv2.subtract(ground, grey)
        # In place from here on: what stays in the cache need not come from memory.
        reach = cv2.bitwise_not(ground, dst=ground) if light else ground
        share = cv2.divide(lost, cv2.add(reach, 16, dst=reach), scale=255, dst=reach)
        blind = steps if light else _with_gloom(steps, paper)
        if blind is not None:
            blind = cv2.resize(blind, (width, height), interpolation=cv2.INTER_NEAREST)
        found = _threshold(lost, share, light, blind)
        if found is not None:
            maps.append(found)
    return _ranked(maps)


def _ranked(maps: list[tuple[Ink, NDArray[np.float32]]]) -> list[Ink]:
    """The maps of both polarities, the stronger first; without the weaker where it is plain which of them it is."""
    if len(maps) < 2:
        return [ink for ink, _ in maps]
    (dark, light), (darkness, lightness) = zip(*((ink, _amount(ink, counts)) for ink, counts in maps), strict=True)
    stronger, weaker = (dark, light) if darkness >= lightness else (light, dark)
    plain = min(darkness, lightness) < SECOND * max(darkness, lightness)
    return [stronger] if plain else [stronger, weaker]


def _amount(ink: Ink, counts: NDArray[np.float32]) -> float:
    """Pixels of ink, weighted by how much they stand out; compares two polarities."""
    # In float64 a sum of whole numbers is exact, in whatever order they are added.
    return float(counts[ink.threshold :].astype(np.float64) @ _EVERY[ink.threshold :])


def _without_bold(coarse: NDArray[np.uint8], paper: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The ground without the inside of dark strokes so bold that the median took it for ground.

    Args:
        coarse: The coarse picture.
        paper: Its median.

    Returns:
        The median itself where there is no such stroke.
    """
    import cv2

    closed = cv2.morphologyEx(paper, cv2.MORPH_CLOSE, np.ones((WINDOW, WINDOW), np.uint8))
    dents = cv2.threshold(cv2.subtract(closed, paper), GRAIN, 255, cv2.THRESH_BINARY)[1]
    dark = (coarse < (1 - STEP) * closed).view(np.uint8)
    _, inks, boxes, _ = cv2.connectedComponentsWithStats(dark)
    count, labels = cv2.connectedComponents(dents)
    edges = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])  # what is there lies around the paper
    for dent in sorted(set(range(1, count)) - set(edges.tolist())):
        inside = labels == dent
        ink = int(inks[inside][paper[inside].argmin()])
        if not ink:  # deepest in the hole of a 0: what most of it is
            ink = int(np.bincount(inks[inside]).argmax())
        x, y, width, height, area = boxes[ink].tolist()
        about = closed[y : y + height, x : x + width]
        if ink and area <= SOLID * width * height and about.min() >= (1 - STEP) * float(about.max()):
            paper = np.where(inside, closed, paper)
    return paper


def _around(paper: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Highest and lowest level of the coarse ground over 3x3, and its steps: 255, else 0; None if there are none."""
    import cv2

    high, low = cv2.dilate(paper, None), cv2.erode(paper, None)
    change = cv2.subtract(high, low)
    if cv2.norm(change, cv2.NORM_INF) <= GRAIN:  # as on most papers
        return high, low, None
    steps = change > STEP * high + GRAIN
    return high, low, steps.view(np.uint8) * np.uint8(255) if steps.any() else None


def _with_gloom(steps: NDArray[np.uint8] | None, paper: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Steps of the coarse ground and where it is dark beside the rest: 255, else 0; None if nowhere."""
    import cv2

    least, most, _, _ = cv2.minMaxLoc(paper)
    if least >= GLOOM * most:
        return steps
    gloom = (paper < GLOOM * most).view(np.uint8) * np.uint8(255)
    return gloom if steps is None else gloom | steps


def _threshold(
    lost: NDArray[np.uint8], ink: NDArray[np.uint8], light: bool, blind: NDArray[np.uint8] | None
) -> tuple[Ink, NDArray[np.float32]] | None:
    """Part ink from paper, by the light that was lost, in grey levels and as a share; None where there is no ink.

    `lost` is written over. With the ink comes how often there is each level of its map.
    """
    import cv2

    half = ink[::2]  # which tells enough of the levels
    most = int(cv2.norm(half, cv2.NORM_INF))
    if most < PLAIN * LEAST:  # as is mostly so of the other polarity
        return None
    counts = _histogram(half)
    noise = _noise(counts, half.size)
    if noise > 8:
        ink = cv2.GaussianBlur(ink, (5, 5), 0)
        half = ink[::2]
        most, counts = int(cv2.norm(half, cv2.NORM_INF)), _histogram(half)
        noise = _noise(counts, half.size)
    # Where a digit fills the picture, more than 16 % of it is ink: the "noise" is then ink itself.
    least = max(LEAST, min(round(4 * noise), 128))
    level = _upper_mean(counts, least, most)
    if level is None or level < PLAIN * least:
        return None
    threshold = max(least, round(SHARE * level))
    _, mask = cv2.threshold(ink, threshold - 1, 255, cv2.THRESH_BINARY)
    # Where the ground is dark, noise is a large share of little light: it must stand out in grey levels too.
    _, plain = cv2.threshold(lost, LEVELS - 1, 255, cv2.THRESH_BINARY, dst=lost)
    mask = cv2.bitwise_and(mask, plain, dst=mask)
    return Ink(ink, mask, threshold, least, level, light, blind), counts


def _noise(counts: NDArray[np.float32], pixels: int) -> float:
    """Standard deviation of the paper's grain, from a map in which its brighter half is 0.

    A quarter of the pixels lies above 0.674 of it. Rulings and digits are fewer, so they do not matter. Above the level
    `LEAST` it is so much that more makes no difference.
    """
    quarter, before = 0.75 * pixels, 0.0
    for level, count in enumerate(counts[:LEAST].tolist()):
        if before + count >= quarter:
            inside = (quarter - before) / max(count, 1)  # the levels are whole numbers, the noise is not
            return (level - 0.5 + inside) / 0.674 if level else 0.0
        before += count
    return LEAST / 0.674


def _histogram(ink: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How often there is each level: [256]."""
    import cv2

    counts: NDArray[Any] = cv2.calcHist([ink], [0], None, [256], [0, 256])
    return counts.reshape(-1)


def _upper_mean(counts: NDArray[np.float32], least: int, most: int) -> float | None:
    """Mean level of the upper class of N. Otsu's split (1979) of the levels from `least` up; None without any.

    Args:
        counts: float32 [256]; how often there is each level.
        least: The lowest level that counts.
        most: The highest that there is.
    """
    first = least
    while first < most and not counts.item(first):
        first += 1
    if first >= most:  # one level, or none
        return float(most) if most >= least else None
    counts = counts[first : most + 1]
    below, sums = np.add.accumulate(counts), np.add.accumulate(counts * _EVERY[first : most + 1])
    total, whole = below[-1], sums[-1]
    below, sums = below[:-1], sums[:-1]  # up to each level that has some above it
    above = total - below
    apart = sums * total
    apart -= whole * below
    apart *= apart
    below *= above
    apart /= below
    split = int(apart.argmax())
    return float((whole - sums[split]) / above[split])
