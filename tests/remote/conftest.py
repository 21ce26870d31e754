"""A real sshd on loopback, with keys of its own and an empty home folder on each side."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


@dataclass
class Sshd:
    """A running sshd: where it listens, and the two home folders."""

    port: int
    board_home: Path
    our_home: Path
    process: subprocess.Popen[bytes]

    @property
    def target(self) -> str:
        return f"root@127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection, as a pulled cable does."""
        listener = self.process.pid
        children = Path(f"/proc/{listener}/task/{listener}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)


def _key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    pytest.importorskip("asyncssh", reason="asyncssh is not installed; pip install 'edgecnn[remote]'")
    if SSHD is None or shutil.which("ssh-keygen") is None:
        pytest.skip("sshd is not installed; apt-get install openssh-server")
    if os.geteuid() != 0:
        pytest.skip("the sshd of the tests logs in as root; run the tests as root")
    Path("/run/sshd").mkdir(exist_ok=True)
    board_home, our_home, etc = (tmp_path / name for name in ("board", "us", "etc"))
    for folder in (board_home, our_home / ".ssh", etc):
        folder.mkdir(parents=True, mode=0o700)
    _key(etc / "host")
    _key(our_home / ".ssh" / "id_ed25519")
    shutil.copy(our_home / ".ssh" / "id_ed25519.pub", etc / "authorized")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (etc / "config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {etc}/host\nAuthorizedKeysFile {etc}/authorized\n"
        f"StrictModes no\nPidFile none\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        f"SetEnv HOME={board_home}\nSubsystem sftp internal-sftp\n"
    )
    host_key = (etc / "host.pub").read_text().split()
    (our_home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key[0]} {host_key[1]}\n")
    monkeypatch.setenv("HOME", str(our_home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", etc / "config"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Sshd(port, board_home, our_home, process)
    finally:
        process.terminate()
        process.wait(timeout=20)
