"""Connected ink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True, eq=False)
class Pieces:
    """Connected ink of a picture, where there is any.

    Attributes:
        labels: uint16 or int32 [h, w]; of a part of the picture, which piece a pixel belongs to; 0 is paper.
        corner: Where that part begins in the picture, x and y.
        stats: int32 [n, 5]; x and y in that part, width, height, area of each piece; the first is the paper.
    """

    labels: NDArray[Any]
    corner: tuple[int, int]
    stats: NDArray[np.int32]

    def part(self, left: int, top: int, right: int, bottom: int) -> NDArray[Any]:
        """The labels of a piece's box and its rim; the ends are exclusive and may lie beyond the picture."""
        x, y = self.corner
        return self.labels[top - y : bottom - y, left - x : right - x]

    def part_of(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The part of a picture that was searched."""
        (x, y), (height, width) = self.corner, self.labels.shape
        return picture[y : y + height, x : x + width]

    def everywhere(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The labels of the whole picture, of this shape."""
        labels = np.zeros(shape, self.labels.dtype)
        self.part_of(labels)[:] = self.labels
        return labels


def rim(width: int, height: int) -> int:
    """How far around ink of this size its soft rim is looked for, in pixels."""
    return 1 + max(width, height) // 20


def find_pieces(mask: NDArray[np.uint8]) -> Pieces:
    """Find the pieces of a mask, 255 where there is ink, else 0.

    What is searched is the box around all ink and the rim that any of it may have. A whole picture of labels would push
    all else out of the caches.
    """
    import cv2

    x, y, width, height = cv2.boundingRect(mask)
    around = rim(width, height)
    # The search goes by blocks of 2x2 pixels: with the blocks of the whole picture the numbers are those, too.
    left, top = max(x - around, 0) & ~1, max(y - around, 0) & ~1
    part = mask[top : y + height + around, left : x + width + around]
    # 16-bit labels are found in a third of the time; there are never more pieces than ink pixels.
    small = part.size < 65535 or cv2.countNonZero(part) < 65535
    kind = cv2.CV_16U if small else cv2.CV_32S
    _, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8, ltype=kind)
    return Pieces(labels, (left, top), stats)
