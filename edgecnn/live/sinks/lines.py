"""Lines for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgecnn.live.moment import clock

if TYPE_CHECKING:
    from edgecnn.live.observation import Observation
    from edgecnn.spec import Reading

Write = Callable[[str], None]
"""Takes one line without its end."""


class JsonLines:
    """One line of JSON for each frame.

    Args:
        write: Takes each line.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, check_circular=False).encode

    def take(self, observation: Observation) -> None:
        """Write the observation."""
        self._write(self._encode(observation.as_json()))

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do: the lines' stream is not ours."""


class TextLines:
    """For pictures one line each; for a video or a camera one whenever the stable text changes, which tells when.

    Args:
        write: Takes each line.
        top: How many classes of each reading are told of.
    """

    def __init__(self, write: Write, top: int = 1) -> None:
        self._write = write
        self._top = top

    def take(self, observation: Observation) -> None:
        """Write the observation, where there is news."""
        if not observation.tracked:
            self._picture(observation)
        elif observation.changed:
            self._write(f"{clock(observation.frame)}  {observation.stable or '-'}")

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do: the lines' stream is not ours."""

    def _picture(self, observation: Observation) -> None:
        readings = observation.readings
        if len(readings) == 1:
            self._write(f"{observation.frame.source}: {self._ranking(readings[0])}")
            return
        least = f" (least sure {min(r.probability for r in readings):.1%})" if readings else ""
        self._write(f"{observation.frame.source}: {observation.text or 'nothing'}{least}")
        if self._top > 1:
            for reading in readings:
                self._write(f"  {self._ranking(reading)}  at {reading.box[0]},{reading.box[1]}")

    def _ranking(self, reading: Reading) -> str:
        return "  ".join(f"{label} {probability:.1%}" for label, probability in reading.top[: self._top])
