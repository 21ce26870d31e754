"""The Raspberry Pi's own camera under libcamera: picamera2 where it can be imported, else rpicam-vid through a pipe."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

from edgecnn.errors import ArgumentError, SourceError
from edgecnn.sources.base import CameraMode, Notify, Retry, silent
from edgecnn.sources.live import STALL, START, Capture, LiveSource
from edgecnn.sources.mjpeg import JpegSplitter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PROGRAMS = ("rpicam-vid", "libcamera-vid")
"""The program's name today, and before Raspberry Pi OS bookworm."""


def csi_source(
    which: str = "csi", mode: CameraMode | None = None, retry: Retry | None = None, notify: Notify = silent
) -> LiveSource:
    """Open the Raspberry Pi's camera.

    Args:
        which: "csi", or "csi:" and the number of the camera.
        mode: Size and rate asked for.
        retry: How often and how fast it is tried again.
        notify: Takes lines for people.

    Returns:
        A live source.

    Raises:
        ArgumentError: `which` is none of these.
        SourceError: Nothing is installed that reads the camera, and `retry` does not wait for it.
    """
    if not re.fullmatch(r"csi(:\d)?", which):
        raise ArgumentError(f"source: expected csi or csi:N, got {which!r}")
    asked, number, name = mode or CameraMode(), int(which[4:] or 0), f"camera {which}"
    awaited = retry is not None and retry.absent
    if not awaited and _program() is None and _library() is None:  # in this order: to import picamera2 takes long
        raise SourceError(_nothing(name))
    return LiveSource(name, lambda: _open(number, name, asked), retry, notify)


def _open(number: int, name: str, mode: CameraMode) -> Capture:
    picamera2 = _library()
    return _PipeCapture(number, name, mode) if picamera2 is None else _Picamera2Capture(picamera2, number, name, mode)


def _library() -> Any:
    """The module picamera2, or None."""
    try:
        import picamera2
    except ImportError:
        return None
    return picamera2


def _program() -> str | None:
    return next((found for found in map(shutil.which, PROGRAMS) if found), None)


def _nothing(name: str) -> str:
    return f"{name}: neither picamera2 nor {PROGRAMS[0]} is here; on a Raspberry Pi: sudo apt install rpicam-apps"


class _Picamera2Capture:
    """The camera through Raspberry Pi's Python library."""

    def __init__(self, picamera2: Any, number: int, name: str, mode: CameraMode) -> None:
        self._name = name
        self._patience = START
        try:
            self._camera = picamera2.Picamera2(number)
        except (RuntimeError, IndexError) as error:
            raise SourceError(f"{name}: picamera2 cannot open it: {error} (cable? used by another program?)") from error
        try:
            # "RGB888" of libcamera lies in memory as blue, green, red: OpenCV's order.
            configuration = self._camera.create_video_configuration(
                main={"size": (mode.width, mode.height), "format": "RGB888"}, controls={"FrameRate": mode.rate}
            )
            self._camera.configure(configuration)
            self._camera.start()
        except RuntimeError as error:
            self._camera.close()
            raise SourceError(f"{name}: picamera2 cannot start it: {error}") from error

    def read(self) -> tuple[NDArray[np.uint8], float]:
        """Wait for the next frame."""
        try:
            request = self._camera.capture_request(wait=self._patience)
        except (RuntimeError, TimeoutError) as error:
            raise SourceError(f"{self._name}: no frame for {self._patience:g} s ({error})") from error
        self._patience = STALL
        try:
            picture = request.make_array("main")
            stamp = request.get_metadata().get("SensorTimestamp")
        finally:
            request.release()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - stamp / 1e9 if stamp else 0.0
        return picture, time.time() - (age if 0 <= age < STALL else 0.0)

    def close(self) -> None:
        """Stop the camera."""
        self._camera.stop()
        self._camera.close()


class _PipeCapture:
    """The camera through rpicam-vid, which writes one JPEG after the other to its standard output.

    JPEG and not raw YUV420: its frames carry their own size and bounds, whatever stride the sensor's mode has.
    """

    def __init__(self, number: int, name: str, mode: CameraMode) -> None:
        self._name = name
        program = _program()
        if program is None:
            raise SourceError(_nothing(name))
        self._patience = START
        self._said = b""
        self._frames = JpegSplitter()
        self._process = subprocess.Popen(
            [
                *(program, "--timeout", "0", "--nopreview", "--verbose", "0", "--camera", str(number)),
                *("--width", str(mode.width), "--height", str(mode.height), "--framerate", f"{mode.rate:g}"),
                *("--codec", "mjpeg", "--quality", "90", "--flush", "--output", "-"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us; we end the program ourselves.
        )
        self._pipes = selectors.DefaultSelector()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._pipes.register(pipe, selectors.EVENT_READ)

    def read(self) -> tuple[NDArray[np.uint8], float]:
        """Wait for the next frame; of several that have come at once, the last."""
        import cv2
        import numpy as np

        limit = time.monotonic() + self._patience
        while time.monotonic() < limit:
            frames = self._pump(limit - time.monotonic())
            now = time.time()
            if frames:
                picture = cv2.imdecode(np.frombuffer(frames[-1], np.uint8), cv2.IMREAD_COLOR)
                if picture is not None:
                    self._patience = STALL
                    return picture.astype(np.uint8, copy=False), now
        raise SourceError(f"{self._name}: no frame for {self._patience:g} s")

    def _pump(self, timeout: float) -> list[bytes]:
        """Read what the program has written, from both of its outputs."""
        frames: list[bytes] = []
        for key, _ in self._pipes.select(timeout):
            data = os.read(key.fd, 1 << 20)
            if key.fileobj is self._process.stderr:
                self._said = (self._said + data)[-2000:]
                if not data:
                    self._pipes.unregister(key.fileobj)
            elif data:
                frames += self._frames.feed(data)
            else:
                raise SourceError(f"{self._name}: {self._end()}")
        return frames

    def _end(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        if self._process.stderr is not None:
            with contextlib.suppress(BlockingIOError):
                self._said = (self._said + os.read(self._process.stderr.fileno(), 4096))[-2000:]
        lines = [line for line in self._said.decode(errors="replace").splitlines() if line.strip()]
        said = f": {lines[-1].strip()[:200]}" if lines else ""
        return f"the camera program ended with code {self._process.poll()}{said}"

    def close(self) -> None:
        """End the program."""
        self._process.terminate()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pipes.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
