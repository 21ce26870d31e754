from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import ArgumentError
from edgecnn.parity import relabelled
from edgecnn.spec import ImageSpec

DIGITS = tuple("0123456789")


class Empty:
    """A test set without pictures: only names matter here."""

    labels = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return 0

    def pixels(self, indices: object, image: ImageSpec) -> np.ndarray:
        raise NotImplementedError


def test_labels_of_the_bundle_and_of_the_data_are_told() -> None:
    with pytest.raises(ArgumentError) as caught:
        relabelled(Empty(), (*DIGITS, "none"), DIGITS)
    assert str(caught.value) == (
        "data: expected labels that the bundle has, which are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; "
        "the data's are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, none, of which the bundle has not: none"
    )


def test_labels_that_differ_altogether_are_told_once() -> None:
    with pytest.raises(ArgumentError) as caught:
        relabelled(Empty(), ("shirt", "bag"), DIGITS)
    assert str(caught.value).endswith("; the data's are shirt, bag, of which the bundle has none")


def test_of_a_thousand_labels_a_few_are_told() -> None:
    many = [f"class-{number}" for number in range(1000)]
    with pytest.raises(ArgumentError) as caught:
        relabelled(Empty(), DIGITS, many)
    assert "class-11 and 988 more; the data's are 0," in str(caught.value)


def test_a_bundle_may_have_more_labels_than_the_data() -> None:
    assert len(relabelled(Empty(), DIGITS, (*DIGITS, "none"))) == 0
