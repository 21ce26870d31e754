"""Pieces of ink."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.vision.group import blobs
from edgecnn.vision.ink import Ink


def inked(mask: np.ndarray) -> Ink:
    return Ink(mask, mask, 100, 24, 200.0, False, None)


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(0, 59), st.integers(0, 59)),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_pieces_are_numbered_as_in_the_whole_picture_wherever_the_ink_lies(size, place, share, seed):
    mask = np.zeros(size, np.uint8)
    part = mask[place[0] :, place[1] :]
    part[:] = 255 * (np.random.default_rng(seed).random(part.shape) < share)
    assert (blobs(inked(mask)).labels == cv2.connectedComponents(mask, connectivity=8)[1]).all()


def test_no_ink_is_no_blob():
    assert blobs(inked(np.zeros((48, 64), np.uint8))).boxes == []
