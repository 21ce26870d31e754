"""How many threads OpenCV may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def opencv_threads(count: int) -> Iterator[None]:
    """Let OpenCV use this many threads of its own in this process, for as long as this lasts.

    It takes all cores if nobody says otherwise. A frame of 640x480 pixels is too small to be shared out: the other
    threads wait most of the time, and as they spin they make a board hot and keep its cores from whoever looks at the
    page. Larger frames gain (benchmarks/opencv_threads.py).

    Args:
        count: Threads, 1 or more.
    """
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
