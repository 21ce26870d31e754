from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.bench.measure import Options
from edgecnn.bench.sampling import QUICK, THOROUGH
from edgecnn.bundle import read_bundle
from edgecnn.errors import MeasurementError, RemoteError
from edgecnn.remote.bench import arguments, bench_on
from edgecnn.remote.board import Board, Outcome, connect
from edgecnn.remote.wheel import build_wheel
from edgecnn.spec import Precision, Runtime

SHORT = replace(QUICK, seconds=0.2, queries=10, name="own")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A board on which this very edgecnn is installed already."""

    async def install(self: Board, progress) -> str:
        return str(Path(sys.executable).with_name("edgecnn"))

    monkeypatch.setattr(Board, "install", install)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(), "--runtime litert --runtime onnx --precision float32 --precision int8 --threads 1"),
        (
            Options(plan=THOROUGH, runtimes=(Runtime.ONNX,), precisions=(Precision.INT8,), threads=(1, 4), start=False),
            "--thorough --runtime onnx --precision int8 --threads 1,4 --no-start",
        ),
        (
            Options(plan=SHORT, runtimes=(Runtime.LITERT,), precisions=(Precision.INT8,), energy=True),
            "--seconds 0.2 --queries 10 --runtime litert --precision int8 --threads 1 --energy",
        ),
    ],
)
def test_options_become_the_same_options(options: Options, expected: str) -> None:
    assert " ".join(arguments(options)) == expected


def test_result_comes_from_the_board(sshd, installed, shipped, tmp_path) -> None:
    told: list[str] = []
    options = Options(plan=SHORT, precisions=(Precision.INT8,), start=False)
    result = bench_on(sshd.target, [read_bundle(shipped)], options, command="edgecnn bench --on", progress=told.append)
    assert result.complete and result.command == "edgecnn bench --on"
    assert {row.target.runtime for row in result.rows} == set(Runtime)
    assert told[-1] == "measuring there"
    copied = list((sshd.board_home / ".local/share/edgecnn/bundles").iterdir())
    assert [folder.name.rpartition("-")[0] for folder in copied] == ["digits"]
    assert read_bundle(copied[0]).name == "digits"


def test_failure_there_is_one_line_here(sshd, installed, shipped) -> None:
    picture = sshd.our_home / "none.png"
    picture.write_text("no picture")
    options = Options(plan=SHORT, precisions=(Precision.INT8,), start=False, picture=picture)
    with pytest.raises(MeasurementError, match=r"^root@127.0.0.1:\d+: bench failed there: .*picture"):
        bench_on(sshd.target, [read_bundle(shipped)], options, command="", progress=str)


@pytest.mark.timeout(900)
def test_device_half_is_installed_once_measures_and_serves(sshd, shipped, monkeypatch, tmp_path) -> None:
    video = tmp_path / "short.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 5, (160, 120))
    for _ in range(3):
        writer.write(np.full((120, 160, 3), 200, np.uint8))
    writer.release()
    wheel = build_wheel()
    monkeypatch.setattr("edgecnn.remote.board.build_wheel", lambda: wheel)  # the sources may be edited meanwhile
    told: list[str] = []
    options = Options(plan=SHORT, precisions=(Precision.INT8,), start=False)
    try:
        first = bench_on(sshd.target, [read_bundle(shipped)], options, command="", progress=told.append)
    except RemoteError as error:
        if "No matching distribution" in str(error) or "connection" in str(error).lower():
            pytest.skip(f"needs a package index: {error}")
        raise
    assert len(first.rows) == 2
    assert any("installing" in line for line in told)
    venvs = list((sshd.board_home / ".local/share/edgecnn").glob("venv-*"))
    assert len(venvs) == 1
    assert not list(venvs[0].rglob("tensorflow*"))
    told.clear()

    async def again() -> tuple[str, Outcome]:
        async with connect(sshd.target) as board:
            program = await board.install(told.append)
            run = (program, "run", f"{shipped}", f"{video}", "--no-show", "--serve", "0")
            return program, await board.run("timeout", "--preserve-status", "--signal=TERM", "15", *run)

    program, served = asyncio.run(again())
    assert program == f"{venvs[0]}/bin/edgecnn"
    assert told == []
    assert served.code == 0, served.stderr  # what a service needs is there, too
    assert "the page stays" in served.stderr


def test_failed_installation_leaves_nothing(sshd, monkeypatch) -> None:
    monkeypatch.setattr("edgecnn.remote.board.build_wheel", lambda: ("edgecnn-0-py3-none-any.whl", b"no wheel"))

    async def talk() -> None:
        async with connect(sshd.target) as board:
            await board.install(lambda line: None)

    with pytest.raises(RemoteError, match=r"installing edgecnn\[pi,serve\] failed: "):
        asyncio.run(talk())
    assert not list((sshd.board_home / ".local/share/edgecnn").glob("venv-*"))
