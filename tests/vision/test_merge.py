"""Which pieces are one digit: the quick look for pieces that lie apart changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.vision import merge as merging
from edgecnn.vision.ink import Ink
from edgecnn.vision.merge import merge

BOXES = st.lists(st.tuples(*[st.integers(0, 200)] * 2, *[st.integers(4, 60)] * 2), max_size=8)


def ink_in(corners):
    """Ink that fills each box."""
    page = np.zeros((300, 300), np.uint8)
    for left, top, right, bottom in corners:
        page[top:bottom, left:right] = 200
    return Ink(page, page, 100, 24, 200.0, False, None)


@settings(max_examples=300)
@given(boxes=BOXES)
def test_pieces_that_lie_apart_are_what_the_full_comparison_leaves_apart(boxes):
    corners = [(x, y, x + w, y + h) for x, y, w, h in boxes]
    inked = [w * h for _, _, w, h in boxes]
    quick = merge(corners, inked, ink_in(corners))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "_apart", lambda corners: len(corners) < 2)
        assert merge(corners, inked, ink_in(corners)) == quick


@pytest.mark.parametrize(("gap", "pieces"), [(2, 1), (40, 2)])
def test_the_lower_half_of_a_digit_joins_what_is_close_above_it(gap, pieces):
    corners = [(50, 20, 90, 60), (50, 60 + gap, 90, 70 + gap)]
    assert len(merge(corners, [1600, 400], ink_in(corners))) == pieces
