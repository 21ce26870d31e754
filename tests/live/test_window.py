"""The window, on a real X server: what it shows, and what its keys do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.live import display
from edgecnn.live.display import display_available
from tests.live.conftest import LONG, wait

RUN = [sys.executable, "-c", "from edgecnn.cli import main; main()", "run"]


@dataclass
class Screen:
    """An X server with one window of ours in it."""

    name: str
    folder: Path
    ffmpeg: Path
    xdotool: Path
    process: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: object) -> subprocess.Popen[bytes]:
        """Start `edgecnn run` on this screen and wait for its window."""
        command = [*RUN, *map(str, arguments)]
        with (self.folder / "out.txt").open("w") as out, (self.folder / "err.txt").open("w") as err:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self._environment(), stdout=out, stderr=err, stdin=subprocess.DEVNULL
            )
        wait(lambda: self._tool("search", "--name", "^edgecnn$").returncode == 0 or self.process.poll() is not None)
        return self.process

    def press(self, key: str) -> None:
        """Press a key and let it go.

        Both in calls of their own: when the window is gone by then, one call for both leaves the key pressed, and the
        next window gets it.
        """
        self._tool("search", "--name", "^edgecnn$", "windowfocus", "--sync")
        self._tool("keydown", key)
        self._tool("keyup", key)

    def picture(self) -> np.ndarray:
        """What the screen shows, uint8 BGR."""
        path = self.folder / "screen.png"
        grab = ["-f", "x11grab", "-video_size", "800x600", "-i", self.name, "-frames:v", "1", "-update", "1", path]
        subprocess.run([self.ffmpeg, "-v", "error", "-y", *grab], check=True, stdin=subprocess.DEVNULL)
        return cv2.imread(str(path))

    def ends(self) -> int:
        """Wait until the program has ended; its exit code."""
        try:
            return self.process.wait(LONG)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def said(self, name: str = "out.txt") -> str:
        """What the program wrote to its standard output (or, in err.txt, to its standard error)."""
        return (self.folder / name).read_text()

    def _tool(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([self.xdotool, *arguments], env=self._environment(), capture_output=True, check=False)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": self.name, "QT_LOGGING_RULES": "*=false"}


@pytest.fixture(scope="module")
def x_server(program, tmp_path_factory) -> Iterator[tuple[str, Path, Path]]:
    xvfb, xdotool, ffmpeg, manager = program("Xvfb"), program("xdotool"), program("ffmpeg"), program("icewm")
    reading, writing = os.pipe()
    command = [xvfb, "-displayfd", str(writing), "-screen", "0", "800x600x24", "-noreset", "-nolisten", "tcp", "-r"]
    server = subprocess.Popen(command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()
    if not number:
        pytest.fail("Xvfb did not start")
    # A desktop has a window manager. Without one Qt loses now and then the first Expose of a window and paints nothing.
    home = tmp_path_factory.mktemp("desktop")
    environment = {**os.environ, "DISPLAY": f":{number}", "HOME": str(home)}
    (home / ".icewm").mkdir()
    (home / ".icewm" / "preferences").write_text("ShowTaskBar=0\nTitleBarHeight=20\n")
    desktop = subprocess.Popen(
        [manager], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(2)
    yield f":{number}", ffmpeg, xdotool
    desktop.terminate()
    desktop.wait()
    server.terminate()
    server.wait()


@pytest.fixture
def screen(x_server, tmp_path) -> Iterator[Screen]:
    name, ffmpeg, xdotool = x_server
    opened = Screen(name, tmp_path, ffmpeg, xdotool)
    yield opened
    if opened.process is not None and opened.process.poll() is None:
        opened.process.kill()
        opened.process.wait()


@pytest.fixture
def film(tmp_path, scene) -> Path:
    """A minute of a sheet with the number 507: nothing that waits for it on a slow machine comes too late."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (640, 480))
    for _ in range(300):
        writer.write(scene("507"))
    writer.release()
    return path


def shows(screen: Screen, condition: Callable[[np.ndarray], bool]) -> None:
    def seen() -> bool:
        assert screen.process.poll() is None, f"the program has ended: {screen.said('err.txt')}"
        return condition(screen.picture())

    wait(seen)


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Which pixels are about of a colour."""
    return np.abs(picture.astype(int) - colour).max(axis=2) < 40


def centre(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The middle, y and x, of what is of a colour; the few pixels of it on the desktop around do not count."""
    return np.median(np.argwhere(near(picture, colour)), axis=0)


def green(picture: np.ndarray) -> int:
    """Pixels in the colour of a sure reading's box."""
    return int(near(picture, (80, 220, 80)).sum())


def test_the_window_shows_what_is_read_and_q_ends_it(screen, small_bundle, film):
    screen.run(small_bundle, film)
    shows(screen, lambda picture: green(picture) > 100)
    picture = screen.picture()
    assert (picture > 200).sum() > 100_000, "the sheet of paper"
    wait(lambda: "507" in screen.said())  # told when it has been the same for half a second
    screen.press("q")
    assert screen.ends() == 0


def test_space_pauses_h_helps_and_s_saves(screen, small_bundle, film):
    screen.run(small_bundle, film, "--show")
    shows(screen, lambda picture: green(picture) > 100)
    screen.press("space")
    time.sleep(0.5)
    shows(screen, lambda picture: np.array_equal(picture, screen.picture()))
    before = screen.picture()
    screen.press("h")
    shows(screen, lambda picture: not np.array_equal(picture, before))
    screen.press("s")
    wait(lambda: len(list(screen.folder.glob("film-*.png"))) == 1)
    (saved,) = screen.folder.glob("film-*.png")
    assert cv2.imread(str(saved)).shape == (480, 640, 3)
    assert screen.process.poll() is None
    screen.press("space")
    screen.press("q")
    assert screen.ends() == 0


def test_a_wrong_label_is_corrected_into_a_data_set(screen, small_bundle, film):
    screen.run(small_bundle, film, "--show", "--corrections", screen.folder / "set")
    shows(screen, lambda picture: green(picture) > 100)
    screen.press("c")
    shows(screen, lambda picture: int((picture[..., 2] > 200).sum() - (picture.min(axis=2) > 200).sum()) > 300)
    screen.press("x")  # no label
    screen.press("3")
    wait(lambda: len(list(screen.folder.glob("set/3/*.png"))) == 1)
    (crop,) = screen.folder.glob("set/3/*.png")
    assert cv2.imread(str(crop), cv2.IMREAD_UNCHANGED).shape == (28, 28)
    screen.press("q")
    assert screen.ends() == 0


def test_the_reading_that_is_corrected_is_framed_where_it_is_in_a_small_picture(screen, small_bundle, scene):
    cv2.imwrite(str(screen.folder / "small.png"), scene("5", (150, 110), zoom=2, at=(60, 40)))
    screen.run(small_bundle, "small.png", "--show")
    shows(screen, lambda picture: green(picture) > 100)
    box = centre(screen.picture(), (80, 220, 80))
    screen.press("c")
    shows(screen, lambda picture: bool(near(picture, (0, 0, 255)).sum() > 100))
    assert np.abs(centre(screen.picture(), (0, 0, 255)) - box).max() < 40
    screen.press("Escape")
    screen.press("q")
    assert screen.ends() == 0


def test_pictures_wait_for_a_key_each(screen, small_bundle, scene):
    for name, number in (("a.png", "12"), ("b.png", "34")):
        cv2.imwrite(str(screen.folder / name), scene(number))
    screen.run(small_bundle, "a.png", "b.png", "--show")
    shows(screen, lambda picture: green(picture) > 100)
    process = screen.process
    time.sleep(0.5)
    assert process.poll() is None
    first = screen.picture()
    screen.press("space")
    shows(screen, lambda picture: not np.array_equal(picture, first))
    screen.press("space")
    wait(lambda: process.poll() is not None or screen.press("space") is not None)
    assert screen.ends() == 0
    assert screen.said().splitlines()[1].startswith("b.png: 34")


def test_ctrl_c_closes_the_window(screen, small_bundle, film):
    screen.run(small_bundle, film, "--show")
    shows(screen, lambda picture: green(picture) > 100)
    screen.process.send_signal(signal.SIGINT)
    assert screen.ends() == 130, screen.said("err.txt")


def test_closing_the_window_by_its_frame_ends_it(screen, small_bundle, film):
    screen.run(small_bundle, film, "--show")
    shows(screen, lambda picture: green(picture) > 100)
    screen.press("alt+F4")
    assert screen.ends() == 0, screen.said("err.txt")


@pytest.mark.parametrize("value", ["", ":987", "nonsense", "127.0.0.1:9", "host.invalid:1", ":99999999"])
def test_a_display_that_does_not_answer_is_none(monkeypatch, value):
    monkeypatch.setenv("DISPLAY", value)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-99")
    assert not display_available()


def test_a_display_that_answers_is_one(monkeypatch, x_server):
    monkeypatch.setenv("DISPLAY", x_server[0])
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert display_available()
    monkeypatch.setenv("DISPLAY", x_server[0] + ".0")
    assert display_available()


def test_headless_opencv_has_no_windows(monkeypatch):
    assert display.windows_built_in() == ("QT" in cv2.getBuildInformation() or "GTK" in cv2.getBuildInformation())
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "\n  GUI:                           NONE\n")
    assert not display.windows_built_in()
