"""`tools/emulate-pi deploy`: the emulated system booted with its own systemd and sshd, and edgecnn deployed to it.

systemd runs as process 1 of namespaces of its own (processes, mounts, control groups); the network is this machine's,
so sshd and the page listen on loopback. All of it ends with the tool.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from arm64.measure import Row, write
from arm64.system import BED, CPUS, PYTHON, ROOT, ROOTFS, call, inside, stop

PACKAGES = "openssh-server systemd-sysv dbus-user-session libpam-systemd polkitd"
"""What Raspberry Pi OS has and a minimal Debian has not."""
HOME = BED / "home"
BOOT_SECONDS, PAGE_SECONDS = 120, 180

# 1: root file system, 2: the faked board. Process 1 needs a root that is a mount point, and a control group of its own.
_BOOT = r"""
set -e
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --bind "$2/cpuinfo" "$1/proc/cpuinfo"
mount -t tmpfs -o mode=755 tmpfs "$1/dev"
for name in null zero full random urandom tty; do
  touch "$1/dev/$name"
  mount --bind "/dev/$name" "$1/dev/$name"
done
mkdir "$1/dev/pts" "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
ln -s /proc/self/fd "$1/dev/fd"
mount -t tmpfs tmpfs "$1/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$1/run"
mkdir -p "$2/sys/fs/cgroup"
mount --bind "$2/sys" "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
cd "$1"
pivot_root . .
umount -l .
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=emulated "$3" /lib/systemd/systemd --show-status=no
"""


class Camera(BaseHTTPRequestHandler):
    """Sends one picture again and again, as a network camera does (multipart/x-mixed-replace)."""

    picture = b""

    def do_GET(self) -> None:
        """Send until the other side has enough."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(self.picture)}\r\n\r\n".encode()
        try:
            while True:
                self.wfile.write(head + self.picture + b"\r\n")
                time.sleep(0.2)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def take_picture() -> None:
    """Let the camera see the sample picture, at half its width and height: an emulated board is slow."""
    script = (
        "import sys, cv2\n"
        "small = cv2.resize(cv2.imread(sys.argv[1]), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)\n"
        "cv2.imwrite(sys.argv[2], small)"
    )
    call(PYTHON, "-c", script, ROOT / "models/samples/number.jpg", HOME / "small.jpg")
    Camera.picture = (HOME / "small.jpg").read_bytes()


@contextmanager
def serving() -> Iterator[str]:
    """The camera on loopback; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def furnish(cpu: str, port: int) -> None:
    """Make the system one that can be logged in to: packages, a user, its key, and where sshd listens."""
    install = f"dpkg -s {PACKAGES} > /dev/null 2>&1 || {{ apt-get update -qq && apt-get install -y -qq " \
        f"--no-install-recommends {PACKAGES} > /dev/null; }}"  # fmt: skip
    inside(cpu, ["sh", "-c", install], env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    inside(cpu, ["sh", "-c", "id pi > /dev/null 2>&1 || useradd --create-home --shell /bin/bash pi; "
                       "rm -rf ~pi/.local ~pi/.config /var/lib/systemd/linger/pi"])  # fmt: skip
    shutil.rmtree(HOME, ignore_errors=True)
    (HOME / ".ssh").mkdir(parents=True, mode=0o700)
    key = HOME / ".ssh" / "id_ed25519"
    call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    kind, host_key = (ROOTFS / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
    (HOME / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {host_key}\n")
    allowed = "umask 077; mkdir -p ~pi/.ssh; cat > ~pi/.ssh/authorized_keys; chown -R pi: ~pi/.ssh"
    inside(cpu, ["sh", "-c", allowed], input=key.with_suffix(".pub").read_text())
    setting = f"QEMU_CPU=cortex-{cpu}"
    manager = f"[Manager]\nManagerEnvironment={setting}\nDefaultEnvironment={setting}\n"
    for name, text in {
        "ssh/sshd_config.d": f"ListenAddress 127.0.0.1:{port}\nPasswordAuthentication no\nSetEnv {setting}\n",
        "systemd/system.conf.d": manager,
        "systemd/user.conf.d": manager,
    }.items():
        (ROOTFS / "etc" / name).mkdir(exist_ok=True)
        (ROOTFS / "etc" / name / "board.conf").write_text(text)


@contextmanager
def booted(cpu: str, port: int) -> Iterator[None]:
    """The system, running as on a board until the end of the block."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    hierarchy = next((Path(place) for _, place, kind, *_ in mounts if kind == "cgroup2"), None)
    if hierarchy is None:
        stop("systemd needs control groups, version 2; none are mounted here")
    group = hierarchy / "edgecnn-board"
    group.mkdir(exist_ok=True)
    boot = ["unshare", "-m", "-p", "-C", "-u", "-i", "-f", "--kill-child", "--propagation", "private", "sh", "-c",
            _BOOT, "sh", ROOTFS, BED / "boards" / cpu, f"QEMU_CPU=cortex-{cpu}"]  # fmt: skip
    enter = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    process = subprocess.Popen(["sh", "-c", enter, "sh", *map(str, boot)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        deadline = time.monotonic() + BOOT_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                stop("the emulated system did not come up with an sshd; read the journal: tools/emulate-pi run "
                     f"{cpu} journalctl")  # fmt: skip
            time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()
        _empty(group)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _empty(group: Path) -> None:
    """Remove a control group, when the last of its processes has gone."""
    for _ in range(50):
        time.sleep(0.2)
        for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            try:
                folder.rmdir()
            except OSError:
                break
        else:
            group.rmdir()
            return


class Trial:
    """Runs the steps of a deployment and keeps what came out of each."""

    def __init__(self, port: int, page: int) -> None:
        self.target, self.page = f"pi@127.0.0.1:{port}", page
        self.rows: list[Row] = []
        self.token = ""

    def edgecnn(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command of edgecnn here, with the home folder of somebody who has a key for the board."""
        data = {"KERAS_HOME": str(Path.home() / ".keras")} | os.environ  # a data set may lie in our own home folder
        ran = call(PYTHON.with_name("edgecnn"), *words, check=False, env=data | {"HOME": str(HOME)},
                   capture_output=True)  # fmt: skip
        said = [self._plain(line) for line in ran.stderr.strip().splitlines()]
        self.note(" ".join(words), ran.returncode == expect, exit=ran.returncode, said=said)
        return ran

    def board(self, script: str) -> str:
        """Run a script on the board over ssh; returns what it printed."""
        user, _, address = self.target.rpartition("@")
        host, _, port = address.partition(":")
        ran = call("ssh", "-F", "none", "-o", f"UserKnownHostsFile={HOME}/.ssh/known_hosts", "-i",
                   HOME / ".ssh/id_ed25519", "-p", port, f"{user}@{host}", script, capture_output=True)  # fmt: skip
        return ran.stdout

    def note(self, step: str, right: bool, **facts: object) -> None:
        """Keep a step and whether it came out as it should."""
        self.rows.append({"step": self._plain(step), "as expected": right, **facts})
        print(f"{'ok' if right else 'WRONG'}: {self.rows[-1]['step']}", flush=True)

    def _plain(self, text: str) -> str:
        """Without what is of this run alone: where the checkout is, ports, the token."""
        text = (
            text.replace(self.target, "pi@board").replace(f"{ROOT}/", "").replace(f"--port {self.page}", "--port PORT")
        )
        return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", re.sub(r"token=[\w-]+", "token=...", text))

    def served(self, step: str) -> None:
        """Ask the service's page for what it reads, as a browser does."""
        ask = urllib.request.Request(f"http://127.0.0.1:{self.page}/api/readings")
        ask.add_header("Authorization", f"Bearer {self.token}")
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline, frames, texts = time.monotonic() + PAGE_SECONDS, set[int](), set[str]()
        while time.monotonic() < deadline and not (any(texts) and len(frames) >= 5):
            try:
                with direct.open(ask, timeout=30) as answer:
                    for line in answer:
                        if line.startswith(b"data: "):
                            event = json.loads(line[6:])
                            frames.add(event["frame"])
                            texts.add(event["text"])
                        if time.monotonic() > deadline or (any(texts) and len(frames) >= 5):
                            break
            except (urllib.error.URLError, OSError):
                time.sleep(1)
        self.note(step, len(frames) >= 5, texts=sorted(filter(None, texts)))


def deploy(cpu: str, bundle: Path) -> None:
    """Deploy a bundle to the emulated system over SSH, in every way, and record what came out."""
    port, page = free_port(), free_port()
    furnish(cpu, port)
    trial = Trial(port, page)
    take_picture()
    with serving() as source:
        with booted(cpu, port):
            _first(trial, bundle, source)
            _rest(trial, bundle)
        with booted(cpu, port):
            trial.served("after a power cut the board starts again, and the service with it")
            _removal(trial)
    measured = "edgecnn deploy and bench --on over SSH, with the sshd and systemd of Debian arm64; QEMU user mode"
    write("arm-deploy.json", {"measured": measured, "cpu": CPUS[cpu].name, "bundle": bundle.name, "steps": trial.rows})
    if not all(row["as expected"] for row in trial.rows):
        stop("not every step came out as it should; see benchmarks/results/arm-deploy.json")


def _first(trial: Trial, bundle: Path, source: str) -> None:
    """Deploy, and look at the service from both sides."""
    trial.edgecnn("deploy", trial.target, str(bundle), "--source", source, "--port", str(trial.page))
    shown = trial.edgecnn("deploy", trial.target, "--status", "--json")
    status = json.loads(shown.stdout)
    trial.token = status["url"].rpartition("token=")[2]
    trial.note("the status", status["active"] == "active", bundle=status["bundle"], service=status["active"])
    trial.served("the page tells what the service reads")
    unit = trial.board("systemctl --user is-enabled edgecnn; loginctl show-user pi -p Linger --value; uname -m").split()
    trial.note("systemctl is-enabled, lingering, architecture", unit == ["enabled", "yes", "aarch64"], came=unit)


def _rest(trial: Trial, bundle: Path) -> None:
    """A deployment that fails, and a measurement beside the service."""
    trial.edgecnn("deploy", trial.target, "tiny", "--source", "/gone.avi", "--port", str(trial.page), expect=1)
    trial.served("what ran before reads again")
    words = [
        "bench",
        "--on",
        trial.target,
        str(bundle),
        "--precision",
        "int8",
        "--seconds",
        "1",
        "--no-start",
        "--json",
    ]
    ran = trial.edgecnn(*words)
    result: Row = json.loads(ran.stdout) if ran.returncode == 0 else {"rows": [], "machine": {"cpu": None}}
    rows = [f"{row['target']['runtime']} {row['target']['precision']}" for row in result["rows"]]
    trial.note("its result", len(rows) == 2, rows=rows, cpu=result["machine"]["cpu"])


def _removal(trial: Trial) -> None:
    """Take all of it away again."""
    trial.edgecnn("deploy", trial.target, "--remove")
    left = trial.board(
        "find ~/.local/share/edgecnn ~/.config/systemd/user -name '*edgecnn*'; pgrep -u pi -f '[b]in/edgecnn'; "
        "loginctl show-user pi -p Linger --value"
    )
    trial.note("what is left: files, processes, lingering", left.split() == ["no"], came=left.split())
