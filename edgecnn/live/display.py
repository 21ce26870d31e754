"""Whether a window can be shown here: asked before OpenCV is, since Qt ends the whole process when it cannot."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

SOCKETS = Path("/tmp/.X11-unix")
"""Where every X server has its socket."""


def display_available() -> bool:
    """Whether an X or Wayland display answers to DISPLAY or WAYLAND_DISPLAY."""
    wayland = os.environ.get("WAYLAND_DISPLAY")
    if wayland:
        path = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / wayland
        if _answers(socket.AF_UNIX, str(path)):
            return True
    match = re.fullmatch(r"([^:]*):(\d+)(?:\.\d+)?", os.environ.get("DISPLAY", ""))
    if match is None:
        return False
    host, number = match[1], int(match[2])
    if host in ("", "unix"):
        return _answers(socket.AF_UNIX, f"{SOCKETS}/X{number}") or _answers(socket.AF_UNIX, f"\0{SOCKETS}/X{number}")
    return number <= 59_535 and _answers(socket.AF_INET, (host, 6000 + number))


def windows_built_in() -> bool:
    """Whether this OpenCV can show windows; opencv-python-headless cannot."""
    import cv2

    return re.search(r"^\s*GUI:\s+NONE\s*$", str(cv2.getBuildInformation()), re.MULTILINE) is None


def _answers(family: int, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        try:
            client.connect(address)
        except OSError:
            return False
        return True
