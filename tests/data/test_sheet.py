"""The contact sheet: the right pictures in the right places."""

from __future__ import annotations

import numpy as np

from edgecnn.data import ArraySplit, Dataset
from edgecnn.data.sheet import COLUMNS, GAP, MAX_ROWS, TILE, contact_sheet


def flat(classes: int, each: int, colour: bool = False, side: int = 28) -> Dataset:
    """A data set in which every picture of a class is one even shade."""
    labels = np.repeat(np.arange(classes), each)
    shades = (20 + 3 * labels % 200).astype(np.uint8)
    images = np.repeat(shades, side * side).reshape(-1, side, side)
    if colour:
        images = np.stack([images, images // 2, images // 4], axis=-1)
    split = ArraySplit(images, labels)
    names = tuple(f"class {i} ü 猫" for i in range(classes))
    return Dataset("flat", names, split, split, split, (side, side, 3 if colour else 1), "test", "0" * 64)


def shown(page: np.ndarray, colour: tuple[int, int, int]) -> float:
    """How many whole tiles of a colour are on a page."""
    return float((page == np.array(colour)).all(axis=-1).sum()) / TILE**2


def test_every_class_has_a_row_of_its_pictures() -> None:
    page = contact_sheet(flat(4, 30))
    assert page.dtype == np.uint8
    for label in range(4):
        shade = 20 + 3 * label
        assert shown(page, (shade, shade, shade)) >= sum(COLUMNS.values())


def test_colours_are_not_exchanged() -> None:
    for side in (28, 90):
        page = contact_sheet(flat(2, 30, colour=True, side=side))
        assert shown(page, (20, 10, 5)) >= sum(COLUMNS.values())


def test_few_pictures_leave_places_empty() -> None:
    page = contact_sheet(flat(2, 2))
    assert shown(page, (20, 20, 20)) < 7


def test_a_thousand_classes_still_fit_on_a_page() -> None:
    page = contact_sheet(flat(1000, 1))
    assert page.shape[0] < (MAX_ROWS + 3) * (TILE + GAP)


def test_a_picture_smaller_or_larger_than_a_tile() -> None:
    for side in (1, 8, 100):
        assert shown(contact_sheet(flat(1, 20, side=side)), (20, 20, 20)) >= 18
