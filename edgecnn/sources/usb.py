"""USB cameras of Linux, by number, by device file and by name."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.errors import ArgumentError, SourceError
from edgecnn.sources.base import CameraMode, Notify, Retry, silent
from edgecnn.sources.live import STALL, LiveSource
from edgecnn.sources.opencv import be_quiet, open_capture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEVICES = Path("/dev")
SYSFS = Path("/sys/class/video4linux")
_RASPBERRY = re.compile(r"unicam|rp1-cfe|bcm2835|pispbe|rpi-hevc")
"""Names that the kernel gives to the parts of a Raspberry Pi's camera, which are no cameras by themselves."""


def cameras() -> dict[Path, str]:
    """The video devices of this machine that a picture may come from: device file -> name given by the kernel."""
    found = {}
    for entry in sorted(SYSFS.glob("video*"), key=lambda path: int(path.name[5:]) if path.name[5:].isdigit() else 0):
        name, index = _line(entry / "name"), _line(entry / "index")
        if index in ("", "0"):  # A camera's further devices carry metadata, no pictures.
            found[DEVICES / entry.name] = name
    return found


def usb_source(
    which: str, mode: CameraMode | None = None, retry: Retry | None = None, notify: Notify = silent
) -> LiveSource:
    """Open a USB camera.

    Args:
        which: "0", "/dev/video0", or "usb:" and a part of the camera's name in any case.
        mode: Size and rate asked for.
        retry: How often and how fast it is tried again.
        notify: Takes lines for people.

    Returns:
        A live source. A camera that is busy, or is unplugged later, is tried again.

    Raises:
        ArgumentError: `which` is none of these.
        SourceError: No such camera is there to begin with, and `retry` does not wait for it; lists those that are.
    """
    asked = mode or CameraMode()
    if not re.fullmatch(r"\d{1,3}|/dev/video\d{1,3}|usb:.+", which):
        raise ArgumentError(f"source: expected a number, /dev/videoN or usb:NAME, got {which!r}")
    if retry is None or not retry.absent:
        find_device(which)
    be_quiet()
    return LiveSource(f"camera {which}", lambda: _UsbCapture(find_device(which), which, asked), retry, notify)


def find_device(which: str) -> Path:
    """Find the device file of a camera.

    Args:
        which: As in `usb_source`.

    Returns:
        The device file, which exists.

    Raises:
        SourceError: No such camera; lists those that are there.
    """
    there = cameras()
    listed = ", ".join(f"{path} ({name})" for path, name in there.items()) or "none"
    if which.startswith("usb:"):
        wanted = which[4:].lower()
        for device, name in there.items():
            if wanted in name.lower():
                return device
        raise SourceError(f"camera {which}: no camera with that name is plugged in; cameras here: {listed}")
    device = DEVICES / f"video{which}" if which.isdigit() else Path(which)
    name = _line(SYSFS / device.name / "name")
    if _RASPBERRY.search(name):
        raise SourceError(f"camera {which}: {device} is part of the Raspberry Pi's camera ({name}); use the source csi")
    if not device.exists():
        raise SourceError(f"camera {which}: {device} is absent; cameras here: {listed}")
    return device


def _line(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _holder(device: Path) -> str:
    """The process that has the device open, as far as this user may see it."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == device and link.parts[2] != str(os.getpid()):
                return f", in use by {_line(Path('/proc', link.parts[2], 'comm'))} (process {link.parts[2]})"
        except OSError:
            continue
    return ""


class _UsbCapture:
    """One opened V4L2 device."""

    def __init__(self, device: Path, which: str, mode: CameraMode) -> None:
        self._name = f"camera {which}"
        self._device = device
        try:
            os.close(os.open(device, os.O_RDWR | os.O_NONBLOCK))
        except OSError as error:
            hint = "; add the user to the group video" if isinstance(error, PermissionError) else _holder(device)
            raise SourceError(f"{self._name}: {device} does not open: {error.strerror}{hint}") from error
        import cv2

        properties = {"CAP_PROP_FRAME_WIDTH": mode.width, "CAP_PROP_FRAME_HEIGHT": mode.height}
        if mode.width * mode.height > 640 * 480:  # More than that does not pass uncompressed through USB 2.
            properties = {"CAP_PROP_FOURCC": cv2.VideoWriter.fourcc(*"MJPG"), **properties}
        self._capture = open_capture(int(device.name[5:]), "CAP_V4L2", properties | {"CAP_PROP_FPS": mode.rate})
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(f"{self._name}: {device} gives no video{_holder(device)}")

    def read(self) -> tuple[NDArray[np.uint8], float]:
        """Wait for the next frame."""
        import cv2

        ok, picture = self._capture.read()
        if not ok or picture is None:
            why = "gave no frame" if self._device.exists() else "was unplugged"
            raise SourceError(f"{self._name}: {self._device} {why}{_holder(self._device)}")
        # The driver stamps a buffer when the picture was taken, by the monotonic clock.
        age = time.monotonic() - self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return picture, time.time() - (age if 0 <= age < STALL else 0.0)

    def close(self) -> None:
        """Give the device back."""
        self._capture.release()
