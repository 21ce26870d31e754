"""`edgecnn run SOURCE --serve` whose camera is absent, busy or lost: the page is there, says so, and sees it come."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.sources.conftest import RPICAM, Server, mjpeg_server, part

RUN = [sys.executable, "-c", "from edgecnn.cli import main; main()", "run"]
LONG = 120


class Process:
    """A running `edgecnn run ... --serve`, asked over its page."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        self.process = subprocess.Popen(
            [*RUN, *map(str, arguments), "--serve", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    @cached_property
    def port(self) -> int:
        """Where its page is, once it says so."""
        return int(self.wait_for("open http://").rsplit(":", 1)[1].strip(" /\n"))

    def _listen(self) -> None:
        for line in self.process.stderr:
            self.said.append(line)
            self._lines.put(line)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.listener.join()
        self.process.stderr.close()

    def wait_for(self, words: str) -> str:
        """The next line on stderr with these words."""
        while words not in (line := self._lines.get(timeout=LONG)):
            pass
        return line

    def ask(self, method: str, path: str, size: int | None = None, body: bytes | None = None) -> tuple[int, bytes]:
        """One request: status and body, of a stream its first bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read(size)

    def health(self) -> tuple[int, str]:
        status, line = self.ask("GET", "/healthz")
        return status, line.decode()

    def healthy(self) -> None:
        """Wait until /healthz says so."""
        limit = time.monotonic() + LONG
        while self.health()[0] != 200:
            assert time.monotonic() < limit, self.said
            time.sleep(0.1)

    def message(self, wanted: Callable[[dict], bool]) -> dict:
        """The next message of the page for which `wanted` holds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        limit = time.monotonic() + LONG
        with contextlib.closing(connection):
            connection.request("GET", "/api/readings")
            answer = connection.getresponse()
            while time.monotonic() < limit:
                line = answer.readline()
                if line.startswith(b"data: ") and wanted(message := json.loads(line[6:])):
                    return message
        raise AssertionError(f"no such message; {self.said}")


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def begin(*arguments: object, **environment: str) -> Process:
        running.append(Process(*arguments, **environment))
        return running[-1]

    yield begin
    for one in running:
        one.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def seven() -> np.ndarray:
    frame = np.full((240, 320, 3), 240, np.uint8)
    return cv2.polylines(frame, [np.array([(110, 60), (200, 60), (150, 190)])], False, (20, 20, 20), 12, cv2.LINE_AA)


def camera(port: int) -> Server:
    """A camera in the network that shows a 7."""
    data = part(bytes(cv2.imencode(".jpg", seven())[1]))

    def endless() -> Iterator[bytes]:
        while True:
            yield data
            time.sleep(0.05)

    return mjpeg_server(endless, port)


def test_stream_that_comes_later_and_goes_and_comes_back(shipped: Path, start) -> None:
    port = free_port()
    run = start(shipped, f"http://bob:secret@127.0.0.1:{port}/")
    waiting = run.message(lambda message: "no stream there" in str(message["note"]))
    assert "trying again" in waiting["note"] and waiting["text"] == "" and waiting["fps"] is None
    assert run.health() == (503, "no frame yet")
    server = camera(port)
    run.healthy()
    assert run.message(lambda message: message["text"] == "7" and message["note"] is None)["frame"] > 0
    server.kill()
    run.message(lambda message: "broke off" in str(message["note"]) or "no stream there" in str(message["note"]))
    assert run.health() == (503, "the camera is lost, and tried again")
    server = camera(port)
    run.wait_for("frames again")
    run.message(lambda message: message["text"] == "7" and message["note"] is None)
    run.healthy()
    assert run.process.poll() is None, "one process all the time"
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(LONG) == 0
    server.kill()
    assert "secret" not in "".join(run.said)


def test_camera_of_the_board_that_is_installed_and_plugged_in_later(shipped: Path, start, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "mode").write_text("absent")
    run = start(shipped, "csi", PATH=f"{programs}:{os.environ['PATH']}")
    run.message(lambda message: "sudo apt install rpicam-apps; trying again" in str(message["note"]))
    script = programs / "rpicam-vid.new"
    script.write_text(RPICAM.format(python=sys.executable))
    script.chmod(0o755)
    script.rename(programs / "rpicam-vid")
    run.message(lambda message: "no cameras available" in str(message["note"]))
    assert run.health() == (503, "no frame yet")
    (programs / "mode").write_text("")
    run.healthy()
    run.message(lambda message: message["fps"] is not None and message["note"] is None)


@pytest.mark.parametrize(("frames", "number", "code"), [(20, signal.SIGINT, 0), (20, signal.SIGTERM, 0), (0, None, 1)])
def test_page_of_a_film_that_has_ended_stays(
    shipped: Path, start, tmp_path: Path, frames: int, number: int | None, code: int
) -> None:
    film = tmp_path / "seven.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 20, (320, 240))
    for _ in range(frames):
        writer.write(seven())
    writer.release()
    run = start(shipped, film)
    if number is not None:
        assert run.port
        assert run.wait_for("has ended") == f"edgecnn: {film} has ended; the page stays until Ctrl-C\n"
        for _ in range(2):  # also who comes after everybody has left sees it
            last = run.message(lambda message: True)
            assert (last["text"], last["frame"]) == ("7", frames - 1)
            assert (last["note"], last["ended"], last["running"]) == ("the source has ended", True, False)
            assert run.ask("GET", "/stream.mjpg", 4096)[1].count(b"Content-Type: image/jpeg") == 1
        assert run.health() == (503, "the source has ended")
        status, answer = run.ask("POST", "/api/read", body=cv2.imencode(".png", seven())[1].tobytes())
        assert status == 200 and json.loads(answer)["text"] == "7"
        assert run.ask("POST", "/api/start") == (409, b"the source has ended")
        run.process.send_signal(number)
    assert run.process.wait(LONG) == code
    run.listener.join()
    assert "Traceback" not in "".join(run.said) and "edgecnn: interrupted\n" not in run.said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_interrupted_before_the_camera_came(shipped: Path, start, number: int, code: int) -> None:
    run = start(shipped, "/dev/video99")
    assert run.health()[0] == 503
    run.wait_for("trying again")
    run.process.send_signal(number)
    assert run.process.wait(LONG) == code
    run.listener.join()
    assert ("edgecnn: interrupted\n" in run.said) == (code == 130) and "Traceback" not in "".join(run.said)


@pytest.mark.parametrize("source", ["/dev/video99", "csi"])
def test_tries_that_were_counted_come_to_an_end(shipped: Path, start, source: str, tmp_path: Path) -> None:
    run = start(shipped, source, "--retries", "1", PATH=str(tmp_path))
    assert "(given up after 1 try)" in run.wait_for("given up")
    assert run.process.wait(LONG) == 1 and "Traceback" not in "".join(run.said)
