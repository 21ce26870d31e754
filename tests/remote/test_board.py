from __future__ import annotations

import asyncio
import subprocess
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

import edgecnn
from edgecnn.errors import ArgumentError, RemoteError
from edgecnn.remote import board as room
from edgecnn.remote.board import Target, connect
from edgecnn.remote.wheel import build_wheel


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pi@raspberrypi.local", Target("raspberrypi.local", "pi")),
        ("garden", Target("garden")),
        ("pi@10.0.0.7:2222", Target("10.0.0.7", "pi", 2222)),
        ("pi@fe80::1", Target("fe80::1", "pi")),
    ],
)
def test_target_is_read_and_written(text: str, expected: Target) -> None:
    assert Target.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize("text", ["", "@host", "pi@", "-oProxyCommand=x", "a b", "host:0", "host:99999", "host:ssh"])
def test_target_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ArgumentError, match="board: expected"):
        Target.parse(text)


def test_wheel_holds_the_package_and_is_the_same_each_time() -> None:
    name, data = build_wheel()
    assert (name, data) == build_wheel()
    with zipfile.ZipFile(BytesIO(data)) as archive:
        names = archive.namelist()
        described = archive.read(f"edgecnn-{edgecnn.__version__}.dist-info/METADATA").decode()
    assert "edgecnn/remote/wheel.py" in names
    assert not [entry for entry in names if "__pycache__" in entry]
    assert "onnxruntime" in described


def test_facts_files_and_exit_codes(sshd) -> None:
    async def talk() -> None:
        async with connect(sshd.target) as board:
            assert board.facts.home == str(sshd.board_home)
            assert board.facts.free_mb > 0
            outcome = await board.run("sh", "-c", "echo out; echo err >&2; exit 7")
            assert (outcome.code, outcome.stdout, outcome.stderr) == (7, "out\n", "err\n")
            await board.put({"a.txt": b"first", "b.bin": bytes(100_000)}, f"{board.root}/bundles/x")
            await board.put({"a.txt": b"second"}, f"{board.root}/bundles/x")
            with pytest.raises(RemoteError, match="counting failed: no"):
                await board.succeed("sh", "-c", "echo no >&2; exit 1", doing="counting")

    asyncio.run(talk())
    root = sshd.board_home / ".local/share/edgecnn"
    assert [p.name for p in (root / "bundles/x").iterdir()] == ["a.txt"]
    assert (root / "bundles/x/a.txt").read_bytes() == b"second"
    assert [p.name for p in (root / "bundles").iterdir()] == ["x"]


def test_arguments_are_never_read_by_a_shell(sshd) -> None:
    async def talk() -> str:
        async with connect(sshd.target) as board:
            return (await board.run("printf", "%s|", "a b", "$HOME", "`id`", "x;y", "'q'")).stdout

    assert asyncio.run(talk()) == "a b|$HOME|`id`|x;y|'q'|"


def test_unknown_host_key_is_refused(sshd) -> None:
    (sshd.our_home / ".ssh/known_hosts").write_text("")
    with pytest.raises(RemoteError, match="host key is not trusted"):
        asyncio.run(_connect_only(sshd.target))


def test_wrong_key_says_how_to_bring_the_right_one(sshd) -> None:
    key = sshd.our_home / ".ssh/id_ed25519"
    key.unlink()
    key.with_suffix(".pub").unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with pytest.raises(RemoteError, match="no key was accepted; run: ssh-copy-id"):
        asyncio.run(_connect_only(sshd.target))


def test_unusable_key_is_one_line(sshd) -> None:
    (sshd.our_home / ".ssh/id_ed25519.pub").write_text((sshd.our_home.parent / "etc/host.pub").read_text())
    with pytest.raises(RemoteError, match="a key of yours cannot be used: Public key mismatch"):
        asyncio.run(_connect_only(sshd.target))


def test_unreachable_board_is_one_line() -> None:
    pytest.importorskip("asyncssh")
    with pytest.raises(RemoteError, match="cannot be reached"):
        asyncio.run(_connect_only("pi@127.0.0.1:1"))


@pytest.mark.parametrize(
    ("program", "script", "message"),
    [
        ("getconf", "echo 32", "expected a 64-bit system"),
        ("uname", "echo armv7l", "expected a 64-bit system, found armv7l"),
        ("python3", "exit 127", "expected Python 3.11 or newer as python3, found none"),
        ("python3", "echo 3.9", "found 3.9"),
    ],
)
def test_unfit_board_is_one_line(sshd, monkeypatch, program: str, script: str, message: str) -> None:
    fake = sshd.board_home / "bin" / program
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(room, "_PROBE", f'PATH="$HOME/bin:$PATH"\n{room._PROBE}')
    with pytest.raises(RemoteError, match=message):
        asyncio.run(_connect_only(sshd.target))


def test_too_little_space_is_told_before_anything_is_written(sshd, monkeypatch) -> None:
    monkeypatch.setattr(room, "NEEDED_MB", 10**9)

    async def talk() -> None:
        async with connect(sshd.target) as board:
            await board.install(lambda line: None)

    with pytest.raises(RemoteError, match="make room there"):
        asyncio.run(talk())
    assert not (sshd.board_home / ".local").exists()


def test_a_cut_connection_ends_the_command_and_leaves_no_half_copy(sshd) -> None:
    mark = sshd.board_home / "alive"

    async def talk() -> None:
        async with connect(sshd.target) as board:
            await board.succeed("mkdir", "-p", board.staging, doing="staging")
            script = f"while :; do date +%s%N > '{mark}'; sleep 0.1; done"
            asyncio.get_running_loop().call_later(1.5, sshd.cut)
            await board.run("sh", "-c", script)

    with pytest.raises(RemoteError, match="connection broke"):
        asyncio.run(talk())
    _until(lambda: not _changes(mark), "the command goes on after the cut")
    root = sshd.board_home / ".local/share/edgecnn"
    _until(lambda: not list(root.glob("staging-*")), "the half-copied files are still there")


def test_a_command_that_takes_too_long_is_ended(sshd) -> None:
    mark = sshd.board_home / "alive"

    async def talk() -> None:
        async with connect(sshd.target) as board:
            await board.run("sh", "-c", f"while :; do date +%s%N > '{mark}'; sleep 0.1; done", seconds=1)

    with pytest.raises(RemoteError, match="no answer within 1 s"):
        asyncio.run(talk())
    _until(lambda: not _changes(mark), "the command goes on after its time")


async def _connect_only(target: str) -> None:
    async with connect(target):
        pass


def _changes(path: Path) -> bool:
    before = path.read_bytes()
    time.sleep(0.5)
    return path.read_bytes() != before


def _until(condition, message: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.1)
