"""deploy against a real sshd. systemctl is a stand-in there: it runs the unit's command as a process of its own."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import signal
import socket
import sys
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgecnn.bundle import read_bundle
from edgecnn.cli import app
from edgecnn.errors import ArgumentError, DataError, RemoteError
from edgecnn.remote import board as board_room
from edgecnn.remote import deploy as room
from edgecnn.remote.board import Board
from edgecnn.remote.deploy import Proof, Service

SYSTEMCTL = r"""#!/bin/sh
# What deploy needs of `systemctl --user`: start a unit's ExecStart, say whether it runs, stop it.
shift; verb=$1; shift
unit="$HOME/.config/systemd/user/edgecnn.service"; pid="$HOME/pid"
stop() { [ -f "$pid" ] && kill "$(cat "$pid")" 2> /dev/null; rm -f "$pid"; }
case $verb in
show-environment|daemon-reload|enable|reset-failed) ;;
restart)
    stop
    command=$(sed -n 's/^ExecStart=//p' "$unit")
    . "$(sed -n 's/^EnvironmentFile=//p' "$unit")"; export EDGECNN_TOKEN
    eval "setsid $command < /dev/null > /dev/null 2> $HOME/log &"
    echo $! > "$pid";;
disable) stop;;
show)
    state=failed
    [ -f "$pid" ] && kill -0 "$(cat "$pid")" 2> /dev/null && state=active
    echo "ActiveState=$state"
    echo NRestarts=0;;
*) exit 1;;
esac
"""

JOURNALCTL = r"""#!/bin/sh
# The service's own lines where they alone are asked for; else with what systemd adds to them.
tail -n 5 "$HOME/log"
case " $* " in *" -t edgecnn "*) ;; *) echo 'edgecnn.service: Consumed 1.394s CPU time.';; esac
"""


@pytest.fixture
def systemd(sshd, monkeypatch: pytest.MonkeyPatch):
    """The board of `sshd` with a user's systemd, and with this very edgecnn installed."""
    programs = sshd.board_home / "bin"
    programs.mkdir()
    for name, text in {
        "systemctl": SYSTEMCTL,
        "loginctl": '#!/bin/sh\necho "$1" >> "$HOME/loginctl"\n',
        "journalctl": JOURNALCTL,
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    plain = board_room._run

    async def run(connection, target, command, seconds):
        return await plain(connection, target, f'PATH="$HOME/bin:$PATH"; {command}', seconds)

    async def install(self: Board, progress) -> str:
        return str(Path(sys.executable).with_name("edgecnn"))

    monkeypatch.setattr(board_room, "_run", run)
    monkeypatch.setattr(Board, "install", install)
    monkeypatch.setattr(room, "SETTLE_SECONDS", 1)
    yield sshd
    pid = sshd.board_home / "pid"
    if pid.exists():
        with suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.fixture
def proof(mnist, data_dir: Path) -> Callable[[], Proof]:
    from edgecnn.data.mnist import FAMILIES, find_files

    files = {path.name: path.read_bytes() for path in find_files(FAMILIES["mnist"], data_dir)}
    return lambda: Proof("mnist", files)


@pytest.fixture
def video(tmp_path: Path) -> str:
    """A source that every machine has: a long video."""
    import cv2
    import numpy as np

    path = tmp_path / "long.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (160, 120))
    for _ in range(2000):
        writer.write(np.full((120, 160, 3), 200, np.uint8))
    writer.release()
    return str(path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_service_is_proven_started_shown_and_removed(systemd, shipped, proof, video) -> None:
    told: list[str] = []
    service = Service(video, free_port())
    found = room.deploy(systemd.target, read_bundle(shipped), service, proof, told.append)
    assert found.active == "active" and found.bundle.startswith("digits-")
    assert "proving digits there" in told
    assert "?token=" in found.url
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(found.url.replace("/?token", "/healthz?token"), timeout=30) as answer:
        assert answer.status == 200
    environment = systemd.board_home / ".local/share/edgecnn/environment"
    assert environment.stat().st_mode & 0o077 == 0
    assert room.status(systemd.target).bundle == found.bundle
    room.remove(systemd.target)
    assert room.status(systemd.target).bundle == ""
    assert not (systemd.board_home / ".local/share/edgecnn").exists()
    assert not (systemd.board_home / "pid").exists()
    assert (systemd.board_home / "loginctl").read_text().split() == ["enable-linger", "disable-linger"]


def test_bundle_that_fails_its_parity_there_is_not_switched_to(systemd, shipped, proof, video, tmp_path) -> None:
    service = Service(video, free_port())
    good = room.deploy(systemd.target, read_bundle(shipped), service, proof, str)
    broken = tmp_path / "digits-broken"
    shutil.copytree(shipped, broken)
    described = json.loads((broken / "bundle.json").read_text())
    described["image"]["offset"] = -0.7  # not what the model was trained with
    (broken / "bundle.json").write_text(json.dumps(described))
    with pytest.raises(RemoteError, match="fails its parity there, nothing was switched"):
        room.deploy(systemd.target, read_bundle(broken), service, proof, str)
    after = room.status(systemd.target)
    assert (after.bundle, after.active) == (good.bundle, "active")
    bundles = systemd.board_home / ".local/share/edgecnn/bundles"
    assert [path.name for path in bundles.iterdir()] == [good.bundle]


def test_installation_of_an_older_version_goes_with_the_switch(systemd, shipped, proof, video) -> None:
    ours = systemd.board_home / ".local/share/edgecnn"
    (ours / "venv-000000000000" / "bin").mkdir(parents=True)
    (ours / "bundles" / "older-000000000000").mkdir(parents=True)
    room.deploy(systemd.target, read_bundle(shipped), Service(video, free_port()), proof, str)
    assert not list(ours.glob("venv-*"))
    assert [path.name[:7] for path in (ours / "bundles").iterdir()] == ["digits-"]
    assert (ours / "data" / "mnist").is_dir()


def test_service_that_does_not_stay_up_is_taken_back(systemd, shipped, proof, video) -> None:
    bundle = read_bundle(shipped)
    good = room.deploy(systemd.target, bundle, Service(video, free_port()), proof, str)
    with pytest.raises(RemoteError, match=rf"did not stay up: .*; {good.bundle} runs again"):
        room.deploy(systemd.target, bundle, Service("/nonexistent.avi", free_port()), proof, str)
    assert room.status(systemd.target).active == "active"


def test_first_service_that_does_not_stay_up_leaves_none(systemd, shipped, proof) -> None:
    with pytest.raises(RemoteError, match=r"did not stay up: edgecnn: .*nonexistent\.avi.*; nothing runs, as before"):
        room.deploy(systemd.target, read_bundle(shipped), Service("/nonexistent.avi", free_port()), proof, str)
    assert room.status(systemd.target).bundle == ""


def test_service_that_cannot_even_be_started_shows_what_systemd_says(systemd, shipped, proof, monkeypatch) -> None:
    monkeypatch.setattr(Service, "unit", lambda *_: "[Service]\nExecStart=/bin/false\nEnvironmentFile=/dev/null\n")
    with pytest.raises(RemoteError, match=r"did not stay up: edgecnn\.service: Consumed 1\.394s CPU time\.; nothing"):
        room.deploy(systemd.target, read_bundle(shipped), Service("csi", free_port()), proof, str)


def test_board_is_looked_at_before_the_proof(shipped, monkeypatch, tmp_path) -> None:
    """Who mistypes the board's name is not told of a data set first."""
    for variable in ("EDGECNN_DATA", "KERAS_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    result = CliRunner().invoke(app, ["deploy", f"127.0.0.1:{free_port()}", str(shipped)])
    assert result.exit_code == 1
    assert result.stderr.startswith("edgecnn: 127.0.0.1")
    assert "mnist" not in result.stderr


def test_proof_that_is_absent_changes_nothing_there(systemd, shipped) -> None:
    def absent() -> Proof:
        raise DataError("mnist is not here")

    with pytest.raises(DataError, match="mnist is not here"):
        room.deploy(systemd.target, read_bundle(shipped), Service("csi", free_port()), absent, str)
    assert not (systemd.board_home / ".local/share/edgecnn").exists()


def test_board_without_systemd_is_one_line(sshd) -> None:
    with pytest.raises(RemoteError, match="expected systemd with a manager for this user, found none"):
        room.status(sshd.target)


@pytest.mark.parametrize(
    ("source", "port", "message"),
    [
        ("csi", 80, "--port: expected 1024"),
        ("", 8080, "--source"),
        ("--help", 8080, "--source"),
        ("a\nb", 8080, "--source"),
    ],
)
def test_service_refuses_what_cannot_be(source: str, port: int, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Service(source, port)


def test_unit_quotes_what_systemd_would_read() -> None:
    unit = Service('a "b" 100% $HOME').unit("/p/edgecnn", "/r")
    assert r'"a \"b\" 100%% $$HOME"' in unit


def test_unit_sends_messages_and_nothing_else_to_the_journal() -> None:
    """systemd lets stderr follow stdout where nothing is said, and stdout has a line for each frame."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(Service().unit("/p/edgecnn", "/r"))
    service = parser["Service"]
    assert (service["StandardOutput"], service["StandardError"]) == ("null", "journal")
    assert service["EnvironmentFile"] == "/r/environment"
