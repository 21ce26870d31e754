"""A sink in a thread of its own, so that a slow one never slows the camera."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from edgecnn.live.observation import Observation, Sink


class Detached:
    """Hands observations to a sink by way of a short queue. When the sink falls behind, the oldest are dropped.

    Args:
        sink: What is to take them; it is called by the new thread only.
        room: Observations that wait at most, 1 or more. Each holds a frame.

    Raises:
        ArgumentError: `room` is less than 1.
    """

    def __init__(self, sink: Sink, room: int = 8) -> None:
        if room < 1:
            raise ArgumentError(f"room: expected 1 or more, got {room}")
        self.dropped = 0
        self._sink = sink
        self._room = room
        self._waiting: deque[Observation] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"edgecnn-sink {type(sink).__name__}", daemon=True)
        self._thread.start()

    def take(self, observation: Observation) -> None:
        """Queue an observation.

        Raises:
            Exception: What the sink raised when it took an earlier one.
        """
        self._raise_failure()
        with self._news:
            if len(self._waiting) == self._room:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(observation)
            self._news.notify()

    def idle(self) -> None:
        """Raise what the sink raised."""
        self._raise_failure()

    def close(self) -> None:
        """Wait until the sink has taken what waits, and close it."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()
        self._raise_failure()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _work(self) -> None:
        try:
            try:
                while (observation := self._oldest()) is not None:
                    self._sink.take(observation)
            finally:
                self._sink.close()
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that hands over
            self._failure = error

    def _oldest(self) -> Observation | None:
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._closing)
            return self._waiting.popleft() if self._waiting else None
