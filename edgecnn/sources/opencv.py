"""The one door to cv2.VideoCapture: without a word on stderr, and with time limits."""

from __future__ import annotations

import os
from typing import Any


def be_quiet() -> None:
    """Keep OpenCV and FFmpeg from printing.

    What goes wrong is told by our own errors, and what FFmpeg prints may hold the password of an address. To be called
    by the thread that makes a source, not by the one that reads it: the environment is no place for two.
    A variable that the user has set stays.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")  # Seconds; OpenCV would wait for 10.


def open_capture(what: str | int, backend: str, properties: dict[str, float]) -> Any:
    """Open a cv2.VideoCapture.

    Args:
        what: A path, a URL or the number of a device.
        backend: Name of a constant of cv2, such as "CAP_FFMPEG".
        properties: Names of constants of cv2 with the values to open with.

    Returns:
        The capture, which may not be opened: ask `isOpened()`.
    """
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    pairs = [number for name, value in properties.items() for number in (getattr(cv2, name), round(value))]
    return cv2.VideoCapture(what, getattr(cv2, backend), pairs)
