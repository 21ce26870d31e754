"""A window with keys."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.errors import SourceError
from edgecnn.live.corrections import Corrections
from edgecnn.live.display import display_available, windows_built_in
from edgecnn.live.moment import moment_name
from edgecnn.live.sinks.save import write_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecnn.live.observation import Controls, Observation
    from edgecnn.spec import Reading

TITLE = "edgecnn"
HELP = ("q  quit", "s  save this frame", "space  pause, go on", "c  correct a label", "h  this help")
ESCAPE, TAB, ENTER = 27, 9, 13


class Window:
    """Shows frames with their overlay. Only for the thread that runs the loop: a window system wants one thread.

    Keys: q quit, s save the frame, space pause, c correct a label, h help. Correcting: Tab goes to the next reading, a
    key gives its label (its first letter, or the digit), Escape leaves.

    Args:
        controls: The loop.
        saved: Folder for saved frames.
        corrections: Where corrected crops go.

    Raises:
        SourceError: There is no display, or this OpenCV has no windows.
    """

    def __init__(self, controls: Controls, saved: Path, corrections: Corrections) -> None:
        if not display_available():
            raise SourceError("show: there is no display here (DISPLAY, WAYLAND_DISPLAY); --serve shows a page instead")
        if not windows_built_in():
            raise SourceError(
                "show: opencv-python-headless has no windows; --serve shows a page instead, or: "
                "pip uninstall opencv-python-headless && pip install opencv-python"
            )
        import cv2

        self._controls = controls
        self._saved = saved
        self._corrections = corrections
        self._last: Observation | None = None
        self._help = False
        self._note = ("", 0.0)
        self._correcting: int | None = None
        self._was_paused = False
        self._appeared = False
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)

    def take(self, observation: Observation) -> None:
        """Show the frame and act on a key."""
        import cv2

        if self._last is None or self._last.frame.picture.shape != observation.frame.picture.shape:
            height, width = observation.overlay().shape[:2]
            share = min(1.0, 1280 / width, 800 / height)
            cv2.resizeWindow(TITLE, max(160, round(width * share)), max(120, round(height * share)))
        self._last = observation
        self._refresh()

    def idle(self) -> None:
        """Act on a key while nothing new is there to show."""
        self._refresh()

    def close(self) -> None:
        """Close the window."""
        import cv2

        cv2.destroyAllWindows()

    def _refresh(self) -> None:
        import cv2

        visible = _visible()
        if self._appeared and not visible:  # closed by its frame; asked first, since showing a picture opens it again
            self._controls.stop()
            return
        self._appeared = visible
        if self._last is not None:
            picture = self._last.overlay()
            lines = self._lines(self._last)
            if lines or self._correcting is not None:
                picture = self._annotated(picture, lines)
            cv2.imshow(TITLE, picture)
        key = cv2.pollKey()
        if key >= 0:
            self._act(key & 0xFF)

    def _lines(self, observation: Observation) -> list[str]:
        lines: list[str] = []
        if self._help:
            lines += HELP
        if self._correcting is not None:
            label = observation.readings[self._correcting].label
            lines.append(f"{label} is wrong: press its right label; Tab next, Esc leave")
        elif self._controls.paused:
            lines.append("paused: space goes on")
        text, until = self._note
        if time.monotonic() < until:
            lines.append(text)
        return lines

    def _annotated(self, picture: NDArray[np.uint8], lines: list[str]) -> NDArray[np.uint8]:
        import cv2

        from edgecnn.vision.draw import scaled, zoom

        picture = picture.copy()
        height = picture.shape[0]
        if self._correcting is not None and self._last is not None:
            box = self._last.readings[self._correcting].box
            x, y, width, high = scaled(box, zoom(self._last.frame.picture))
            cv2.rectangle(picture, (x - 3, y - 3), (x + width + 3, y + high + 3), (0, 0, 255), 3)
        scale = max(0.45, height / 900)
        step = round(34 * scale)
        top = height - step * len(lines) - 6
        picture[max(top - 6, 0) :] = 24
        for number, line in enumerate(lines):
            at = (10, top + step * number + round(22 * scale))
            cv2.putText(picture, line, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
        return picture

    def _act(self, key: int) -> None:
        if self._correcting is not None:
            self._correct(key)
        elif key == ord("q"):
            self._controls.stop()
        elif key == ord("h"):
            self._help = not self._help
        elif key == ord(" "):
            (self._controls.resume if self._controls.paused else self._controls.pause)()
        elif self._last is not None and key == ord("s"):
            path = self._saved / f"{moment_name(self._last.frame)}.png"
            write_picture(path, self._last.frame.picture)
            self._tell(f"saved {path}")
        elif self._last is not None and key == ord("c"):
            self._begin_correction(self._last.readings)

    def _begin_correction(self, readings: tuple[Reading, ...]) -> None:
        if not readings:
            self._tell("nothing is read here that could be corrected")
            return
        self._was_paused = self._controls.paused
        self._controls.pause()
        # The least sure one is the likeliest to be wrong.
        self._correcting = min(range(len(readings)), key=lambda index: readings[index].probability)

    def _correct(self, key: int) -> None:
        observation, index = self._last, self._correcting
        if observation is None or index is None:
            return
        if key == TAB:
            self._correcting = (index + 1) % len(observation.readings)
            return
        if key != ESCAPE:
            path = self._corrections.add(observation.frame, observation.readings[index], chr(key))
            if path is None:
                self._tell(f"no label begins with {chr(key)!r}")
                return
            self._tell(f"saved {path}")
        self._correcting = None
        if not self._was_paused:
            self._controls.resume()

    def _tell(self, line: str) -> None:
        self._note = (line, time.monotonic() + 3)


def _visible() -> bool:
    """Whether the window is there; it may have been closed by its frame."""
    import cv2

    try:
        return cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1
    except cv2.error as error:
        if error.code != cv2.Error.StsNullPtr:
            raise
        return False  # Qt's own state goes with its last window
