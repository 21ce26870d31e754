"""Where text goes over a picture so that it hides the least of what was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""
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


def corners(places: Sequence[Corner], wide: int, tall: int, size: tuple[int, int], margin: int) -> Iterator[Box]:
    """Spots at the edges of a picture of size (height, width)."""
    height, width = size
    for across, down in places:
        x = margin + (width - wide - 2 * margin) * across
        y = margin + (height - tall - 2 * margin) * down
        yield _inside(round(x), round(y), wide, tall, size)


def beside(box: Box, wide: int, tall: int, size: tuple[int, int], gap: int) -> Iterator[Box]:
    """Spots above, below, right and left of a box, moved into a picture of size (height, width)."""
    x, y, width, height = box
    left, right, top, bottom = x - gap, x + width + gap, y - gap, y + height + gap
    yield _inside(left, top - tall, wide, tall, size)
    yield _inside(left, bottom, wide, tall, size)
    yield _inside(right, top, wide, tall, size)
    yield _inside(left - wide, top, wide, tall, size)


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
