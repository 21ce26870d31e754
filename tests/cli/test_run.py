"""`edgecnn run`, as a user types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edgecnn.cli import app
from edgecnn.reader import Reader
from tests.sources.conftest import mjpeg_server, part

RUN = [sys.executable, "-c", "from edgecnn.cli import main; main()", "run"]
LONG = 120


@pytest.fixture(autouse=True)
def no_display(monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


@pytest.fixture
def pictures(tmp_path, scene) -> Path:
    folder = tmp_path / "shots"
    folder.mkdir()
    for name, number in (("a.png", "12"), ("b.jpg", "345|6"), ("c.bmp", "")):
        cv2.imwrite(str(folder / name), scene(number))
    return folder


@pytest.fixture
def film(tmp_path, scene) -> Path:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (640, 480))
    for number in ("", "507", ""):
        for _ in range(25):
            writer.write(scene(number))
    writer.release()
    return path


def run(*arguments: object, data: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["run", *map(str, arguments)], input=data)


def test_a_picture_is_one_line(small_bundle, pictures):
    result = run(small_bundle, pictures / "a.png")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{pictures / 'a.png'}: 12 (least sure ")


def test_pictures_in_json_have_the_promised_fields(small_bundle, pictures):
    result = run(small_bundle, pictures, "--json")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["text"] for line in lines] == ["12", "345|6", ""]
    assert [Path(line["source"]).name for line in lines] == ["a.png", "b.jpg", "c.bmp"]
    for number, line in enumerate(lines):
        assert list(line) == ["source", "frame", "time", "readings", "text"]
        assert line["frame"] == number and abs(line["time"] - time.time()) < 3600
        for reading in line["readings"]:
            assert list(reading) == ["label", "probability", "box"]
            assert 0 < reading["probability"] <= 1 and len(reading["box"]) == 4


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_either_runtime_and_precision(small_bundle, pictures, runtime, precision):
    result = run(small_bundle, pictures / "b.jpg", "--runtime", runtime, "--precision", precision, "--top", 3, "--json")
    (line,) = map(json.loads, result.stdout.splitlines())
    assert line["text"] == "345|6" and [len(reading["top"]) for reading in line["readings"]] == [3] * 4


def test_a_broken_picture_is_one_line_and_the_rest_goes_on(small_bundle, pictures):
    data = (pictures / "b.jpg").read_bytes()
    (pictures / "b.jpg").write_bytes(data[: len(data) // 2])
    result = run(small_bundle, pictures, "--json")
    assert result.exit_code == 1
    assert [json.loads(line)["text"] for line in result.stdout.splitlines()] == ["12", ""]
    (line,) = result.stderr.splitlines()
    assert "b.jpg" in line


def test_a_picture_from_standard_input(small_bundle, pictures):
    result = run(small_bundle, "-", data=(pictures / "a.png").read_bytes())
    assert result.stdout.startswith("-: 12 ")


def test_a_bundle_is_found_by_its_name(small_bundle, pictures, tmp_path, monkeypatch):
    shutil.copytree(small_bundle, tmp_path / "models" / "mine")
    monkeypatch.setenv("EDGECNN_MODELS", str(tmp_path / "models"))
    assert run("mine", pictures / "a.png").stdout.count(": 12 ") == 1


def test_a_region_is_read_alone(small_bundle, pictures):
    result = run(small_bundle, pictures / "b.jpg", "--roi", "0,140,640,200", "--json")
    assert json.loads(result.stdout)["text"] == "6"


def test_a_video_reports_numbers_that_stay(small_bundle, film):
    result = run(small_bundle, film, "--stable", 0.3)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [text for _, text in lines] == ["507", "-"]
    assert lines[0][0].startswith("0:00:01.") and lines[1][0].startswith("0:00:02."), "positions in the video"


@pytest.mark.parametrize(("arguments", "threads"), [((), 1), (("--threads", 3), 3)])
def test_opencv_uses_as_many_threads_as_the_option_says(small_bundle, film, monkeypatch, arguments, threads):
    read, seen, before = Reader.read, set(), cv2.getNumThreads()
    monkeypatch.setattr(Reader, "read", lambda *args: (seen.add(cv2.getNumThreads()), read(*args))[1])
    assert run(small_bundle, film, *arguments).exit_code == 0
    assert seen == {threads} and cv2.getNumThreads() == before


def test_a_video_in_json_tells_of_tracks_and_age(small_bundle, film):
    lines = [json.loads(line) for line in run(small_bundle, film, "--json", "--stable", 0.2).stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(75))
    assert np.allclose([line["time"] for line in lines], np.arange(75) / 25), "positions in the video"
    assert sum(line["changed"] for line in lines) == 2
    middle = lines[40]
    assert middle["text"] == middle["stable"] == "507" and middle["age_ms"] > 0
    assert [reading["track"] for reading in middle["readings"]] == [1, 2, 3]


def test_frames_are_saved_as_a_video_and_as_pictures(small_bundle, film, pictures, tmp_path):
    result = run(small_bundle, film, "--save", tmp_path / "out" / "seen.mp4")
    assert (result.exit_code, result.stderr) == (0, f"edgecnn: saved {tmp_path / 'out' / 'seen.mp4'}, 75 frames\n")
    capture = cv2.VideoCapture(str(tmp_path / "out" / "seen.mp4"))
    count = 0
    while capture.read()[0]:
        count += 1
    assert count == 75
    result = run(small_bundle, pictures, "--save", tmp_path / "seen")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, f"edgecnn: saved 3 pictures in {tmp_path}/seen/")
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["00000-a.png", "00001-b.png", "00002-c.png"]


def test_a_folder_gets_one_picture_for_each_new_stable_number_of_a_video_as_the_help_says(small_bundle, film, tmp_path):
    result = run(small_bundle, film, "--save", tmp_path / "seen", "--stable", 0.2)
    assert (result.exit_code, result.stderr) == (0, f"edgecnn: saved 1 picture in {tmp_path}/seen/\n")
    (path,) = (tmp_path / "seen").iterdir()
    assert path.name.startswith("film-000001-") and path.name.endswith("-507.png")
    words = " ".join(re.sub(r"[^\w. -]", " ", run("--help").stdout).split())
    assert "a folder each picture of a video or a camera one for each new stable number." in words


def test_one_picture_is_saved_under_the_name_that_was_asked_for(small_bundle, pictures, tmp_path):
    result = run(small_bundle, pictures / "b.jpg", "--save", tmp_path / "seen.jpg")
    assert (result.exit_code, result.stderr) == (0, f"edgecnn: saved {tmp_path}/seen.jpg\n")
    assert run(small_bundle, "-", "--save", tmp_path / "too.png", data=(pictures / "a.png").read_bytes()).exit_code == 0
    assert cv2.imread(str(tmp_path / "seen.jpg")).shape == cv2.imread(str(tmp_path / "too.png")).shape == (480, 640, 3)


@pytest.mark.parametrize("target", ["seen.avi", "seen"])
def test_nothing_is_called_saved_where_nothing_was(small_bundle, tmp_path, target):
    cv2.VideoWriter(str(tmp_path / "empty.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 64)).release()
    result = run(small_bundle, tmp_path / "empty.avi", "--save", tmp_path / target)
    assert result.exit_code == 1 and "edgecnn: saved" not in result.stderr


@pytest.mark.parametrize(
    ("sources", "target"),
    [
        (["shots"], "shots"),
        (["shots"], "shots/new"),
        (["shots/*.png"], "shots"),
        (["shots/a.png", "shots/b.jpg"], "shots"),
        (["shots/a.png"], "shots/a.png"),
        (["film.avi"], "film.avi"),
    ],
)
def test_what_is_read_is_no_place_to_save_to(small_bundle, pictures, film, tmp_path, monkeypatch, sources, target):
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    result = run(small_bundle, *sources, "--save", target)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert "save: expected a" in line and f"got {target}, which the next run would read" in line
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("sources", "target"),
    [(["shots"], "seen"), (["shots/*.jpg"], "shots"), (["shots/a.png"], "shots"), (["film.avi"], ".")],
)
def test_what_is_read_may_lie_beside_what_is_saved(
    small_bundle, pictures, film, tmp_path, monkeypatch, sources, target
):
    monkeypatch.chdir(tmp_path)
    count = len(list((tmp_path / target).glob("*.png")))
    for _ in range(2):
        assert run(small_bundle, *sources, "--save", target, "--stable", 0.2).exit_code == 0
    assert len(list((tmp_path / target).glob("*.png"))) == count + (3 if sources == ["shots"] else 1)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["SMALL"], 2, "missing argument 'SOURCE...'"),
        (["nowhere", "a.png"], 1, "no such bundle"),
        (["SMALL", "nowhere.png"], 1, "no such file"),
        (["SMALL", "PICTURE", "--roi", "1,2,3"], 2, "--roi: expected X,Y,W,H"),
        (["SMALL", "PICTURE", "--roi", "9000,0,5,5"], 2, "lies outside"),
        (["SMALL", "PICTURE", "--size", "640x480"], 2, "for cameras"),
        (["SMALL", "0", "--size", "640"], 2, "--size: expected WxH"),
        (["SMALL", "PICTURE", "--save", "x.gif"], 2, "save: expected"),
        (["SMALL", "PICTURE", "PICTURE", "--save", "x.png"], 2, "for more than one picture, got x.png for 2 pictures"),
        (["SMALL", "PICTURE", "--save", "/proc/x.png"], 2, "save: no file can be written in /proc"),
        (["SMALL", "PICTURE", "--save", "/proc/x"], 2, "save: /proc/x cannot be made"),
        (["SMALL", "PICTURE", "--save", "/proc/x.mp4"], 2, "save: no file can be written in /proc"),
        (["SMALL", "PICTURE", "--mqtt", "mqtt://host"], 2, "mqtt: expected"),
        (["SMALL", "PICTURE", "--show"], 1, "no display"),
        (["SMALL", "PICTURE", "--top", "0"], 2, "--top"),
        (["SMALL", "/dev/video99"], 1, "/dev/video99 is absent; cameras here:"),
        (["SMALL", "PICTURE", "--serve", "0"], 2, "--serve: expected a camera, a stream or a video"),
        (["SMALL", "/dev/video99", "--serve", "70000"], 2, "--serve: expected HOST:PORT"),
        (["SMALL", "/dev/video99", "--serve", "BUSY", "--retries", "3"], 2, "--serve: cannot listen on 127.0.0.1:"),
        (
            ["SMALL", "/dev/video99", "--serve", "0", "--token", "abc", "--retries", "3"],
            2,
            "token: expected 8 to 200 characters, got 3",
        ),
        (["SMALL", "/dev/video99", "--roi", "1,2,3"], 2, "--roi: expected X,Y,W,H"),
        (["SMALL", "/dev/video99", "--roi", "1,2,0,3"], 2, "--roi: expected X,Y,W,H"),
        (["SMALL", "/dev/video99", "--mqtt", "mqtt://host"], 2, "mqtt: expected a topic"),
        (["conv-32-64-128", "/dev/video99", "--precision", "float32"], 1, "no tflite float32 artefact"),
        (["SMALL", "http://bob:secret@127.0.0.1:1/", "--retries", "0"], 1, "no stream there"),
    ],
)
def test_what_is_wrong_is_one_line(small_bundle, pictures, arguments, code, says):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        names = {"SMALL": small_bundle, "PICTURE": pictures / "a.png", "BUSY": busy.getsockname()[1]}
        result = run(*(names.get(argument, argument) for argument in arguments))
    assert result.exit_code == code, result.output
    assert says in result.stderr and "secret" not in result.output
    assert len(result.stderr.splitlines()) == 1


# What a program at a shell does: processes, pipes and signals.


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True}
    return subprocess.Popen([*RUN, *map(str, arguments)], **{**pipes, **options})


@pytest.fixture
def stream(scene) -> Iterator[str]:
    """A camera in the network that shows 507."""
    data = part(bytes(cv2.imencode(".jpg", scene("507"))[1]))

    def endless() -> Iterator[bytes]:
        while True:
            yield data
            time.sleep(0.03)

    server = mjpeg_server(endless)
    yield f"http://127.0.0.1:{server.port}/"
    server.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_camera_cleanly(small_bundle, stream, number, tmp_path):
    with start(small_bundle, stream, "--json", "--save", tmp_path / "seen.avi") as process:
        lines = [json.loads(process.stdout.readline()) for _ in range(10)]
        assert lines[-1]["text"] == "507" and lines[-1]["source"] == stream
        assert [line["frame"] for line in lines] == sorted({line["frame"] for line in lines})
        process.send_signal(number)
        rest, errors = process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert re.fullmatch(rf"edgecnn: saved {re.escape(str(tmp_path))}/seen\.avi, \d+ frames\n", errors)
    assert all(json.loads(line) for line in rest.splitlines()), "no line is cut"
    assert [path.name for path in tmp_path.iterdir() if "seen" in path.name] == ["seen.avi"], "the video is whole"
    assert cv2.VideoCapture(str(tmp_path / "seen.avi")).read()[0]


def test_an_interrupted_folder_says_so(small_bundle, scene, tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), scene("1"))
    for number in range(1, 2000):
        os.link(tmp_path / "0.png", tmp_path / f"{number}.png")
    with start(small_bundle, tmp_path, "--json") as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=LONG)
    assert (process.returncode, errors) == (130, "edgecnn: interrupted\n")


@pytest.mark.parametrize("moving", [False, True])
def test_a_closed_pipe_ends_it_without_a_traceback(small_bundle, pictures, stream, moving):
    with start(small_bundle, stream if moving else pictures, "--json") as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(LONG)
    assert errors == ""


def test_nothing_of_the_workstation_is_loaded(small_bundle, pictures):
    code = (
        "import sys; from edgecnn.cli import app\n"
        "try:\n    app(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'tensorflow', 'tf_keras', 'keras', 'onnx', 'onnxruntime', 'sklearn', 'matplotlib', 'rich', 'asyncio',"
        " 'pydantic', 'scipy', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "run", small_bundle, pictures / "a.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"
    assert done.stderr == ""


def test_the_answer_of_the_command_is_the_reader_s(small_bundle, pictures):
    from edgecnn.bundle import read_bundle
    from edgecnn.reader import Reader

    picture = cv2.imread(str(pictures / "b.jpg"))
    with Reader(read_bundle(small_bundle)) as reader:
        expected = reader.read(picture)
    line = json.loads(run(small_bundle, pictures / "b.jpg", "--json").stdout)
    assert [tuple(reading["box"]) for reading in line["readings"]] == [reading.box for reading in expected]
    found = [reading["probability"] for reading in line["readings"]]
    assert np.allclose(found, [reading.probability for reading in expected], atol=1e-4)
