"""OpenCV's threads."""

import cv2
import pytest

from edgecnn.vision.threads import opencv_threads


def test_threads_are_given_back():
    before = cv2.getNumThreads()
    with opencv_threads(before + 2):
        assert cv2.getNumThreads() == before + 2
    assert cv2.getNumThreads() == before
    with pytest.raises(KeyError), opencv_threads(1):
        raise KeyError
    assert cv2.getNumThreads() == before
