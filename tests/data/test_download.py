"""Downloads from a server on this machine: good ones, and every way in which a server can fail."""

from __future__ import annotations

import dataclasses
import os
import socket
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data.download import Limits, download
from edgecnn.data.mnist import load_family
from edgecnn.errors import DataError
from tests.data.conftest import Server, Small, remote

DATA = os.urandom(50_000)
FILE = remote("file.gz", DATA)
LIMITS = {
    "silent": Limits(connect=1),
    "trickling headers": Limits(connect=1),
    "stall": Limits(stall=0.5),
    "trickle": Limits(total=1),
}


def nothing_left(folder: Path) -> bool:
    return not folder.exists() or not list(folder.iterdir())


def test_a_file_arrives_with_progress(server: Server, tmp_path: Path) -> None:
    server.files["file.gz"] = DATA
    told: list[tuple[int, int, str]] = []
    path = download(FILE, [server.address], tmp_path / "new" / "folder", progress=lambda *now: told.append(now))
    assert path == tmp_path / "new" / "folder" / "file.gz"
    assert path.read_bytes() == DATA
    assert told[-1] == (len(DATA), len(DATA), "downloading file.gz")
    assert [done for done, *_ in told] == sorted(done for done, *_ in told)
    assert [entry.name for entry in path.parent.iterdir()] == ["file.gz"]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("wrong bytes", "the hash is wrong"),
        ("cut", "the connection ended after 25,000 of 50,000 bytes|timed out|25000 bytes read"),
        ("stall", "timed out"),
        ("trickle", "bytes came in 1 s"),
        ("too large", "expected 50,000 bytes, offered 51000"),
        ("no length", "expected 50,000 bytes, offered None"),
        ("silent", "no answer in 1 s"),
        ("trickling headers", "no answer in 1 s"),
        ("absent", "not found"),
    ],
)
def test_a_failing_server_gives_one_line_and_no_file(fault: str, text: str, server: Server, tmp_path: Path) -> None:
    server.fault = fault
    if fault != "absent":
        server.files["file.gz"] = DATA
    with pytest.raises(DataError, match=text) as caught:
        download(FILE, [server.address], tmp_path / "to", limits=LIMITS.get(fault))
    assert str(caught.value).startswith("file.gz could not be downloaded (127.0.0.1: ")
    assert "\n" not in str(caught.value)
    assert nothing_left(tmp_path / "to")


def test_the_next_mirror_is_asked_when_one_fails(server: Server, tmp_path: Path) -> None:
    server.files["good/file.gz"] = DATA
    server.files["bad/file.gz"] = DATA[:-1] + b"x" if DATA[-1:] != b"x" else DATA[:-1] + b"y"
    download(FILE, [f"{server.address}absent/", f"{server.address}bad/", f"{server.address}good/"], tmp_path)
    assert server.asked == ["absent/file.gz", "bad/file.gz", "good/file.gz"]
    assert (tmp_path / "file.gz").read_bytes() == DATA


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(DataError, match=r"127\.0\.0\.1: connection refused"):
            download(FILE, [address], tmp_path)


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    server.files["file.gz"] = DATA
    (tmp_path / "taken").touch()
    with pytest.raises(DataError, match=r"cannot be written: (not a directory|file exists)"):
        download(FILE, [server.address], tmp_path / "taken")


def test_a_data_set_is_downloaded_once(server: Server, small: Small, tmp_path: Path) -> None:
    server.files.update(small.files)
    family = dataclasses.replace(small.family, mirrors=(server.address,))
    first = load_family(family)
    assert len(server.asked) == 4
    assert str(tmp_path / "cache" / "edgecnn" / "small") in first.source
    again = load_family(family)
    assert len(server.asked) == 4
    assert again.sha256 == first.sha256
    assert np.array_equal(again.train.labels, first.train.labels)


def test_it_goes_to_the_folder_that_was_named(server: Server, small: Small, tmp_path: Path) -> None:
    server.files.update(small.files)
    load_family(dataclasses.replace(small.family, mirrors=(server.address,)), data_dir=tmp_path / "mine")
    assert {path.name for path in (tmp_path / "mine" / "small").iterdir()} == set(small.files)


def test_an_interrupted_data_set_goes_on_where_it_stopped(server: Server, small: Small) -> None:
    family = dataclasses.replace(small.family, mirrors=(server.address,))
    server.files.update(small.files)
    last = family.parts[-1].packed.name
    kept = server.files.pop(last)
    with pytest.raises(DataError, match="not found"):
        load_family(family)
    server.files[last] = kept
    server.asked.clear()
    load_family(family)
    assert server.asked == [last]


def test_offline_one_line_names_the_places_and_the_way_out(small: Small, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mirrors = (f"http://127.0.0.1:{free.getsockname()[1]}/",) * 2
        with pytest.raises(DataError) as caught:
            load_family(dataclasses.replace(small.family, mirrors=mirrors), data_dir=tmp_path / "mine")
    line = str(caught.value)
    for place in ("mine", "keras/datasets", "cache/edgecnn/small"):
        assert line.count(str(tmp_path / place)) == 1
    assert "--data-dir or EDGECNN_DATA, or take the embedded digits: --data optdigits" in line
    assert line.count("connection refused") == 1
    assert "\n" not in line
