"""Cutting a stream of JPEG files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.sources.mjpeg import MAX_BYTES, JpegSplitter


def jpeg(seed: int, quality: int = 90, side: int = 24) -> bytes:
    picture = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


FILES = [jpeg(seed, quality) for seed, quality in ((0, 90), (1, 30), (2, 100))]
FILES.append(bytes(cv2.imencode(".jpg", np.zeros((40, 40), np.uint8), [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1]))
FILES.append(bytes(cv2.imencode(".jpg", np.full((33, 65, 3), 99, np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]))


@given(st.lists(st.integers(1, 700), min_size=1, max_size=60))
def test_files_come_out_whole_however_the_stream_is_cut(sizes):
    stream = b"".join(FILES)
    splitter, found, at = JpegSplitter(), [], 0
    for size in sizes:
        found += splitter.feed(stream[at : at + size])
        at += size
    found += splitter.feed(stream[at:])
    assert found == FILES


def test_a_thumbnail_inside_a_file_is_no_end_of_it():
    thumbnail = b"\xff\xe1" + (len(FILES[1]) + 2).to_bytes(2, "big") + FILES[1]
    file = FILES[0][:2] + thumbnail + FILES[0][2:]
    assert JpegSplitter().feed(file + FILES[2]) == [file, FILES[2]]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x00" * 50,
        b"HTTP/1.1 200 OK\r\n",
        b"\xff",
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8 no \xff\xd9",
        b"\xff\xd8\xff\x00\x00",
    ],
)
def test_rubbish_between_files_costs_no_file(rubbish):
    splitter = JpegSplitter()
    found = splitter.feed(rubbish + FILES[0] + rubbish + FILES[1])
    assert [file for file in found if len(file) > 100] == FILES[:2]


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail_or_grow(data):
    splitter = JpegSplitter()
    for file in splitter.feed(data):
        assert file.startswith(b"\xff\xd8\xff") and file.endswith(b"\xff\xd9")


def test_a_file_without_end_is_not_kept_for_ever():
    splitter = JpegSplitter()
    head = FILES[0][:-2]
    splitter.feed(head)
    for _ in range(MAX_BYTES // (1 << 20) + 2):
        splitter.feed(b"\x00" * (1 << 20))
    assert len(splitter._data) <= MAX_BYTES
    assert splitter.feed(FILES[1])[-1:] == [FILES[1]]
