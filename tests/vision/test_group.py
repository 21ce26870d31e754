"""Pieces of ink."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.vision.group import Blobs, blobs
from edgecnn.vision.ink import Ink
from edgecnn.vision.locate import cut
from edgecnn.vision.pieces import find_pieces


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
    assert (find_pieces(mask).everywhere(mask.shape) == cv2.connectedComponents(mask, connectivity=8)[1]).all()


def test_ink_in_a_corner_is_cut_with_the_rim_that_the_picture_has():
    mask = np.zeros((300, 300), np.uint8)
    mask[270:, 280:] = 255
    for turns in range(4):
        turned = np.ascontiguousarray(np.rot90(mask, turns))
        ink = Ink(cv2.blur(turned, (9, 9)), turned, 100, 24, 200.0, False, None)
        pieces = find_pieces(ink.mask)
        (x, y, w, h), (left, top) = pieces.stats[1, :4].tolist(), pieces.corner
        box = (left + x, top + y, left + x + w, top + y + h)
        around = 1 + max(w, h) // 20
        rimmed = ink.map[max(box[1] - around, 0) : box[3] + around, max(box[0] - around, 0) : box[2] + around]
        assert np.array_equal(cut(Blobs(ink, pieces, [box], [[1]]))[0], rimmed)


def test_no_ink_is_no_blob():
    assert blobs(inked(np.zeros((48, 64), np.uint8))).boxes == []
