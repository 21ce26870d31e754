"""Real streams for the tests: MJPEG over HTTP, RTSP, a program that speaks like rpicam-vid, video files."""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

BITS = 12


def numbered(number: int, size: tuple[int, int] = (320, 240)) -> np.ndarray:
    """A picture that holds a number as twelve black or white fields, which survive every codec."""
    picture = np.full((size[1], size[0], 3), 128, np.uint8)
    for bit in range(BITS):
        left, right = bit * size[0] // BITS, (bit + 1) * size[0] // BITS
        picture[: size[1] // 2, left:right] = 255 if number >> bit & 1 else 0
    return picture


def number_of(picture: np.ndarray) -> int:
    """The number in a picture that `numbered` made."""
    height, width = picture.shape[:2]
    centres = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    return sum(int(picture[height // 4, x].mean() > 127) << bit for bit, x in enumerate(centres))


def descriptors() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def told_by_a_fresh_process(*texts: str) -> tuple[str, str]:
    """What opening and following a source for some frames writes, as (stdout, stderr) of a process of its own.

    FFmpeg looks only once in a process at how much it may say, so this one, which has written videos, tells nothing.
    """
    code = (
        "import sys\nfrom itertools import islice\nfrom edgecnn.errors import EdgecnnError\n"
        "from edgecnn.sources import Retry, open_source\n"
        "try:\n"
        "    with open_source(sys.argv[1:], retry=Retry(1, 0.01), notify=print) as source:\n"
        "        print(len(list(islice(source, 5))), 'frames')\n"
        "except EdgecnnError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *texts], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def jpeg(picture: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1])


def part(data: bytes) -> bytes:
    """One part of multipart/x-mixed-replace."""
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(data), data)


def counting(rate: float = 30, begin: int = 0, count: int = 100_000) -> Iterator[bytes]:
    for number in range(begin, begin + count):
        yield part(jpeg(numbered(number % (1 << BITS))))
        time.sleep(1 / rate)


class Server(socketserver.ThreadingTCPServer):
    """A TCP server on 127.0.0.1 that can be killed with all of its connections, and started again on its port."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[socketserver.BaseRequestHandler], port: int = 0) -> None:
        self.open: set[socket.socket] = set()
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", port), handler)
        self.port = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def process_request(self, request: socket.socket, client_address: object) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error of the server."""

    def kill(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join()


def mjpeg_server(parts: Callable[[], Iterator[bytes]], port: int = 0, login: str | None = None) -> Server:
    """Serve what `parts` gives, anew to each client, over HTTP; ask for `login` ("user:password") if there is one."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines = iter(lambda: self.rfile.readline().strip(), b"")
            request = b"\n".join(lines).decode()
            self.server.asked.append(request)
            if login and base64.b64encode(login.encode()).decode() not in request:
                self.wfile.write(b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n')
                return
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
            with contextlib.suppress(OSError):
                for data in parts():
                    self.wfile.write(data)

    return Server(Handler, port)


SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"
ANSWERS = {
    "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN",
    "DESCRIBE": "Content-Type: application/sdp",
    "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1",
    "PLAY": "Session: 1",
    "TEARDOWN": "Session: 1",
}


def rtsp_server(transport_stream: bytes, seconds: float, port: int = 0, login: str | None = None) -> Server:
    """Serve an MPEG transport stream in a loop over RTSP with RTP interleaved in TCP (RFC 2326, RFC 2250)."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                while request := b"\n".join(iter(lambda: self.rfile.readline().strip(), b"")).decode():
                    self.server.asked.append(request)
                    method = request.split()[0]
                    number = next(line for line in request.splitlines() if line.lower().startswith("cseq"))
                    if login and base64.b64encode(login.encode()).decode() not in request:
                        self.answer(f'401 Unauthorized\r\n{number}\r\nWWW-Authenticate: Basic realm="x"')
                        continue
                    body = SDP if method == "DESCRIBE" else ""
                    self.answer(f"200 OK\r\n{number}\r\n{ANSWERS[method]}", body)
                    if method == "PLAY":
                        self.play()

        def answer(self, head: str, body: str = "") -> None:
            length = f"\r\nContent-Length: {len(body)}" if body else ""
            self.wfile.write(f"RTSP/1.0 {head}{length}\r\n\r\n{body}".encode())

        def play(self) -> None:
            sequence, piece = 0, 7 * 188
            pieces = [transport_stream[at : at + piece] for at in range(0, len(transport_stream), piece)]
            while True:
                for data in pieces:
                    stamp = int(sequence * seconds / len(pieces) * 90_000) & 0xFFFFFFFF
                    packet = struct.pack("!BBHII", 0x80, 33, sequence & 0xFFFF, stamp, 1) + data
                    self.wfile.write(struct.pack("!cBH", b"$", 0, len(packet)) + packet)
                    sequence += 1
                    time.sleep(seconds / len(pieces))

    return Server(Handler, port)


@pytest.fixture(scope="session")
def transport_stream(program, tmp_path_factory) -> tuple[bytes, float]:
    """Four seconds of MPEG-2 video, 320x240, as an MPEG transport stream."""
    path = tmp_path_factory.mktemp("ts") / "test.ts"
    source = "testsrc=size=320x240:rate=25"
    command = [
        program("ffmpeg"),
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        source,
        "-t",
        "4",
        "-c:v",
        "mpeg2video",
        "-g",
        "10",
    ]
    subprocess.run([*command, "-f", "mpegts", path], check=True, stdin=subprocess.DEVNULL)
    return path.read_bytes(), 4.0


def write_video(
    path: Path, count: int, size: tuple[int, int] = (320, 240), rate: float = 25, codec: str = "MJPG"
) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, size)
    assert writer.isOpened()
    for number in range(count):
        writer.write(numbered(number, size))
    writer.release()
    return path


RPICAM = """#!{python}
# Speaks like rpicam-vid: JPEG files one after the other on standard output, at the rate and size asked for.
import json, pathlib, signal, sys, time
import cv2, numpy as np
here = pathlib.Path(__file__).parent
options = dict(zip(sys.argv[1::1], sys.argv[2::1]))
(here / "asked.json").write_text(json.dumps(sys.argv[1:]))
mode = (here / "mode").read_text() if (here / "mode").exists() else ""
if mode == "absent":
    sys.exit("ERROR: *** no cameras available ***")
if mode == "slow":
    time.sleep(1)
if mode == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
width, height = int(options["--width"]), int(options["--height"])
number = 0
while True:
    picture = np.full((height, width, 3), number % 256, np.uint8)
    data = bytes(cv2.imencode(".jpg", picture)[1])
    if mode == "garbage":
        data = b"\\x00\\xff\\xd8 no picture \\xff\\xd9" + data
    if mode == "breaks" and number == 5:
        sys.stdout.buffer.write(data[: len(data) // 2])
        sys.stdout.buffer.flush()
        sys.exit("ERROR: *** the sensor is gone ***")
    if mode == "stalls" and number == 5:
        time.sleep(600)
    half = len(data) // 2
    for piece in (data[:half], data[half:]):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    number += 1
    time.sleep(1 / float(options["--framerate"]))
"""


@pytest.fixture
def rpicam(tmp_path, monkeypatch) -> Path:
    """A folder first on PATH with a stand-in for rpicam-vid; what is in its file `mode` says how it behaves."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "rpicam-vid"
    script.write_text(RPICAM.format(python=sys.executable))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setitem(sys.modules, "picamera2", None)
    return folder


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """Servers put in here are killed at the end of the test."""
    running: list[Server] = []
    yield running
    for server in running:
        server.kill()
