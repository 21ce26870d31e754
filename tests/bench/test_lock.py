from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgecnn.bench.lock import FILE, only_one, state_folder
from edgecnn.errors import MeasurementError

HOLDER = """
import sys, time
from pathlib import Path
from edgecnn.bench.lock import only_one
with only_one(Path(sys.argv[1]), wait=0, waiting=print):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path: Path):  # type: ignore[no-untyped-def]
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_refused_and_told_who(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    expected = rf"another bench is running \(process {holder.pid}\); .*--wait"
    with pytest.raises(MeasurementError, match=expected), only_one(tmp_path, wait=0, waiting=pytest.fail):
        pass


def test_the_second_waits(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    told: list[str] = []

    def waiting(line: str) -> None:
        told.append(line)
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()

    with only_one(tmp_path, wait=60, waiting=waiting) as alone:
        assert alone
    assert told == [f"waiting for another bench (process {holder.pid})"]


def test_the_second_gives_up(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(MeasurementError), only_one(tmp_path, wait=0.5, waiting=lambda line: None):
        pass
    assert time.monotonic() - start >= 0.5


def test_a_killed_bench_leaves_no_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.kill()
    holder.wait()
    with only_one(tmp_path, wait=0, waiting=pytest.fail) as alone:
        assert alone
        assert (tmp_path / FILE).read_text() == f"{os.getpid()}\n"


def test_where_nothing_can_be_locked_it_goes_on_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with only_one(tmp_path / "file" / "folder", wait=0, waiting=pytest.fail) as alone:
        assert not alone


def test_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_STATE", "/one")
    assert state_folder() == Path("/one")
    monkeypatch.delenv("EDGECNN_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", "/two")
    assert state_folder() == Path("/two/edgecnn")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == Path.home() / ".local" / "state" / "edgecnn"
