"""Streams over the network: RTSP, and MJPEG or anything else that FFmpeg knows over HTTP."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edgecnn.errors import ArgumentError, SourceError
from edgecnn.sources.base import Notify, Retry, silent
from edgecnn.sources.live import STALL, LiveSource
from edgecnn.sources.opencv import be_quiet, open_capture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMES = ("rtsp", "rtsps", "http", "https")
OPEN_LIMIT = 10.0
"""Seconds in which a stream must have answered and shown its first frame."""
_SECRET = re.compile(r"(?i)\b([^=&;]*(?:pass|pwd|token|key|secret|auth|user|login)[^=&;]*)=[^&;]*")


def shown_url(url: str) -> str:
    """Give a URL as it may be shown: without user, password and whatever in its query looks like one.

    Args:
        url: The URL as the user gave it, well formed or not.

    Returns:
        The same with `***` in place of the secrets.
    """
    scheme, separator, rest = url.partition("://")
    # Up to the last @: a password may hold / and ? which its owner has not escaped.
    _, secret, rest = rest.rpartition("@")
    address, question, query = rest.partition("?")
    hidden = "***@" if secret else ""
    return scheme + separator + hidden + address + question + _SECRET.sub(r"\1=***", query)


def stream_source(url: str, retry: Retry | None = None, notify: Notify = silent) -> LiveSource:
    """Follow a stream.

    Args:
        url: rtsp://, rtsps://, http:// or https:// with a host; a user and password may be in it.
        retry: How often and how fast it is tried again.
        notify: Takes lines for people.

    Returns:
        A live source.

    Raises:
        ArgumentError: It is no such URL.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ArgumentError(f"source: expected {known} and a host, got {shown_url(url)}")
    be_quiet()
    name = shown_url(url)
    return LiveSource(name, lambda: _StreamCapture(url, name), retry, notify)


class _StreamCapture:
    """One connection to a stream."""

    def __init__(self, url: str, name: str) -> None:
        self._name = name
        # One thread for decoding: FFmpeg's frame threads hold back as many frames as there are threads.
        properties = {
            "CAP_PROP_OPEN_TIMEOUT_MSEC": OPEN_LIMIT * 1000,
            "CAP_PROP_READ_TIMEOUT_MSEC": STALL * 1000,
            "CAP_PROP_N_THREADS": 1,
        }
        self._capture = open_capture(url, "CAP_FFMPEG", properties)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(f"{name}: no stream there (host, port, path and password right? does the camera run?)")

    def read(self) -> tuple[NDArray[np.uint8], float]:
        """Wait for the next frame."""
        ok, picture = self._capture.read()
        if not ok or picture is None:
            raise SourceError(f"{self._name}: the stream broke off or gave no frame for {STALL:g} s")
        return picture, time.time()

    def close(self) -> None:
        """Close the connection."""
        self._capture.release()
