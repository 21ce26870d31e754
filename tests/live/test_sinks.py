"""Lines, files, corrections, MQTT."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.errors import ArgumentError, MissingExtraError, SourceError
from edgecnn.live import Observation, Stats
from edgecnn.live.corrections import Corrections
from edgecnn.live.moment import clock, moment_name, plain_name
from edgecnn.live.sinks.lines import JsonLines, TextLines
from edgecnn.live.sinks.mqtt import Broker, Mqtt, parse_broker
from edgecnn.live.sinks.save import CODECS, MAX_REPEATS, PICTURES, PictureFile, PictureFolder, VideoFile, save_sink
from edgecnn.pictures.header import read_header
from edgecnn.spec import Frame, Reading
from tests.live.conftest import LONG, Frames, wait

PAPER = np.full((120, 160, 3), 200, np.uint8)


def observation(
    text: str = "7",
    when: float = 1000.0,
    *,
    index: int = 0,
    tracked: bool = True,
    picture=PAPER,
    video: bool = False,
    **more: object,
) -> Observation:
    readings = tuple(
        Reading(label, 0.9, (20 * at, 10, 15, 30), ((label, 0.9), ("1", 0.05)), at if tracked else None)
        for at, label in enumerate(text)
    )
    fields = {"stable": text if tracked else "", "changed": False} | more
    frame = Frame(picture, when, index, "shots/a b.png", video)
    return Observation(frame, readings, text, tracked=tracked, stats=Stats(30.0, 0.01, 1, 0), **fields)


def give(sink, *observations: Observation) -> None:
    for one in observations:
        sink.take(one)
    sink.idle()
    sink.close()


def test_json_lines_are_json():
    lines: list[str] = []
    give(JsonLines(lines.append), observation("12"), observation("", tracked=False))
    first, second = map(json.loads, lines)
    assert first["text"] == "12" and first["readings"][1]["box"] == [20, 10, 15, 30]
    assert second["readings"] == [] and "age_ms" not in second


def test_a_picture_is_a_line_and_many_classes_are_told_when_asked_for():
    lines: list[str] = []
    give(TextLines(lines.append), *(observation(text, tracked=False) for text in ("7", "12", "")))
    assert lines == ["shots/a b.png: 7 90.0%", "shots/a b.png: 12 (least sure 90.0%)", "shots/a b.png: nothing"]
    lines.clear()
    give(TextLines(lines.append, top=2), *(observation(text, tracked=False) for text in ("7", "12")))
    assert lines[0] == "shots/a b.png: 7 90.0%  1 5.0%"
    assert lines[2:] == ["  1 90.0%  1 5.0%  at 0,10", "  2 90.0%  1 5.0%  at 20,10"]


def test_a_camera_is_a_line_for_each_stable_number():
    lines: list[str] = []
    give(TextLines(lines.append), observation("7"), observation("7", changed=True), observation("", changed=True))
    assert [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in lines] == ["7", "-"]


def test_a_video_is_a_line_with_the_position_for_each_stable_number():
    lines: list[str] = []
    moving = [observation(text, when, video=True, changed=True) for text, when in (("7", 59.999), ("", 3661.5))]
    give(TextLines(lines.append), *moving)
    assert lines == ["0:01:00.00  7", "1:01:01.50  -"]


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_video_is_saved_frame_by_frame_and_whole_or_not_at_all(tmp_path, suffix):
    target = tmp_path / "new" / f"out{suffix}"
    sink = save_sink(target, Frames([], rate=25.0))
    for index in range(10):
        sink.take(observation(index=index))
        assert not target.exists() and sink.written == ""
    sink.take(observation(picture=np.zeros((60, 80, 3), np.uint8)))  # the source has changed its size
    sink.close()
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    capture = cv2.VideoCapture(str(target))
    pictures = []
    while (read := capture.read())[0]:
        pictures.append(read[1])
    assert len(pictures) == 11 and pictures[0].shape == observation().overlay().shape
    assert np.abs(pictures[0].astype(int) - observation().overlay()).mean() < 8
    assert pictures[-1].mean() < pictures[0].mean()


def test_the_video_of_a_camera_keeps_its_time(tmp_path):
    sink = VideoFile(tmp_path / "out.avi", None)
    give(sink, *(observation(when=when) for when in (0.0, 0.01, 0.02, 1.0, 1000.0)))
    capture = cv2.VideoCapture(str(tmp_path / "out.avi"))
    count = 0
    while capture.read()[0]:
        count += 1
    assert count == 1 + 1 + 24 + MAX_REPEATS
    assert sink.written == f"{tmp_path / 'out.avi'}, {count} frames"


def test_pictures_become_a_video_of_one_a_second_whatever_the_times_of_their_files(tmp_path):
    shots = [observation(when=when, tracked=False) for when in (1e9, 2.0, 2.0, 1e9)]
    give(save_sink(tmp_path / "out.avi", Frames([PAPER] * 4, rate=None)), *shots)
    capture = cv2.VideoCapture(str(tmp_path / "out.avi"))
    assert capture.get(cv2.CAP_PROP_FPS) == 1
    count = 0
    while capture.read()[0]:
        count += 1
    assert count == 4


def test_a_video_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / ".out.part.avi").mkdir()
    sink = VideoFile(tmp_path / "out.avi", 25)
    with pytest.raises(SourceError, match="cannot write the video"):
        sink.take(observation())
    sink.close()
    assert not (tmp_path / "out.avi").exists() and sink.written == ""


def test_pictures_are_saved_under_their_names_and_numbers_when_they_are_stable(tmp_path):
    give(PictureFolder(tmp_path / "p"), observation(tracked=False, index=3))
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["00003-a b.png"]
    assert np.array_equal(cv2.imread(str(tmp_path / "p" / "00003-a b.png")), observation(tracked=False).overlay())
    moving = [observation("1/2"), observation("1/2", changed=True), observation("", changed=True)]
    give(PictureFolder(tmp_path / "v"), *moving)
    (path,) = (tmp_path / "v").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-000-1_2\.png", path.name)


def test_pictures_of_a_video_are_named_after_it_and_the_position(tmp_path, reader, scene):
    give(PictureFolder(tmp_path), observation("1", 67.52, video=True, changed=True))
    assert [path.name for path in tmp_path.iterdir()] == ["a_b-000107-520-1.png"]
    picture = scene("5")
    frame = Frame(picture, 67.52, 0, "films/other.mp4", video=True)
    (reading,) = reader.read(frame)
    path = Corrections(tmp_path, reader).add(frame, reading, "1")
    assert path is not None and path.name.startswith("other-000107-520-")


@pytest.mark.parametrize("seconds", [0.0, 0.04, 1.16, 59.9996, 3599.9999, 7265.25])
def test_a_position_is_the_same_in_a_line_and_in_a_name(seconds):
    frame = Frame(PAPER, seconds, 0, "x.mp4", video=True)
    hours, minutes, rest = clock(frame).split(":")
    assert int(hours) * 3600 + int(minutes) * 60 + float(rest) == pytest.approx(seconds, abs=0.0051)
    digits = moment_name(frame).removeprefix("x-")
    assert int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + float(digits[4:].replace("-", ".")) == pytest.approx(
        seconds, abs=0.00051
    )


def test_where_to_save_is_told_by_the_ending(tmp_path):
    one = Frames([PAPER], rate=None)
    assert isinstance(save_sink(tmp_path / "a.mp4", one), VideoFile)
    assert isinstance(save_sink(tmp_path / "folder", one), PictureFolder)
    (tmp_path / "b.d").mkdir()
    assert isinstance(save_sink(tmp_path / "b.d", one), PictureFolder)
    assert isinstance(save_sink(tmp_path / "a.PNG", one), PictureFile)
    with pytest.raises(ArgumentError, match=r"ends in \.mp4.*, for one picture also \.png.*, got .*a\.gif$"):
        save_sink(tmp_path / "a.gif", one)


@pytest.mark.parametrize("suffix", PICTURES)
def test_one_picture_is_saved_as_a_file_of_its_format(tmp_path, suffix):
    target = tmp_path / "new" / f"seen{suffix}"
    shot = observation(tracked=False)
    give(save_sink(target, Frames([PAPER], rate=None)), shot)
    assert [path.name for path in target.parent.iterdir()] == [target.name], "nothing is left beside it"
    data = target.read_bytes()
    assert read_header(data).kind == {".png": "PNG", ".webp": "WebP", ".bmp": "BMP"}.get(suffix, "JPEG")
    assert np.abs(cv2.imread(str(target)).astype(int) - shot.overlay()).mean() < 3


def test_a_picture_that_a_format_cannot_hold_is_told_and_leaves_nothing(tmp_path):
    target = tmp_path / "seen.webp"
    wide = observation(tracked=False, picture=np.zeros((3, 17_000, 3), np.uint8))
    with pytest.raises(ArgumentError, match=r"17000x3 pixels cannot be written as \.webp here; \.png can"):
        save_sink(target, Frames([PAPER], rate=None)).take(wide)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "source", [Frames([PAPER] * 2, rate=None), Frames([PAPER], rate=25), Frames([PAPER], live=True)]
)
def test_a_file_for_one_picture_is_refused_for_more(tmp_path, source):
    says = f"save: expected a folder or a file that ends in {', '.join(CODECS)} for more than one picture, got "
    with pytest.raises(ArgumentError, match=re.escape(says) + ".*seen.png for film$"):
        save_sink(tmp_path / "new" / "seen.png", source)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "name"), [("..", "__"), ("a/b|c", "a_b_c"), ("", "_"), ("ä", "ä"), ("x" * 99, "x" * 60)]
)
def test_labels_of_a_bundle_make_no_paths(text, name):
    assert plain_name(text) == name


def test_a_correction_becomes_a_picture_of_a_folder_data_set(tmp_path, reader, scene):
    picture = scene("507")
    reading = reader.read(picture)[2]
    corrections = Corrections(tmp_path / "set", reader)
    path = corrections.add(Frame(picture, 1000.0, 0, "x"), reading, "1")
    assert path is not None and path.parent == tmp_path / "set" / "1"
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(stored, reader.crop(picture, reading.box)) and stored.shape == (28, 28)
    assert corrections.add(Frame(picture, 1000.0, 0, "x"), reading, "x") is None
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://host/digits", Broker("host", 1883, "digits", False, None, None)),
        ("mqtts://bob:s%40e@host:99/a/b/", Broker("host", 99, "a/b", True, "bob", "s@e")),
    ],
)
def test_a_broker_s_address_is_read(url, expected):
    assert parse_broker(url) == expected
    assert "s@e" not in repr(expected)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host/digits",
        "http://host/x",
        "mqtt://host",
        "mqtt://host/a/#",
        "mqtt://host/$SYS",
        "mqtt:///x",
        "mqtt://h:x/y",
    ],
)
def test_what_is_no_broker_s_address_is_refused_without_its_password(url):
    with pytest.raises(ArgumentError, match="mqtt: expected"):
        parse_broker(url)
    with pytest.raises(ArgumentError) as caught:
        parse_broker("ftp://bob:secret@host/x")
    assert "secret" not in str(caught.value)


def test_a_broker_that_is_not_there_is_told():
    pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt (the extra mqtt)")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceError, match=rf"127\.0\.0\.1:{port} cannot be reached"):
        Mqtt(parse_broker(f"mqtt://127.0.0.1:{port}/x"))


def test_without_paho_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    monkeypatch.setitem(sys.modules, "paho", None)
    with pytest.raises(MissingExtraError, match=r"edgecnn\[mqtt\]"):
        Mqtt(parse_broker("mqtt://127.0.0.1:1/x"))


@pytest.fixture
def broker(program, tmp_path):
    """A real broker: `broker()` starts it, anew on the same port where it was stopped."""
    mosquitto = program("mosquitto")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {os.environ.get('USER', 'root')}\n")
    running: list[subprocess.Popen[bytes]] = []

    def start() -> tuple[int, subprocess.Popen[bytes]]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running.append(subprocess.Popen([mosquitto, "-c", config], **quiet))
        wait(lambda: _listens(port))
        return port, running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def listen(port: int, messages: list[tuple[str, str]]):
    from paho.mqtt import client as paho

    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe("desk/#", qos=1)
    client.on_message = lambda _client, _data, message: messages.append((message.topic, message.payload.decode()))
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def test_readings_are_published_and_the_number_is_kept_for_who_comes_later(broker):
    pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt (the extra mqtt)")
    port, _ = broker()
    messages: list[tuple[str, str]] = []
    first = listen(port, messages)
    sink = Mqtt(parse_broker(f"mqtt://127.0.0.1:{port}/desk"))
    wait(lambda: ("desk/status", "online") in messages)
    sink.take(observation("42", 1.0))
    sink.take(observation("42", 1.05))
    sink.take(observation("42", 1.5, changed=True))
    wait(lambda: ("desk/number", "42") in messages)
    wait(lambda: sum(topic == "desk/readings" for topic, _ in messages) == 2)
    assert json.loads(dict(messages)["desk/readings"])["text"] == "42"
    later: list[tuple[str, str]] = []
    second = listen(port, later)
    wait(lambda: ("desk/number", "42") in later)
    sink.close()
    wait(lambda: ("desk/status", "offline") in messages)
    for client in (first, second):
        client.disconnect()
        client.loop_stop()


def test_a_broker_that_comes_back_gets_the_newest_number(broker):
    pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt (the extra mqtt)")
    port, process = broker()
    sink = Mqtt(parse_broker(f"mqtt://127.0.0.1:{port}/desk"))
    wait(sink._client.is_connected)
    process.kill()
    process.wait()
    wait(lambda: not sink._client.is_connected())
    began = time.monotonic()
    for number in range(50):
        sink.take(observation(str(number), float(number), changed=True))
    assert time.monotonic() - began < LONG / 10, "a broker that is away must not slow the loop"
    broker()
    messages: list[tuple[str, str]] = []
    listener = listen(port, messages)
    wait(lambda: ("desk/number", "49") in messages)
    sink.close()
    listener.disconnect()
    listener.loop_stop()


def test_a_path_as_source_is_kept_out_of_the_saved_name():
    assert Path(observation().frame.source).stem == "a b"
