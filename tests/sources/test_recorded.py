"""Pictures, folders, patterns, standard input, and video files."""

from __future__ import annotations

import io
import os
import subprocess
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.errors import ArgumentError, SourceError
from edgecnn.sources import CameraMode, open_source
from edgecnn.sources.recorded import PictureSource, VideoSource
from tests.sources.conftest import descriptors, number_of, numbered, told_by_a_fresh_process, write_video


@pytest.fixture
def folder(tmp_path) -> Path:
    for number in range(5):
        path = tmp_path / "set" / str(number % 2) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), numbered(number))
    (tmp_path / "set" / "notes.txt").write_text("no picture")
    return tmp_path / "set"


def numbers(source) -> list[int]:
    with source:
        return [number_of(frame.picture) for frame in source]


def test_a_picture_has_its_path_and_the_time_of_the_file(folder):
    path = folder / "0" / "4.png"
    os.utime(path, (1_700_000_000, 1_700_000_000))
    with open_source([str(path)]) as source:
        (frame,) = source
    assert (frame.source, frame.time, frame.index, source.total) == (str(path), 1_700_000_000, 0, 1)
    assert number_of(frame.picture) == 4
    assert source.ended


def test_folders_and_patterns_give_every_picture_in_order(folder):
    assert numbers(open_source([str(folder)])) == [0, 2, 4, 1, 3]
    assert numbers(open_source([str(folder / "*" / "[13].png")])) == [1, 3]
    assert numbers(open_source([str(folder / "1" / "3.png"), str(folder / "**" / "0.png")])) == [3, 0]


def test_a_name_with_signs_of_a_pattern_in_it_is_a_file(folder):
    (folder / "0" / "4.png").rename(folder / "a[1].png")
    assert numbers(open_source([str(folder / "a[1].png")])) == [4]


def test_broken_pictures_are_told_and_passed_over(folder):
    data = (folder / "0" / "0.png").read_bytes()
    (folder / "0" / "1.png").write_bytes(data[: len(data) // 2])
    (folder / "0" / "3.jpg").write_bytes(b"")
    lines: list[str] = []
    source = open_source([str(folder / "0")], notify=lines.append)
    assert numbers(source) == [0, 2, 4]
    assert source.broken == 2
    assert len(lines) == 2 and "1.png" in lines[0] and "3.jpg" in lines[1]


def test_standard_input_is_one_picture():
    data = bytes(cv2.imencode(".png", numbered(77))[1])
    (frame,) = PictureSource([Path("-")], stdin=io.BytesIO(data))
    assert number_of(frame.picture) == 77
    assert frame.source == "-"


@pytest.mark.parametrize(
    ("texts", "error", "says"),
    [
        ([], ArgumentError, "got nothing"),
        (["nowhere.png"], SourceError, "no such file"),
        ([""], ArgumentError, "source: expected a picture, .*; got an empty text"),
        (["a.png", ""], ArgumentError, "source: expected a picture, .*; got an empty text"),
        (["nowhere/*.png"], SourceError, r"source nowhere/\*\.png: the pattern matches no file"),
        (["nowhere.mp4"], SourceError, "No such file"),
        (["0", "1"], ArgumentError, "must be the only source"),
        (["a.png", "rtsp://bob:secret@host/x"], ArgumentError, r"rtsp://\*\*\*@host/x must be the only source"),
        (["ftp://bob:secret@host/x"], ArgumentError, r"got ftp://\*\*\*@host/x"),
        (["usb:"], SourceError, "no such file"),
    ],
)
def test_what_is_no_source_is_one_clear_line(texts, error, says):
    with pytest.raises(error, match=says) as caught:
        open_source(texts)
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="without a JPEG"):
        open_source([str(tmp_path)])


@pytest.mark.parametrize(
    ("texts", "reads", "reads_not"),
    [
        (["set"], ["set/x.png", "set/new/x.png", "set/../set/x.png"], ["x.png", "other/x.png", "set2/x.png"]),
        (["."], ["x.png", "new/x.png"], ["../x.png"]),
        (["set/*/*.png"], ["set/new/x.png"], ["set/x.png", "set/a/b/x.png", "set/new/x.jpg"]),
        (["set/**/*.png"], ["set/x.png", "set/a/b/x.png"], ["x.png"]),
        (["set/**"], ["set/x.png", "set/a/b/x.png"], ["x.png"]),
        (["./set/0/[0-9].png", "set/0/*2.png"], ["set/0/7.png", "set/0/00000-2.png"], ["set/0/00000-4.png"]),
        (["set/0/4.png"], ["set/0/4.png"], ["set/0/5.png"]),
        (["set/0/4.png", "set/0/2.png"], ["set/0/x.png"], ["set/0/x.jpg", "set/x.png", "set/1/x.png"]),
    ],
)
def test_what_would_be_read_when_the_same_is_opened_again(folder, monkeypatch, texts, reads, reads_not):
    monkeypatch.chdir(folder.parent)
    with open_source(texts) as source:
        assert [path for path in [*reads, *reads_not] if source.reads(Path(path))] == reads
    for path in reads + reads_not:  # what is said of them is so
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(path, numbered(99))
    if not all(Path(text).is_file() for text in texts):
        read = {Path(frame.source).resolve() for frame in open_source(texts)}
        assert [path for path in [*reads, *reads_not] if Path(path).resolve() in read] == reads


def test_size_and_rate_are_for_cameras(folder):
    for text in (str(folder), "http://host/x", "film.mp4"):
        with pytest.raises(ArgumentError, match="for cameras"):
            open_source([text], mode=CameraMode())


@pytest.mark.parametrize(("suffix", "codec"), [("avi", "MJPG"), ("mp4", "mp4v"), ("mkv", "mp4v")])
def test_a_video_gives_every_frame_once_with_its_position(tmp_path, suffix, codec):
    path = write_video(tmp_path / f"film.{suffix}", 40, codec=codec)
    lines: list[str] = []
    with open_source([str(path)], notify=lines.append) as source:
        frames = list(source)
    assert [number_of(frame.picture) for frame in frames] == list(range(40))
    assert [frame.index for frame in frames] == list(range(40))
    assert np.allclose([frame.time for frame in frames], np.arange(40) / 25), "seconds from its beginning"
    assert all(frame.video for frame in frames)
    assert source.rate == pytest.approx(25) and source.broken == 0 and not lines


def test_a_video_of_changing_rate_has_the_positions_that_it_tells(tmp_path, program):
    steady, path = write_video(tmp_path / "steady.avi", 20), tmp_path / "film.mkv"
    slower = "setpts=if(lt(N\\,10)\\,N/25/TB\\,(0.4+(N-10)/5)/TB)"  # 25 frames a second, then 5
    command = [program("ffmpeg"), "-v", "error", "-i", steady, "-vf", slower, "-fps_mode", "vfr", "-c:v", "mpeg4", path]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    with open_source([str(path)]) as source:
        times = [frame.time for frame in source]
    assert np.allclose(times, [*(np.arange(10) / 25), *(0.4 + np.arange(10) / 5)], atol=0.041)
    assert source.broken == 0, "fewer frames than its length at its highest rate would hold"


def test_a_video_without_times_has_positions_too(tmp_path, program):
    steady, path = write_video(tmp_path / "steady.avi", 20), tmp_path / "film.h264"
    command = [program("ffmpeg"), "-v", "error", "-i", steady, "-c:v", "libx264", path]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    with open_source([str(path)]) as source:
        times = [frame.time for frame in source]
        assert np.allclose(times, np.arange(20) / source.rate)


def test_a_video_that_breaks_off_is_told(tmp_path):
    whole = write_video(tmp_path / "whole.avi", 60).read_bytes()
    path = tmp_path / "cut.avi"
    path.write_bytes(whole[: len(whole) // 2])
    lines: list[str] = []
    with open_source([str(path)], notify=lines.append) as source:
        count = len(list(source))
    assert 10 < count < 60
    assert source.broken == 1
    assert f"breaks off after {count} of 60" in lines[0]


@pytest.mark.parametrize("content", [b"", b"no video at all" * 1000, b"\x00\x00\x00\x18ftypmp42" + bytes(5000)])
def test_what_is_no_video_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="expected a video") as caught:
        open_source([str(path)])
    assert told_by_a_fresh_process(str(path)) == (f"{caught.value}\n", "")


def test_a_hundred_sources_leak_nothing(tmp_path, folder):
    path = write_video(tmp_path / "film.avi", 3)
    with VideoSource(path) as source:  # what is loaded once stays
        list(source)
    before, threads = descriptors(), threading.active_count()
    for turn in range(100):
        with open_source([str(path if turn % 2 else folder)]) as source:
            assert source.poll(0) is not None
    assert descriptors() <= before
    assert threading.active_count() == threads
