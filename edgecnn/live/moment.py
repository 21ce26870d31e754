"""When a frame was: for people, and as part of a file's name."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecnn.spec import Frame


def clock(frame: Frame) -> str:
    """When a frame was, for people.

    Returns:
        The local time of day, such as "14:03:59"; of a video the position, such as "0:01:07.52".
    """
    if not frame.video:
        return time.strftime("%H:%M:%S", time.localtime(frame.time))
    hours, minutes, seconds, rest = _parts(frame.time, 100)
    return f"{hours}:{minutes:02}:{seconds:02}.{rest:02}"


def moment_name(frame: Frame) -> str:
    """When a frame was as part of a file's name, to the millisecond.

    Returns:
        The local date and time, such as "20261130-140359-127"; of a video its name and the position, such as
        "film-000107-520", so that two videos can be saved into one folder.
    """
    if not frame.video:
        return time.strftime("%Y%m%d-%H%M%S", time.localtime(frame.time)) + f"-{int(frame.time * 1000) % 1000:03d}"
    hours, minutes, seconds, rest = _parts(frame.time, 1000)
    return f"{plain_name(Path(frame.source).stem)}-{hours:02}{minutes:02}{seconds:02}-{rest:03}"


def plain_name(text: str) -> str:
    """A text as part of a file's name: letters, digits and _, at most 60, whatever labels a bundle has."""
    return re.sub(r"\W", "_", text)[:60] or "_"


def _parts(seconds: float, steps: int) -> tuple[int, int, int, int]:
    """Hours, minutes, seconds, and the rest in steps of a second."""
    whole, rest = divmod(round(seconds * steps), steps)
    return whole // 3600, whole // 60 % 60, whole % 60, rest
