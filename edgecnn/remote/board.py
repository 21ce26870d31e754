"""An SSH connection to a board: what it is, the folder of ours on it, files there and commands.

Everything of ours on a board lies in one folder, `~/.local/share/edgecnn`:

    venv-<hash>/        the device half, installed once for each version of edgecnn and Python
    bundles/<name>-<hash>/
    current             link to the bundle that the service reads
    staging-<random>/   files on their way; renamed when whole, else removed when the connection ends, however it ends

Host keys, user keys, agents and ~/.ssh/config are handled by asyncssh as OpenSSH does; an unknown host key is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shlex
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecnn.errors import ArgumentError, MissingExtraError, RemoteError
from edgecnn.remote.wheel import build_wheel

if TYPE_CHECKING:
    import asyncssh

CONNECT_SECONDS = 15
STEP_SECONDS = 120
INSTALL_SECONDS = 1800
EXTRAS = "pi,serve"
"""Extras of edgecnn that a board gets: what reads and measures, and what shows the page of a service."""
NEEDED_MB = 700
"""Free space that a first installation asks for: the packages unpacked, and pip's own copies while it works."""

_PROBE = r"""
echo "home=$HOME"
echo "machine=$(uname -m)"
echo "bits=$(getconf LONG_BIT 2>/dev/null)"
echo "python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
echo "venv=$(python3 -c 'import ensurepip, venv; print("yes")' 2>/dev/null)"
echo "free_kb=$(df -Pk "$HOME" 2>/dev/null | awk 'NR == 2 {print $4}')"
echo "model=$(tr -d '\0' < /proc/device-tree/model 2>/dev/null)"
"""

# The command's standard input is the connection's: when that breaks, `cat` ends and the command's whole group with it.
_LEASH = r"""
exec 3<&0
setsid "$@" < /dev/null & task=$!
(cat > /dev/null; kill -s TERM -- "-$task" 2> /dev/null) <&3 & watch=$!
wait "$task"; code=$?
kill "$watch" 2> /dev/null
exit "$code"
"""

# Lives as long as the connection, and then removes what the connection left half-copied. A board that lost power in
# the middle keeps its staging folder for an hour.
_GUARD = r"""
find "$1" -maxdepth 1 -name 'staging-*' -mmin +60 -exec rm -rf {} + 2> /dev/null
cat > /dev/null
rm -rf "$2"
"""

# A venv cannot be renamed (its scripts name it), so it is whole only when its last file is there: bin/edgecnn.
_INSTALL = r"""
trap 'rm -rf "$1"; exit 143' TERM
rm -rf "$1" && python3 -m venv "$1" && "$1/bin/pip" -q install --no-cache-dir "$2" &&
    "$1/bin/edgecnn" --version > /dev/null || { code=$?; rm -rf "$1"; exit "$code"; }
"""

_SWAP = r"""
rm -rf "$2.old" && { [ ! -e "$2" ] || mv -T "$2" "$2.old"; } && mv -T "$1" "$2" && rm -rf "$2.old"
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a board is.

    Attributes:
        host: Name, address, or alias of ~/.ssh/config.
        user: User name; None leaves it to ~/.ssh/config and the local name.
        port: TCP port; None leaves it to ~/.ssh/config and 22.
    """

    host: str
    user: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `[user@]host[:port]`.

        Raises:
            ArgumentError: It is not of that form.
        """
        user, at, rest = text.rpartition("@")
        host, colon, port = rest.rpartition(":") if rest.count(":") == 1 else (rest, "", "")
        host = host or rest
        plain = host and not host.startswith("-") and not any(c.isspace() for c in text)
        if not plain or (at and not user) or (colon and not (port.isdigit() and 0 < int(port) < 65536)):
            raise ArgumentError(f"board: expected [user@]host[:port], got {text!r}")
        return cls(host, user or None, int(port) if colon else None)

    def __str__(self) -> str:
        return (f"{self.user}@" if self.user else "") + self.host + (f":{self.port}" if self.port else "")


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """What was found on a board.

    Attributes:
        home: The user's home folder.
        machine: Architecture, as `uname -m` has it.
        python: Version of python3 as "major.minor".
        free_mb: Free space in the home folder, MB.
        model: What the device tree calls the board; empty elsewhere.
    """

    home: str
    machine: str
    python: str
    free_mb: int
    model: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished command: exit code and what it printed."""

    code: int
    stdout: str
    stderr: str


class Board:
    """An open connection. Made by `connect`; its methods raise `RemoteError` when the connection breaks."""

    def __init__(self, connection: asyncssh.SSHClientConnection, target: Target, facts: BoardFacts) -> None:
        self._connection = connection
        self.target = target
        self.facts = facts
        self.root = f"{facts.home}/.local/share/edgecnn"
        self.staging = f"{self.root}/staging-{secrets.token_hex(6)}"

    async def run(self, *command: str, seconds: float = STEP_SECONDS) -> Outcome:
        """Run a command that ends with the connection: if that breaks, the board kills it.

        Args:
            command: Program and arguments; none of them is read by a shell.
            seconds: Time that it may take.

        Raises:
            RemoteError: The connection broke or the time ran out.
        """
        leashed = f"sh -c {shlex.quote(_LEASH)} sh {shlex.join(command)}"
        return await _run(self._connection, self.target, leashed, seconds)

    async def succeed(self, *command: str, doing: str, seconds: float = STEP_SECONDS) -> str:
        """Run a command that has to end with 0; return what it printed.

        Raises:
            RemoteError: It ended otherwise; the message holds its last line.
        """
        outcome = await self.run(*command, seconds=seconds)
        if outcome.code != 0:
            lines = (outcome.stderr.strip() or outcome.stdout.strip()).splitlines()
            raise RemoteError(f"{self.target}: {doing} failed: {lines[-1] if lines else f'exit code {outcome.code}'}")
        return outcome.stdout

    async def put(self, files: Mapping[str, bytes], folder: str) -> None:
        """Write a folder of files: all of it or nothing. A folder that is there already is replaced.

        Args:
            files: Plain file names and contents.
            folder: Its absolute path on the board.

        Raises:
            RemoteError: The disk is full, or the connection broke; what was there before is still there.
        """
        import asyncssh

        await self.succeed("mkdir", "-p", self.staging, folder.rpartition("/")[0], doing=f"making {folder}")
        try:
            async with self._connection.start_sftp_client() as sftp:
                for name, data in files.items():
                    async with sftp.open(f"{self.staging}/{name}", "wb") as file:
                        await file.write(data)
        except (asyncssh.Error, OSError) as error:
            await self.run("rm", "-rf", self.staging)
            raise RemoteError(f"{self.target}: copying to {folder} failed: {error}; is the disk full?") from error
        await self.succeed("sh", "-c", _SWAP, "sh", self.staging, folder, doing=f"writing {folder}")

    async def install(self, progress: Callable[[str], None]) -> str:
        """Install the device half of this edgecnn on the board, unless it is there.

        Args:
            progress: Told in a line what is being done.

        Returns:
            Absolute path of the `edgecnn` program on the board.

        Raises:
            RemoteError: Too little space, or pip failed; nothing half-installed is left.
        """
        name, wheel = build_wheel()
        venv = f"{self.root}/venv-{hashlib.sha256(wheel + self.facts.python.encode()).hexdigest()[:12]}"
        if (await self.run("test", "-x", f"{venv}/bin/edgecnn")).code == 0:
            return f"{venv}/bin/edgecnn"
        if self.facts.free_mb < NEEDED_MB:
            raise RemoteError(
                f"{self.target}: installing needs {NEEDED_MB} MB in {self.facts.home}, {self.facts.free_mb} MB "
                "are free; make room there"
            )
        progress(f"installing edgecnn[{EXTRAS}] on {self.target}, once; this takes minutes on a board")
        parcel = f"{self.root}/wheel"
        await self.put({name: wheel}, parcel)
        await self.succeed("sh", "-c", _INSTALL, "sh", venv, f"{parcel}/{name}[{EXTRAS}]",
                           doing=f"installing edgecnn[{EXTRAS}]", seconds=INSTALL_SECONDS)  # fmt: skip
        await self.run("rm", "-rf", parcel)
        return f"{venv}/bin/edgecnn"


async def _run(connection: asyncssh.SSHClientConnection, target: Target, command: str, seconds: float) -> Outcome:
    import asyncssh

    try:
        async with connection.create_process(command, encoding="utf-8", errors="replace") as process:
            async with asyncio.timeout(seconds):
                stdout, stderr = await asyncio.gather(process.stdout.read(), process.stderr.read())
                await process.wait_closed()
            code = process.returncode
    except TimeoutError as error:
        raise RemoteError(f"{target}: no answer within {seconds:.0f} s; the command there was ended") from error
    except (asyncssh.Error, OSError) as error:
        raise RemoteError(f"{target}: the connection broke: {error}") from error
    if code is None or code < 0:
        raise RemoteError(f"{target}: the connection broke in the middle of a command")
    return Outcome(code, stdout, stderr)


@asynccontextmanager
async def connect(text: str) -> AsyncIterator[Board]:
    """Connect to a board and check that edgecnn can run there.

    Args:
        text: `[user@]host[:port]`; aliases of ~/.ssh/config work.

    Yields:
        The board; the connection is closed at the end.

    Raises:
        RemoteError: Unreachable, unknown host key, no key accepted, a 32-bit system, no Python 3.11 with venv.
        MissingExtraError: asyncssh is not installed.
    """
    try:
        import asyncssh
    except ModuleNotFoundError as error:
        raise MissingExtraError("asyncssh", "remote") from error
    target = Target.parse(text)
    given = {key: value for key, value in (("username", target.user), ("port", target.port)) if value is not None}
    try:
        connection = await asyncssh.connect(target.host, connect_timeout=CONNECT_SECONDS, login_timeout=CONNECT_SECONDS,
                                            keepalive_interval=10, keepalive_count_max=3, **given)  # fmt: skip
    except asyncssh.HostKeyNotVerifiable as error:
        raise RemoteError(
            f"{target}: its host key is not trusted ({error}); connect once with ssh and compare the fingerprint"
        ) from error
    except asyncssh.PermissionDenied as error:
        raise RemoteError(f"{target}: no key was accepted; run: ssh-copy-id {target}") from error
    except ValueError as error:  # also asyncssh.KeyImportError
        raise RemoteError(f"{target}: a key of yours cannot be used: {error}; look in ~/.ssh") from error
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise RemoteError(
            f"{target}: cannot be reached: {error or 'no answer in time'}; is it on, and is SSH on?"
        ) from error
    async with connection:
        board = Board(connection, target, await _probe(connection, target))
        guard = shlex.join(["sh", "-c", _GUARD, "sh", board.root, board.staging])
        async with connection.create_process(guard):
            yield board


async def _probe(connection: asyncssh.SSHClientConnection, target: Target) -> BoardFacts:
    outcome = await _run(connection, target, f"sh -c {shlex.quote(_PROBE)}", STEP_SECONDS)
    found = dict(line.split("=", 1) for line in outcome.stdout.splitlines() if "=" in line)
    if found.get("bits") != "64" or found.get("machine") not in ("aarch64", "arm64", "x86_64"):
        machine, bits = found.get("machine", "unknown"), found.get("bits") or "?"
        raise RemoteError(
            f"{target}: expected a 64-bit system, found {machine} with {bits} bits; install the 64-bit OS"
        )
    version = found.get("python", "")
    parts = version.split(".")
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or tuple(map(int, parts)) < (3, 11):
        raise RemoteError(f"{target}: expected Python 3.11 or newer as python3, found {version or 'none'}")
    if found.get("venv") != "yes":
        raise RemoteError(f"{target}: python3 has no venv; run there: sudo apt install python3-venv")
    free = found.get("free_kb", "")
    free_mb = int(free) // 1024 if free.isdigit() else 0
    return BoardFacts(found.get("home", ""), found["machine"], version, free_mb, found.get("model", ""))
