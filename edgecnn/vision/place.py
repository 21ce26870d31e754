"""Where text goes over a picture so that it hides the least of what was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""
Extent = tuple[int, int]
"""Width and height in pixels."""
Corner = tuple[float, float]
"""A place at the edge of a picture: 0 is left or top, 1 right or bottom."""


class Ground:
    """Which parts of a picture are taken.

    Args:
        boxes: Those that are taken from the beginning.
    """

    def __init__(self, boxes: Iterable[Box] = ()) -> None:
        self._edges: list[Box] = []
        for box in boxes:
            self.take(box)

    def take(self, box: Box) -> None:
        """Count a part as taken."""
        x, y, width, height = box
        self._edges.append((x, y, x + width, y + height))

    def hidden(self, spot: Box) -> int:
        """How many pixels of what is taken lie under a spot; what was taken twice counts twice."""
        x, y, wide, tall = spot
        right, bottom = x + wide, y + tall
        area = 0
        for left, top, end, low in self._edges:  # asked for in every frame: numpy would take longer for so few
            if left < right and x < end and top < bottom and y < low:
                area += (min(right, end) - max(x, left)) * (min(bottom, low) - max(y, top))
        return area

    def free(self, spot: Box) -> bool:
        """Whether nothing that is taken lies under a spot."""
        x, y, wide, tall = spot
        right, bottom = x + wide, y + tall
        for left, top, end, low in self._edges:  # noqa: SIM110 - as above
            if left < right and x < end and top < bottom and y < low:
                return False
        return True


class Label(NamedTuple):
    """Where the label of a box goes.

    Attributes:
        short: Whether it is the short form.
        spot: Its place.
        brief: The place of its short form, which is a part of `spot`.
    """

    short: bool
    spot: Box
    brief: Box


def corners(places: Sequence[Corner], wide: int, tall: int, size: tuple[int, int], margin: int) -> Iterator[Box]:
    """Spots at the edges of a picture of size (height, width)."""
    height, width = size
    for across, down in places:
        x = margin + (width - wide - 2 * margin) * across
        y = margin + (height - tall - 2 * margin) * down
        yield _inside(round(x), round(y), wide, tall, size)


def beside(box: Box, wide: int, tall: int, size: tuple[int, int], gap: int) -> Iterator[Box]:
    """Spots above, below, right and left of a box, moved into a picture of size (height, width).

    Above and below a spot begins where the box does; last come those in its middle, and those that end where it does.
    """
    x, y, width, height = box
    left, right, top, bottom = x - gap, x + width + gap, y - gap, y + height + gap
    yield _inside(left, top - tall, wide, tall, size)
    yield _inside(left, bottom, wide, tall, size)
    yield _inside(right, top, wide, tall, size)
    yield _inside(left - wide, top, wide, tall, size)
    for across in ((left + right - wide) // 2, right - wide):
        yield _inside(across, top - tall, wide, tall, size)
        yield _inside(across, bottom, wide, tall, size)


def label_boxes(
    boxes: Sequence[Box], forms: Sequence[tuple[Extent, Extent]], taken: Ground, size: tuple[int, int], gap: int
) -> list[Label]:
    """Find a place beside each box for its label, which is long or short.

    A label is short where there is no free place for the long one, or where the label of a neighbour would have none.
    Where there is no free place for either, it hides the least.

    Args:
        boxes: In reading order.
        forms: How large the long and the short label of each box is.
        taken: What no label may hide, the boxes among it.
        size: Height and width of the picture.
        gap: Pixels between a box and its label.
    """
    labels: list[Label] = []
    written = Ground()
    ways = [_Way(box, form, size, gap) for box, form in zip(boxes, forms, strict=True)]
    for way in ways:
        label = _free_label(way, taken, written)
        if label is None and (made := _shortened(labels, way, taken)):
            labels, label = made
            written = Ground(one.spot for one in labels)
        if label is None:
            label = _least_label(way, taken, written)
        labels.append(label)
        written.take(label.spot)
    for at, label in enumerate(labels):  # those that became short for another one may have room elsewhere
        if label.short:
            others = Ground(one.spot for one in labels if one is not label)
            labels[at] = _free_label(ways[at], taken, others) or label
    return labels


class _Way(NamedTuple):
    """Where the label of a box may go."""

    box: Box
    forms: tuple[Extent, Extent]
    size: tuple[int, int]
    gap: int

    def spots(self, short: bool) -> Iterator[Box]:
        """Of its long or its short form."""
        return beside(self.box, *self.forms[short], self.size, self.gap)

    def label(self, short: bool, spot: Box, side: int) -> Label:
        """The label at one of the spots."""
        return Label(short, spot, spot if short else next(islice(self.spots(True), side, None)))


def _free_label(way: _Way, taken: Ground, written: Ground) -> Label | None:
    """The first place that is free, for the long form before the short one."""
    for short in (False, True):
        for side, spot in enumerate(way.spots(short)):
            if written.free(spot) and taken.free(spot):
                return way.label(short, spot, side)
    return None


def _shortened(labels: Sequence[Label], way: _Way, taken: Ground) -> tuple[list[Label], Label] | None:
    """Make the labels short that lie in the way of another one, where that makes a place for it."""
    least_written = Ground(label.brief for label in labels)
    for spot in way.spots(True):
        if taken.free(spot) and least_written.free(spot):
            wanted = Ground([spot])
            others = [label if wanted.free(label.spot) else Label(True, label.brief, label.brief) for label in labels]
            return others, Label(True, spot, spot)
    return None


def _least_label(way: _Way, taken: Ground, written: Ground) -> Label:
    """Where a label hides the least; it is short where that leaves another label to be read."""
    for short in (False, True):
        spots = list(way.spots(short))
        spot = least(spots, lambda spot: taken.hidden(spot) + written.hidden(spot))
        if short or written.free(spot):
            break
    return way.label(short, spot, spots.index(spot))


def least(spots: Iterable[Box], cost: Callable[[Box], int]) -> Box:
    """The first spot that costs nothing, else the cheapest."""
    best, lowest = (0, 0, 0, 0), -1
    for spot in spots:
        price = cost(spot)
        if price == 0:
            return spot
        if lowest < 0 or price < lowest:
            best, lowest = spot, price
    return best


def _inside(x: int, y: int, wide: int, tall: int, size: tuple[int, int]) -> Box:
    return max(0, min(x, size[1] - wide)), max(0, min(y, size[0] - tall)), wide, tall
