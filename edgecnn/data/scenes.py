"""Scenes of handwriting on paper, rendered with known truth: to learn from, to measure with and to test with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Style:
    """How scenes look. Each range is drawn from evenly, each chance is 0..1.

    Attributes:
        size: Height and width of the picture, in pixels.
        digit: Least and greatest height of a digit, in pixels.
        lines: Least and most lines of digits.
        letters: Most letters beside the digits.
        slant: Steepest baseline, in degrees.
        perspective: Greatest shift of a corner, as a share of the picture.
        blur: Greatest standard deviation of the blur, in pixels.
        noise: Greatest standard deviation of the noise, of 255.
        grain: Greatest standard deviation of the paper's texture, of 255.
        shade: Greatest loss of light in a corner, 0..1.
        contrast: Least and greatest share of the light that ink takes.
        ruled: Chance of ruled lines.
        shadow: Chance of the shadow of an edge.
        light: Chance of light ink on a dark ground.
        edge: Chance that the paper ends before the picture does.
    """

    size: tuple[int, int] = (480, 640)
    digit: tuple[float, float] = (24, 150)
    lines: tuple[int, int] = (1, 3)
    letters: int = 6
    slant: float = 12
    perspective: float = 0.06
    blur: float = 1.3
    noise: float = 7
    grain: float = 4
    shade: float = 0.55
    contrast: tuple[float, float] = (0.45, 0.95)
    ruled: float = 0.25
    shadow: float = 0.25
    light: float = 0.15
    edge: float = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A rendered picture and what is written in it.

    Attributes:
        picture: uint8 [h, w, 3], BGR.
        boxes: float32 [n, 4]; x, y, right, bottom of the ink of each digit.
        labels: int64 [n]; which digit each is.
        text: The digits in reading order, lines parted by |.
        others: float32 [m, 4]; boxes of what is no digit.
    """

    picture: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    text: str
    others: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Mark:
    """Ink to be put down: uint8 [h, w] with its left upper corner, and the digit it is or None."""

    ink: NDArray[np.uint8]
    x: int
    y: int
    digit: int | None


def render(
    rng: np.random.Generator,
    digits: NDArray[np.uint8],
    labels: NDArray[np.int64],
    letters: Sequence[NDArray[np.uint8]] = (),
    style: Style | None = None,
) -> Scene:
    """Render one scene.

    Args:
        rng: Chance of this scene.
        digits: uint8 [n, 28, 28], light on black in MNIST's form; taken from at random. May be empty.
        labels: int64 [n]; which digit each is.
        letters: uint8 [h, w] each, light on black; taken from at random.
        style: How scenes look.

    Returns:
        The scene; digits never touch each other, a letter or the picture's edge.
    """
    import cv2

    style = style or Style()
    height, width = style.size
    marks = [*_write_digits(rng, digits, labels, style)] if len(digits) else []
    text = "|".join("".join(str(m.digit) for m in line) for line in marks)
    flat = [mark for line in marks for mark in line]
    flat += _scatter(rng, letters, flat, style)
    ink = np.zeros((height, width), np.uint8)
    for mark in flat:
        h, w = mark.ink.shape
        window = ink[mark.y : mark.y + h, mark.x : mark.x + w]
        np.maximum(window, mark.ink, out=window)
    warp = _perspective(rng, style)
    ink = cv2.warpPerspective(ink, warp, (width, height), flags=cv2.INTER_LINEAR)
    boxes = np.array([_warped_box(mark, warp) for mark in flat], np.float32).reshape(-1, 4)
    is_digit = np.array([mark.digit is not None for mark in flat], np.bool_)
    return Scene(
        picture=_photograph(rng, ink, _ground(rng, style, warp), style),
        boxes=boxes[is_digit],
        labels=np.array([mark.digit for mark in flat if mark.digit is not None], np.int64),
        text=text,
        others=boxes[~is_digit],
    )


def without_digits(style: Style | None = None, *, letters: int = 0) -> Style:
    """A style for empty scenes, or for scenes with letters only."""
    return replace(style or Style(), letters=letters)


def _write_digits(
    rng: np.random.Generator, digits: NDArray[np.uint8], labels: NDArray[np.int64], style: Style
) -> list[list[_Mark]]:
    """Lines of digits, top to bottom."""
    height, width = style.size
    count = int(rng.integers(style.lines[0], style.lines[1] + 1))
    border = 0.06 + style.perspective
    low, high = style.digit
    tall = float(np.exp(rng.uniform(np.log(low), np.log(min(high, height * (1 - 2 * border) / (1.7 * count))))))
    slant = np.tan(np.deg2rad(rng.uniform(-style.slant, style.slant)))
    pitch = tall * rng.uniform(1.6, 2.2)
    spacing = rng.uniform(0.15, 0.7)
    top = rng.uniform(height * border, max(height * border + 1, height * (1 - border) - count * pitch))
    lines = []
    for row in range(count):
        x = width * (border + rng.uniform(0, 0.15))
        line: list[_Mark] = []
        for _ in range(int(rng.integers(1, 11))):
            pick = int(rng.integers(len(digits)))
            ink = _enlarge(rng, digits[pick], tall * rng.uniform(0.85, 1.15))
            y = top + row * pitch + slant * (x - width / 2) + (tall - ink.shape[0]) / 2 + rng.normal(0, 0.03) * tall
            if x + ink.shape[1] > width * (1 - border):
                break
            if height * border <= y and y + ink.shape[0] <= height * (1 - border):
                line.append(_Mark(ink, round(x), round(y), int(labels[pick])))
            x += ink.shape[1] + tall * spacing * rng.uniform(0.6, 1.4) + 3
        if line:
            lines.append(line)
    return lines


def _enlarge(rng: np.random.Generator, digit: NDArray[np.uint8], tall: float) -> NDArray[np.uint8]:
    """One MNIST digit at a size at which 20 of its pixels measure `tall`, a little turned, without its empty border."""
    import cv2

    scale = tall / 20
    side = int(np.ceil(28 * scale * 1.2))
    turn = cv2.getRotationMatrix2D((13.5, 13.5), rng.uniform(-8, 8), scale)
    turn[:, 2] += (side - 1) / 2 - 13.5
    large: NDArray[np.uint8] = cv2.warpAffine(digit, turn, (side, side), flags=cv2.INTER_CUBIC)
    rows, cols = np.nonzero(large.max(axis=1) > 40)[0], np.nonzero(large.max(axis=0) > 40)[0]
    return large[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


def _scatter(
    rng: np.random.Generator, letters: Sequence[NDArray[np.uint8]], taken: list[_Mark], style: Style
) -> list[_Mark]:
    """Letters where nothing is written yet."""
    import cv2

    height, width = style.size
    border = 0.06 + style.perspective
    marks: list[_Mark] = []
    for _ in range(int(rng.integers(0, style.letters + 1)) if len(letters) else 0):
        letter = letters[int(rng.integers(len(letters)))]
        scale = np.exp(rng.uniform(np.log(style.digit[0]), np.log(min(style.digit[1], 100)))) / max(letter.shape)
        size = (max(4, round(letter.shape[1] * scale)), max(4, round(letter.shape[0] * scale)))
        ink = cv2.resize(letter, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        for _ in range(20):
            x = int(rng.uniform(width * border, width * (1 - border) - size[0]))
            y = int(rng.uniform(height * border, height * (1 - border) - size[1]))
            gap = 8
            if all(
                x > m.x + m.ink.shape[1] + gap
                or x + size[0] + gap < m.x
                or y > m.y + m.ink.shape[0] + gap
                or y + size[1] + gap < m.y
                for m in taken + marks
            ):
                marks.append(_Mark(ink, x, y, None))
                break
    return marks


def _perspective(rng: np.random.Generator, style: Style) -> NDArray[np.float64]:
    import cv2

    height, width = style.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    shifts = rng.uniform(-style.perspective, style.perspective, (4, 2)) * [width, height]
    warp: NDArray[np.float64] = cv2.getPerspectiveTransform(corners, (corners + shifts).astype(np.float32))
    return warp


def _warped_box(mark: _Mark, warp: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Box of a mark's ink after the perspective, from its outermost ink."""
    rows, cols = np.nonzero(mark.ink > 100)
    points = np.stack([cols + mark.x, rows + mark.y, np.ones(len(rows))])
    x, y, w = warp @ points
    x, y = x / w, y / w
    return (float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1))


def _ground(rng: np.random.Generator, style: Style, warp: NDArray[np.float64]) -> NDArray[np.float32]:
    """Paper with texture, lines and light, without noise: float32 [h, w], 0..255."""
    import cv2

    height, width = style.size
    ground = np.full((height, width), rng.uniform(150, 245), np.float32)
    for cell in (2, 5, 40):
        texture = rng.normal(0, rng.uniform(0, style.grain), (height // cell + 2, width // cell + 2))
        ground += cv2.resize(texture.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.uniform() < style.ruled:
        lines = np.zeros((height, width), np.float32)
        pitch, thick = rng.uniform(22, 60), int(rng.integers(1, 3))
        for y in np.arange(rng.uniform(0, pitch), height, pitch):
            cv2.line(lines, (0, round(y)), (width, round(y)), rng.uniform(0.12, 0.3), thick, cv2.LINE_AA)
        ground *= 1 - cv2.warpPerspective(lines, warp, (width, height), flags=cv2.INTER_LINEAR)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.uniform() < style.edge:
        ground = _paper_edge(rng, ground, x, y)
    centre_x, centre_y = rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height
    distance = ((x - centre_x) / width) ** 2 + ((y - centre_y) / height) ** 2
    ground *= 1 - rng.uniform(0, style.shade) * np.minimum(distance * 1.2, 1)
    if rng.uniform() < style.shadow:
        angle = rng.uniform(0, 2 * np.pi)
        side = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle) - rng.uniform(-0.3, 0.3) * width
        ground *= 1 - rng.uniform(0.15, 0.5) / (1 + np.exp(-side / rng.uniform(6, 60)))
    return ground


def _paper_edge(
    rng: np.random.Generator, ground: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    """End the paper at one side of the picture, slightly askew, with a thin shadow beside it, on a dark table."""
    height, width = ground.shape
    across, along, extent = (x, y, width) if rng.uniform() < 0.5 else (y, x, height)
    if rng.uniform() < 0.5:
        across = extent - 1 - across
    border = extent * rng.uniform(0.01, 0.07) + (along - along.mean()) * np.tan(np.deg2rad(rng.uniform(-2.5, 2.5)))
    beyond = across < border
    table = rng.uniform(10, 110) + rng.normal(0, 6, ground.shape)
    ground = ground * (1 - rng.uniform(0, 0.3) * np.exp(-np.abs(across - border) / rng.uniform(1, 6))).astype(
        np.float32
    )
    return np.where(beyond, table, ground).astype(np.float32)


def _photograph(
    rng: np.random.Generator, ink: NDArray[np.uint8], ground: NDArray[np.float32], style: Style
) -> NDArray[np.uint8]:
    """Put the ink on the ground and take the picture: blur, noise, colour cast."""
    import cv2

    share = ink.astype(np.float32) * (rng.uniform(*style.contrast) / 255)
    if rng.uniform() < style.light:
        ground = 255 - ground
        seen = ground + (255 - ground) * share
    else:
        seen = ground * (1 - share)
    blur = rng.uniform(0, style.blur)
    if blur > 0.3:
        seen = cv2.GaussianBlur(seen, (0, 0), blur)
    noise = rng.uniform(0, style.noise)
    picture = np.empty((*seen.shape, 3), np.uint8)
    for channel, cast in enumerate(rng.uniform(0.85, 1.0, 3)):
        noisy = seen * np.float32(cast) + rng.standard_normal(seen.shape, np.float32) * np.float32(noise)
        picture[..., channel] = np.clip(noisy, 0, 255).astype(np.uint8)
    return picture
