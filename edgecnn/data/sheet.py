"""A contact sheet: a few pictures of each class and split on one page."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.spec import Fit, ImageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.data.types import Dataset, Split

TILE = 56
"""Side of a picture on the sheet, in pixels."""
GAP = 4
COLUMNS = {"train": 10, "validation": 4, "test": 4}
"""Pictures of each class, by split."""
MAX_ROWS = 50
"""Most classes on a sheet."""
_MARGIN, _HEAD, _LABEL = 20, 76, 150
_INK, _PALE, _PAPER, _EMPTY = (40, 40, 40), (130, 130, 130), (255, 255, 255), (244, 244, 244)


def contact_sheet(dataset: Dataset) -> NDArray[np.uint8]:
    """Draw the contact sheet of a data set.

    Args:
        dataset: The data set; its pictures are decoded here, a few of each class.

    Returns:
        uint8 [h, w, 3] BGR: a row for each class (the first `MAX_ROWS`), in it a few pictures of each split.

    Raises:
        DataError: A picture can no longer be read.
    """
    rows = min(len(dataset.labels), MAX_ROWS)
    lefts = _lefts()
    width = lefts["test"] + COLUMNS["test"] * (TILE + GAP) - GAP + _MARGIN
    left_out = len(dataset.labels) - rows
    height = _HEAD + rows * (TILE + GAP) - GAP + _MARGIN + (24 if left_out else 0)
    page = np.full((height, width, 3), _PAPER, np.uint8)
    _write(page, f"{dataset.name}: {len(dataset.labels)} classes", (_MARGIN, 34), 0.65, _INK)
    for name, split in dataset.splits.items():
        _write(page, f"{name} ({len(split):,})", (lefts[name], _HEAD - 12), 0.45, _PALE)
    for row, label in enumerate(dataset.labels[:rows]):
        top = _HEAD + row * (TILE + GAP)
        _write(page, _shortened(label, _LABEL - 12), (_MARGIN, top + TILE // 2 + 5), 0.5, _INK)
        for name, split in dataset.splits.items():
            _place(page, _tiles(dataset, split, row, COLUMNS[name]), COLUMNS[name], top, lefts[name])
    if left_out:
        _write(page, f"and {left_out:,} more classes", (_MARGIN, height - _MARGIN), 0.45, _PALE)
    return page


def _lefts() -> dict[str, int]:
    """Where the columns of each split begin."""
    lefts, left = {}, _MARGIN + _LABEL
    for name, count in COLUMNS.items():
        lefts[name] = left
        left += count * (TILE + GAP) + 20
    return lefts


def _tiles(dataset: Dataset, split: Split, label: int, count: int) -> NDArray[np.uint8]:
    """Up to `count` pictures of a class: uint8 [n, TILE, TILE, 3] BGR."""
    import cv2

    members = np.flatnonzero(split.labels == label)
    chosen = members[np.linspace(0, len(members) - 1, min(count, len(members))).astype(np.int64)]  # evenly spread
    height, width, channels = dataset.shape or (TILE, TILE, 3)
    whole = TILE // max(height, width)  # small pictures are enlarged by a whole number, so their pixels stay sharp
    side = TILE if whole < 1 or height != width else height
    pixels = split.pixels(chosen, ImageSpec(side, side, channels, fit=Fit.CROP))
    tiles = [cv2.resize(tile, (TILE, TILE), interpolation=cv2.INTER_NEAREST) for tile in pixels]
    code = cv2.COLOR_GRAY2BGR if channels == 1 else cv2.COLOR_RGB2BGR
    return np.array([cv2.cvtColor(tile, code) for tile in tiles], np.uint8).reshape(-1, TILE, TILE, 3)


def _place(page: NDArray[np.uint8], tiles: NDArray[np.uint8], count: int, top: int, left: int) -> None:
    for column in range(count):
        x = left + column * (TILE + GAP)
        page[top : top + TILE, x : x + TILE] = tiles[column] if column < len(tiles) else _EMPTY


def _write(page: NDArray[np.uint8], text: str, at: tuple[int, int], size: float, colour: tuple[int, int, int]) -> None:
    import cv2

    cv2.putText(page, _ascii(text), at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _ascii(text: str) -> str:
    """The text in the letters that OpenCV's font has: without accents, and ? for what is left."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return plain.encode("ascii", "replace").decode()


def _shortened(text: str, width: int) -> str:
    import cv2

    if cv2.getTextSize(_ascii(text), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0] <= width:
        return text
    while text and cv2.getTextSize(_ascii(text) + "..", cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0] > width:
        text = text[:-1]
    return text + ".."
