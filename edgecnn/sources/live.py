"""A camera or a stream that gives the newest frame always, and comes back after it was lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from edgecnn.errors import SourceError
from edgecnn.sources.base import MAX_PIXELS, Notify, Retry, Source, silent
from edgecnn.spec import Frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STALL = 3.0
"""Seconds without a frame after which a camera or a stream counts as lost."""

START = 10.0
"""Seconds that the Raspberry Pi's camera may take to its first frame: a small board that is busy needs some."""


class Capture(Protocol):
    """An opened camera or stream. It is used by one thread only."""

    def read(self) -> tuple[NDArray[np.uint8], float]:
        """Wait for the next frame, for about `STALL` seconds at most, for the first one `START` where it needs that.

        Returns:
            The picture, an array of its own, uint8 BGR or grey; and the time of capture, in seconds since 1970.

        Raises:
            SourceError: There is no frame; the camera must be opened anew.
        """

    def close(self) -> None:
        """Give the device back."""


class LiveSource(Source):
    """Reads a camera in a thread of its own into one slot, so that what is taken is never an old frame.

    Args:
        name: What the frames come from, for people.
        open_capture: Opens the camera; called again each time it was lost. Raises SourceError.
        retry: How often and how fast.
        notify: Takes a line when the camera is lost, tried again, and back.
    """

    live = True

    def __init__(
        self, name: str, open_capture: Callable[[], Capture], retry: Retry | None = None, notify: Notify = silent
    ) -> None:
        super().__init__(name, notify)
        self._open = open_capture
        self._retry = retry or Retry()
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._slot: Frame | None = None
        self._taken = 0
        self._over = False
        self._error: SourceError | None = None
        self._told = ""
        self._thread = threading.Thread(target=self._work, name=f"edgecnn-source {name}", daemon=True)
        self._thread.start()

    def poll(self, timeout: float) -> Frame | None:
        """Take the newest frame, once; wait for it where there is none yet."""
        with self._news:
            self._news.wait_for(lambda: self._slot is not None or self._over, timeout)
            frame, self._slot = self._slot, None
            if frame is not None:
                self._taken += 1
                self.dropped = frame.index + 1 - self._taken
                return frame
            self.ended = self._over
            error, self._error = self._error, None
            if error is not None:
                raise error
            return None

    def close(self) -> None:
        """Stop the thread and give the camera back."""
        self._stop.set()
        with self._news:
            self.ended = self._over = True
            self._slot = None
            self._news.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        try:
            self._read_until_stopped()
        except SourceError as error:
            self._error = error
        finally:
            with self._news:
                self._over = True
                self._news.notify_all()

    def _read_until_stopped(self) -> None:
        attempt, index = 0, 0
        while not self._stop.is_set():
            opened = time.monotonic()
            lost = attempt > 0
            try:
                with closing(self._open()) as capture:
                    while not self._stop.is_set():
                        index = self._publish(*capture.read(), index)
                        if lost:
                            self._tell(f"{self.name}: frames {'again' if index > 1 else 'come'}")
                            lost = False
            except SourceError as error:
                if self._stop.is_set():
                    return
                if not lost and time.monotonic() - opened > self._retry.healthy:
                    attempt = 0
                attempt = self._wait(attempt + 1, error)

    def _wait(self, attempt: int, error: SourceError) -> int:
        attempts, delay = self._retry.attempts, self._retry.delay(attempt)
        if attempts is not None and attempt > attempts:
            tries = "1 try" if attempt == 2 else f"{attempt - 1} tries"
            tried = f" (given up after {tries})" if attempt > 1 else ""
            raise SourceError(f"{error}{tried}") from error
        self.lost = True
        if attempts is not None:
            self._tell(f"{error}; trying again in {delay:g} s ({attempt} of {attempts})")
        elif delay < self._retry.longest:
            self._tell(f"{error}; trying again in {delay:g} s")
        else:
            self._tell(f"{error}; trying again every {delay:g} s")
        self._stop.wait(delay)
        return attempt

    def _tell(self, line: str) -> None:
        """Notify, but not of what was said last: a camera may be away for weeks."""
        if line != self._told:
            self._told = line
            self._notify(line)

    def _publish(self, picture: NDArray[np.uint8], when: float, index: int) -> int:
        if picture.shape[0] * picture.shape[1] > MAX_PIXELS:
            raise SourceError(f"{self.name}: a frame of {picture.shape[1]}x{picture.shape[0]} pixels is too large")
        with self._news:
            self._slot = Frame(picture, when, index, self.name)
            self.lost = False
            self._news.notify_all()
        return index + 1
