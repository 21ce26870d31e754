"""Live sources: the newest frame, loss and return, streams, cameras."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import ArgumentError, SourceError
from edgecnn.sources import CameraMode, Retry, live, open_source, usb
from edgecnn.sources.live import LiveSource
from edgecnn.sources.stream import shown_url
from tests.sources.conftest import (
    counting,
    descriptors,
    jpeg,
    mjpeg_server,
    number_of,
    numbered,
    part,
    rtsp_server,
    told_by_a_fresh_process,
)

QUICK = Retry(attempts=20, first=0.05, longest=0.2)
LONG = 60
"""Seconds in which anything happens on the slowest machine."""


def wait(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.01)


def frames(source, count: int) -> list:
    with source:
        return list(islice(source, count))


class Scripted:
    """A camera that does what a list of steps says: a number is a frame, an error is raised."""

    def __init__(self, steps: Iterator[int | SourceError]) -> None:
        self.steps = steps
        self.opened = self.closed = 0

    def __call__(self) -> Scripted:
        self.opened += 1
        return self

    def read(self):
        step = next(self.steps, SourceError("camera 0: the script is over"))
        if isinstance(step, SourceError):
            raise step
        return np.full((2, 2), step, np.uint8), time.time()

    def close(self) -> None:
        self.closed += 1


def lost(times: int) -> list[SourceError]:
    return [SourceError("camera 0: was unplugged")] * times


def test_the_newest_frame_is_taken_and_the_others_are_counted():
    camera = Scripted(iter([*range(50), *lost(1)]))
    with LiveSource("camera 0", camera, Retry(attempts=0)) as source:
        wait(lambda: camera.closed == 1)
        frame = source.poll(LONG)
        assert frame is not None and frame.index == 49 and frame.picture[0, 0] == 49
        assert source.dropped == 49
        with pytest.raises(SourceError, match="was unplugged"):
            source.poll(LONG)
        assert source.ended and list(source) == []


def test_a_frame_is_given_once_and_waiting_has_an_end():
    release = threading.Event()

    def steps() -> Iterator[int]:
        yield 1
        release.wait(LONG)

    with LiveSource("camera 0", Scripted(steps()), Retry(attempts=0)) as source:
        assert source.poll(LONG) is not None
        assert source.poll(0.01) is None and not source.ended
        release.set()


def test_a_lost_camera_is_tried_again_with_longer_pauses_and_comes_back():
    lines: list[str] = []
    camera = Scripted(iter([1, *lost(3), 2]))
    source = LiveSource("camera 0", camera, Retry(attempts=4, first=0.01, longest=0.03), lines.append)
    with source:
        wait(lambda: any("frames again" in line for line in lines))
        wait(lambda: source._slot is not None and source._slot.index == 1)
    pauses = [match[1] for line in lines if (match := re.search(r"trying again in (\S+) s", line))]
    assert pauses[:3] == ["0.01", "0.02", "0.03"]
    assert lines[0] == "camera 0: was unplugged; trying again in 0.01 s (1 of 4)"
    assert camera.opened == camera.closed


def test_a_camera_is_lost_from_the_first_word_of_it_to_its_next_frame():
    told: list[tuple[str, bool]] = []
    come, go = threading.Event(), threading.Event()

    def steps() -> Iterator[int | SourceError]:
        yield 1
        come.wait(LONG)
        yield from lost(1)
        yield 2
        go.wait(LONG)

    source = LiveSource("camera 0", Scripted(steps()), Retry(first=0.01), lambda line: told.append((line, source.lost)))
    with source:
        assert source.poll(LONG) is not None and not source.lost
        come.set()
        wait(lambda: len(told) == 2)
        go.set()
    assert [away for _, away in told] == [True, False], told


def test_tries_are_bounded():
    lines: list[str] = []
    camera = Scripted(iter(lost(10)))
    source = LiveSource("camera 0", camera, Retry(attempts=3, first=0.01), lines.append)
    with source, pytest.raises(SourceError, match=r"was unplugged \(given up after 3 tries\)"):
        list(source)
    assert len(lines) == 3 and camera.opened == 4


def test_tries_without_end_say_each_thing_once():
    lines: list[str] = []
    camera = Scripted(iter([*lost(40), 1, *lost(5)]))
    source = LiveSource("camera 0", camera, Retry(None, first=0.001, longest=0.003), lines.append)
    with source:
        assert source.poll(LONG) is not None
        wait(lambda: camera.opened >= 50)
        assert not source.ended
    assert lines[:4] == [
        "camera 0: was unplugged; trying again in 0.001 s",
        "camera 0: was unplugged; trying again in 0.002 s",
        "camera 0: was unplugged; trying again every 0.003 s",
        "camera 0: frames come",
    ]
    assert lines[4] == "camera 0: was unplugged; trying again every 0.003 s"


def test_a_camera_that_was_well_for_a_while_has_all_tries_again():
    camera = Scripted(iter([value for turn in range(6) for value in (turn, *lost(1))]))
    source = LiveSource("camera 0", camera, Retry(attempts=1, first=0.001, healthy=0))
    with source:
        wait(lambda: camera.opened >= 5)


def test_a_frame_of_absurd_size_is_refused():
    huge = np.broadcast_to(np.uint8(0), (30_000, 30_000))
    camera = Scripted(iter([]))
    camera.read = lambda: (huge, 0.0)
    with LiveSource("camera 0", camera, Retry(attempts=0)) as source, pytest.raises(SourceError, match="too large"):
        list(source)


def test_a_fault_of_ours_does_not_leave_the_reader_waiting(monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    camera = Scripted(iter([1]))
    camera.read = lambda: 1 / 0
    with LiveSource("camera 0", camera) as source:
        assert source.poll(LONG) is None and source.ended


@pytest.mark.parametrize("name", ["attempts", "first", "longest", "healthy"])
def test_retry_refuses_what_is_negative(name):
    with pytest.raises(ArgumentError, match=name):
        Retry(**{name: -1})


# Streams


def test_an_mjpeg_stream_over_http_is_followed_with_its_password(servers):
    servers.append(mjpeg_server(counting, login="bob:secret"))
    lines: list[str] = []
    url = f"http://bob:secret@127.0.0.1:{servers[0].port}/video?token=abc&size=2"
    before = time.time()
    got = frames(open_source([url], notify=lines.append), 10)
    shown = [number_of(frame.picture) for frame in got]
    assert shown == sorted(set(shown))
    assert all(before <= frame.time <= time.time() for frame in got)
    assert {frame.source for frame in got} == {f"http://***@127.0.0.1:{servers[0].port}/video?token=***&size=2"}
    assert lines == []
    assert told_by_a_fresh_process(url) == ("5 frames\n", "")


def test_a_wrong_password_is_told_without_it(servers):
    servers.append(mjpeg_server(counting, login="bob:secret"))
    url = f"http://bob:wrong-one@127.0.0.1:{servers[0].port}/"
    out, errors = told_by_a_fresh_process(url)
    assert out.count("no stream there") == 2 and out.count("***@127.0.0.1") == 2
    assert "wrong-one" not in out and errors == ""


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://host/path", "rtsp://host/path"),
        ("rtsp://bob:pw@host:554/a?x=1", "rtsp://***@host:554/a?x=1"),
        ("rtsp://bob@host/", "rtsp://***@host/"),
        ("rtsp://bob:p/w@host/", "rtsp://***@host/"),
        ("http://bob:p?w@host/", "http://***@host/"),
        ("http://[bad", "http://[bad"),
        (
            "http://host/?user=a&pwd=b&Password=c&n=1&api_key=d",
            "http://host/?user=***&pwd=***&Password=***&n=1&api_key=***",
        ),
    ],
)
def test_secrets_of_an_address_are_hidden(url, shown):
    assert shown_url(url) == shown


@pytest.mark.parametrize("url", ["http://", "rtsp:///path", "http://[bad", "http://host:99999/", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ArgumentError, match="source: expected rtsp://"):
        open_source([url])


def test_a_slow_reader_gets_new_frames_not_old_ones(servers):
    servers.append(mjpeg_server(lambda: counting(rate=100)))
    with open_source([f"http://127.0.0.1:{servers[0].port}/"]) as source:
        first = source.poll(LONG)
        wait(lambda: source._slot is not None and source._slot.index >= first.index + 30)
        second = source.poll(LONG)
    assert number_of(second.picture) >= number_of(first.picture) + 30
    assert source.dropped >= 29


def test_a_stream_is_killed_and_started_again(servers):
    servers.append(mjpeg_server(counting))
    port = servers[0].port
    lines: list[str] = []
    with open_source([f"http://127.0.0.1:{port}/"], retry=QUICK, notify=lines.append) as source:
        assert source.poll(LONG) is not None
        servers.pop().kill()
        wait(lambda: len(lines) >= 2)
        servers.append(mjpeg_server(lambda: counting(begin=2000), port))
        wait(lambda: (frame := source.poll(1)) is not None and number_of(frame.picture) >= 2000)
    assert "broke off" in lines[0] and "trying again" in lines[0]
    assert lines[-1].endswith("frames again")


def test_a_stream_that_stalls_is_opened_anew(servers, monkeypatch):
    monkeypatch.setattr("edgecnn.sources.stream.STALL", 0.5)
    release = threading.Event()

    def stalling() -> Iterator[bytes]:
        yield from counting(rate=60, count=20)
        release.wait(LONG)

    servers.append(mjpeg_server(stalling))
    lines: list[str] = []
    with open_source([f"http://127.0.0.1:{servers[0].port}/"], retry=QUICK, notify=lines.append) as source:
        assert source.poll(LONG) is not None
        wait(lambda: len(servers[0].asked) >= 2)
        assert "gave no frame for" in lines[0]
        wait(lambda: (frame := source.poll(1)) is not None and frame.index >= 20)
        release.set()


def test_garbage_cut_frames_and_changing_sizes_do_not_end_a_stream(servers):
    def wild() -> Iterator[bytes]:
        for number in range(10_000):
            size = (320, 240) if number % 20 < 10 else (160, 120)
            data = jpeg(numbered(number, size))
            if number % 5 == 3:
                data = data[: len(data) // 2]
            if number % 7 == 4:
                data = bytes(range(256)) * 4
            yield part(data)
            time.sleep(0.005)

    servers.append(mjpeg_server(wild))
    source = open_source([f"http://127.0.0.1:{servers[0].port}/"], retry=QUICK)
    got = frames(source, 60)
    assert len(got) == 60
    assert all(frame.picture.dtype == np.uint8 and frame.picture.ndim == 3 for frame in got)


def test_a_server_that_sends_no_video_is_given_up(servers):
    servers.append(mjpeg_server(lambda: iter([b"<html>no video</html>" * 1000])))
    source = open_source([f"http://127.0.0.1:{servers[0].port}/"], retry=Retry(attempts=1, first=0.01))
    with source, pytest.raises(SourceError, match=r"given up after 1 try\)|no stream there"):
        list(source)


def test_an_rtsp_stream_is_followed_with_its_password(servers, transport_stream):
    servers.append(rtsp_server(*transport_stream, login="bob:se cret"))
    source = open_source([f"rtsp://bob:se%20cret@127.0.0.1:{servers[0].port}/live"], retry=QUICK)
    got = frames(source, 20)
    assert {frame.picture.shape for frame in got} == {(240, 320, 3)}
    assert got[0].source == f"rtsp://***@127.0.0.1:{servers[0].port}/live"
    assert any(request.startswith("PLAY") for request in servers[0].asked)
    assert got[-1].picture.std() > 30


def test_an_rtsp_stream_is_killed_and_started_again(servers, transport_stream):
    servers.append(rtsp_server(*transport_stream))
    port = servers[0].port
    lines: list[str] = []
    with open_source([f"rtsp://127.0.0.1:{port}/live"], retry=QUICK, notify=lines.append) as source:
        assert source.poll(LONG) is not None
        servers.pop().kill()
        wait(lambda: len(lines) >= 1)
        servers.append(rtsp_server(*transport_stream, port=port))
        wait(lambda: any(line.endswith("frames again") for line in lines))


def test_a_hundred_streams_leak_nothing(servers):
    servers.append(mjpeg_server(lambda: counting(rate=200)))
    url = f"http://127.0.0.1:{servers[0].port}/"
    frames(open_source([url]), 1)  # what is loaded once stays
    wait(lambda: len(servers[0].open) == 1)

    def held() -> int:
        """Descriptors that are not the server's."""
        return descriptors() - sum(connection.fileno() >= 0 for connection in servers[0].open)

    names = {thread.name for thread in threading.enumerate()}
    before = held()
    for _ in range(100):
        assert len(frames(open_source([url]), 1)) == 1
    assert not any(thread.name.startswith("edgecnn-source") for thread in threading.enumerate()), names
    wait(lambda: held() <= before)


# Raspberry Pi camera


def test_rpicam_gives_frames_of_the_size_asked_for(rpicam):
    before = time.time()
    got = frames(open_source(["csi"], mode=CameraMode(160, 120, 60)), 5)
    assert {frame.picture.shape for frame in got} == {(120, 160, 3)}
    shades = [int(frame.picture[60, 80, 0]) for frame in got]
    assert shades == sorted(set(shades))
    assert all(before <= frame.time <= time.time() for frame in got)
    asked = json.loads((rpicam / "asked.json").read_text())
    assert asked[asked.index("--codec") + 1] == "mjpeg" and "--nopreview" in asked and asked[-2:] == ["--output", "-"]


def test_rpicam_that_finds_no_camera_is_told_in_its_words(rpicam):
    (rpicam / "mode").write_text("absent")
    source = open_source(["csi:1"], retry=Retry(attempts=0))
    with source, pytest.raises(SourceError, match=r"camera csi:1: .* code 1: ERROR: \*\*\* no cameras available"):
        list(source)
    asked = json.loads((rpicam / "asked.json").read_text())
    assert asked[asked.index("--camera") + 1] == "1"


@pytest.mark.parametrize("mode", ["breaks", "stalls"])
def test_rpicam_that_breaks_off_or_stalls_is_started_again(rpicam, mode, monkeypatch):
    monkeypatch.setattr("edgecnn.sources.csi.STALL", 0.5)
    (rpicam / "mode").write_text(mode)
    lines: list[str] = []
    with open_source(["csi"], mode=CameraMode(64, 48, 60), retry=QUICK, notify=lines.append) as source:
        wait(lambda: (frame := source.poll(1)) is not None and frame.index >= 8)
    assert ("the sensor is gone" if mode == "breaks" else "no frame for") in lines[0]


def test_rpicam_may_take_its_time_to_the_first_frame(rpicam, monkeypatch):
    """A small board that is busy takes seconds to start it: to start it anew then would never come to an end."""
    monkeypatch.setattr("edgecnn.sources.csi.STALL", 0.5)
    (rpicam / "mode").write_text("slow")
    with open_source(["csi"], mode=CameraMode(64, 48, 60), retry=Retry(attempts=0)) as source:
        assert source.poll(LONG) is not None


def test_garbage_from_rpicam_is_passed_over(rpicam):
    (rpicam / "mode").write_text("garbage")
    assert len(frames(open_source(["csi"], mode=CameraMode(64, 48, 100), retry=Retry(attempts=0)), 10)) == 10


@pytest.mark.parametrize("mode", ["", "deaf"])
def test_rpicam_does_not_outlive_its_source(rpicam, mode):
    (rpicam / "mode").write_text(mode)
    before = descriptors()
    with open_source(["csi"], mode=CameraMode(64, 48, 60)) as source:
        assert source.poll(LONG) is not None
        children = list(_children())
        assert len(children) == 1
    assert list(_children()) == []
    assert descriptors() <= before


def _children() -> Iterator[str]:
    for file in Path("/proc/self/task").glob("*/children"):
        yield from file.read_text().split()


def test_without_any_way_to_the_camera_the_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match="sudo apt install rpicam-apps"):  # at once: no wait heals it
        open_source(["csi"])


class Picamera2:
    """Speaks like picamera2.Picamera2 where the source uses it."""

    log: list[object] = []  # noqa: RUF012 - shared with the test on purpose
    limit = 10**9

    def __init__(self, number: int) -> None:
        if number > 0:
            raise IndexError("list index out of range")
        self.taken = 0

    def create_video_configuration(self, main, controls):
        self.log.append((main, controls))
        self.size = main["size"]
        return "configuration"

    def configure(self, configuration) -> None:
        assert configuration == "configuration"

    def start(self) -> None:
        self.log.append("start")

    def capture_request(self, wait: float):
        if self.taken >= self.limit:
            raise TimeoutError("timed out")
        self.taken += 1
        return self

    def make_array(self, name: str):
        assert name == "main"
        return np.full((self.size[1], self.size[0], 3), self.taken % 256, np.uint8)

    def get_metadata(self):
        return {"SensorTimestamp": int((time.clock_gettime(time.CLOCK_BOOTTIME) - 0.25) * 1e9)}

    def release(self) -> None:
        time.sleep(0.01)

    def stop(self) -> None:
        self.log.append("stop")

    def close(self) -> None:
        self.log.append("close")


@pytest.fixture
def picamera2(monkeypatch):
    Picamera2.log = []
    monkeypatch.setattr(Picamera2, "limit", 10**9)
    monkeypatch.setitem(sys.modules, "picamera2", type(pytest)("picamera2"))
    sys.modules["picamera2"].Picamera2 = Picamera2
    return Picamera2


def test_picamera2_comes_before_rpicam_and_gives_the_sensor_s_time(picamera2):
    with open_source(["csi"], mode=CameraMode(64, 48, 25)) as source:
        frame = source.poll(LONG)
        assert frame.picture.shape == (48, 64, 3)
        assert 0.2 < time.time() - frame.time < LONG
    assert picamera2.log[0] == ({"size": (64, 48), "format": "RGB888"}, {"FrameRate": 25})
    assert picamera2.log[1:] == ["start", "stop", "close"]


def test_picamera2_that_stalls_or_is_absent_is_told(picamera2, monkeypatch):
    monkeypatch.setattr(picamera2, "limit", 3)
    with open_source(["csi"], retry=Retry(attempts=0)) as source, pytest.raises(SourceError, match="no frame for"):
        list(source)
    assert picamera2.log[-2:] == ["stop", "close"]
    source = open_source(["csi:1"], retry=Retry(attempts=0))
    with source, pytest.raises(SourceError, match="picamera2 cannot open it: list index"):
        list(source)


# USB cameras: device files and names are real files here; there is no camera in a test machine.


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose cameras are `machine(number, name, index)`."""
    (tmp_path / "dev").mkdir()
    monkeypatch.setattr(usb, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(usb, "SYSFS", tmp_path / "sys")

    def plug(number: int, name: str, index: int = 0):
        folder = tmp_path / "sys" / f"video{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(name + "\n")
        (folder / "index").write_text(f"{index}\n")
        (tmp_path / "dev" / f"video{number}").touch()
        return tmp_path / "dev" / f"video{number}"

    return plug


def test_cameras_are_found_by_number_and_by_part_of_their_name(machine):
    first = machine(0, "HD Pro Webcam C920")
    machine(1, "HD Pro Webcam C920", index=1)
    tenth = machine(10, "Microscope")
    assert usb.cameras() == {first: "HD Pro Webcam C920", tenth: "Microscope"}
    assert usb.find_device("0") == first
    assert usb.find_device("usb:webcam c9") == first
    assert usb.find_device("usb:scope") == tenth
    assert usb.find_device(str(tenth)) == tenth


def test_an_absent_camera_is_told_with_those_that_are_there(machine):
    path = machine(2, "Microscope")
    for which, says in (("0", "is absent"), ("usb:C920", "no camera with that name"), ("/dev/video77", "is absent")):
        with pytest.raises(SourceError, match=says) as caught:  # at once: nothing says that it will come
            open_source([which])
        assert f"cameras here: {path} (Microscope)" in str(caught.value)


def test_a_camera_that_was_unplugged_is_tried_again(machine):
    path = machine(0, "Microscope")
    lines: list[str] = []
    with open_source(["0"], retry=QUICK, notify=lines.append):
        path.unlink()
        wait(lambda: any(f"{path} is absent" in line and "trying again" in line for line in lines))


def test_an_absent_camera_is_waited_for_where_that_was_asked_for(machine, rpicam):
    lines: list[str] = []
    with open_source(["usb:scope"], retry=Retry(None, first=0.05, longest=0.05, absent=True), notify=lines.append):
        wait(lambda: "no camera with that name is plugged in; cameras here: none; trying again" in "".join(lines))
        path = machine(2, "Microscope")
        wait(lambda: f"{path} gives no video" in lines[-1])  # it is looked for anew, and opened
    (rpicam / "rpicam-vid").rename(rpicam / "not yet")
    with open_source(["csi"], retry=Retry(200, first=0.05, longest=0.05, absent=True), notify=lines.append) as source:
        wait(lambda: "sudo apt install rpicam-apps; trying again" in lines[-1])
        (rpicam / "not yet").rename(rpicam / "rpicam-vid")
        assert source.poll(LONG) is not None


def test_parts_of_the_raspberry_pi_s_camera_point_to_csi(machine):
    machine(0, "unicam-image")
    with pytest.raises(SourceError, match="use the source csi"):
        usb.find_device("0")


def test_what_is_no_video_device_is_told(machine):
    machine(0, "no camera")
    source = open_source(["0"], mode=CameraMode(1280, 720, 30), retry=Retry(attempts=0))
    with source, pytest.raises(SourceError, match="gives no video"):
        list(source)


def test_a_device_that_may_not_be_opened_names_the_group(machine, monkeypatch):
    machine(0, "camera")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(usb.os, "open", refuse)
    with pytest.raises(SourceError, match="add the user to the group video"):
        usb._UsbCapture(usb.find_device("0"), "0", CameraMode())


def test_who_holds_a_device_is_told(machine):
    path = machine(0, "camera")
    with path.open() as held:
        process = subprocess.Popen(["sleep", "60"], stdin=held)
        try:
            assert usb._holder(path) == f", in use by sleep (process {process.pid})"
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(("name", "value"), [("width", 15), ("height", 9000), ("rate", 0), ("rate", 1001)])
def test_a_camera_mode_out_of_range_is_refused(name, value):
    with pytest.raises(ArgumentError, match=f"camera {name}"):
        CameraMode(**{name: value})


def test_the_stall_of_a_stream_is_the_stall_of_all():
    assert live.STALL == 3.0
