"""A bundle becomes a service on a board: proven there before it is switched to, taken back if it does not stay up.

The service is a systemd unit of the user. It reads `current`, a link to a bundle; a switch is the renaming of a link.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from edgecnn.errors import ArgumentError, RemoteError
from edgecnn.remote.bench import copy_bundle
from edgecnn.remote.board import Board, Outcome, connect

if TYPE_CHECKING:
    from edgecnn.bundle import Bundle

UNIT = "edgecnn.service"
IDENTIFIER = "edgecnn"
"""What marks the service's own lines in the journal; those that systemd writes about it are marked `systemd`."""
PROOF_PICTURES = 1000
PROOF_SECONDS = 900
START_SECONDS = 90
"""Time in which the page has to answer after a start."""
SETTLE_SECONDS = 3
"""For so long the service has to run on after that."""

_ASK = """
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/healthz", timeout=5)
except urllib.error.HTTPError:
    pass  # an answer, too: the page is there, the camera is not yet
"""

# Readings go to the page. Messages have to be sent to the journal: left alone, stderr goes where stdout goes.
_UNIT = f"""
[Unit]
Description=edgecnn reads what a camera sees
StartLimitIntervalSec=0

[Service]
ExecStart={{command}}
EnvironmentFile={{root}}/environment
Restart=on-failure
RestartSec=3
StandardOutput=null
StandardError=journal
SyslogIdentifier={IDENTIFIER}

[Install]
WantedBy=default.target
""".lstrip()

# A user's services run without a login only where that is asked for. What was asked for by us, a mark tells `remove`.
_LINGER = r"""[ -e "/var/lib/systemd/linger/$(id -un)" ] || { loginctl enable-linger && : > "$1/lingers"; }"""
_NO_LINGER = r"""[ ! -e "$1/lingers" ] || loginctl disable-linger"""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a bundle is proven with on the board.

    Attributes:
        data: Name of the data set.
        files: Its files.
    """

    data: str
    files: Mapping[str, bytes]


Tell = Callable[[str], None]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Service:
    """How the service runs.

    Attributes:
        source: What `edgecnn run` reads: csi, a device, a stream.
        port: TCP port of its page.
        everywhere: Whether the page is reachable from other machines (a token is needed then) or from the board alone.
    """

    source: str = "csi"
    port: int = 8080
    everywhere: bool = True

    def __post_init__(self) -> None:
        if not 1024 <= self.port <= 65535:
            raise ArgumentError(f"--port: expected 1024 to 65535 (lower ones need root), got {self.port}")
        if not self.source or not self.source.isprintable() or self.source.startswith("-"):
            raise ArgumentError(f"--source: expected a camera or a stream, got {self.source!r}")

    def unit(self, program: str, root: str) -> str:
        """The text of the systemd unit."""
        host = "0.0.0.0" if self.everywhere else "127.0.0.1"
        words = [program, "run", f"{root}/current", self.source, "--no-show", "--serve", f"{host}:{self.port}"]
        command = " ".join(
            '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"' for word in words
        )
        return _UNIT.format(command=command.replace("$", "$$"), root=root)


@dataclass(frozen=True, slots=True)
class Status:
    """What runs on a board.

    Attributes:
        bundle: Name of the folder that `current` points to; empty when nothing is deployed.
        active: What systemd says: active, activating, failed, inactive.
        url: Where the page is, with its token; empty when nothing is deployed.
        log: The last lines of the service.
    """

    bundle: str
    active: str
    url: str
    log: tuple[str, ...]


def deploy(target: str, bundle: Bundle, service: Service, proof: Callable[[], Proof], tell: Tell) -> Status:
    """Copy a bundle to a board, prove it there, and switch the service to it.

    Args:
        target: `[user@]host[:port]`.
        bundle: What is deployed.
        service: How it runs.
        proof: Gives what it is proven with; asked when the board has answered.
        tell: Told in a line what is being done.

    Returns:
        What runs now.

    Raises:
        RemoteError: The proof failed there (what ran before still runs), or the service did not stay up (what ran
            before runs again).
    """
    return asyncio.run(_deploy(target, bundle, service, proof, tell))


async def _deploy(target: str, bundle: Bundle, service: Service, proof: Callable[[], Proof], tell: Tell) -> Status:
    async with connect(target) as board:
        await _systemd(board)
        material = proof()  # before anything changes on the board
        program = await board.install(tell)
        before = await _current(board)
        folder = await copy_bundle(board, bundle)
        await _prove(board, program, folder, bundle, material, tell)
        unit = f"{board.facts.home}/.config/systemd/user/{UNIT}"
        kept = (await board.run("cat", unit)).stdout
        await _token(board)
        await _write(board, service.unit(program, board.root), unit)
        await _point(board, folder)
        tell("starting the service")
        up, log = await _restart(board, service.port)
        if not up:
            await _undo(board, before, kept, unit)
            went = f"{before.rpartition('/')[2]} runs again" if before else "nothing runs, as before"
            raise RemoteError(
                f"{board.target}: the service did not stay up: {log[-1] if log else 'no word why'}; {went}"
            )
        if (await board.run("sh", "-c", _LINGER, "sh", board.root)).code != 0:
            tell("the service ends at logout; run on the board: sudo loginctl enable-linger $USER")
        await _forget(board, keep=(folder, before, program.removesuffix("/bin/edgecnn")))
        return await _status(board)


def status(target: str) -> Status:
    """Tell what runs on a board.

    Raises:
        RemoteError: It cannot be reached or has no systemd.
    """
    return asyncio.run(_with(target, _status))


def remove(target: str) -> None:
    """Stop the service and remove everything of ours from a board.

    Raises:
        RemoteError: It cannot be reached or has no systemd.
    """
    asyncio.run(_with(target, _remove))


async def _with(target: str, task: Callable[[Board], Awaitable[Answer]]) -> Answer:
    async with connect(target) as board:
        await _systemd(board)
        return await task(board)


async def _systemctl(board: Board, *words: str) -> Outcome:
    # A session without PAM has no XDG_RUNTIME_DIR, and systemctl then does not find the user's manager.
    script = 'XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}" exec systemctl --user "$@"'
    return await board.run("sh", "-c", script, "sh", *words)


async def _systemd(board: Board) -> None:
    outcome = await _systemctl(board, "show-environment")
    if outcome.code != 0:
        line = (outcome.stderr.strip().splitlines() or ["systemctl is missing"])[-1]
        raise RemoteError(f"{board.target}: expected systemd with a manager for this user, found none: {line}")


async def _current(board: Board) -> str:
    return (await board.run("readlink", f"{board.root}/current")).stdout.strip()


async def _prove(board: Board, program: str, folder: str, bundle: Bundle, proof: Proof, tell: Tell) -> None:
    """Run `edgecnn parity` on the board; a bundle that fails is removed from it again."""
    place = f"{board.root}/data/{proof.data}"
    if (await board.run("test", "-d", place)).code != 0:
        tell(f"copying {proof.data}, once")
        await board.put(proof.files, place)
    words = ["--data", proof.data, "--data-dir", f"{board.root}/data", "--limit", str(PROOF_PICTURES), "--json"]
    tell(f"proving {bundle.name} there")
    outcome = await board.run(program, "parity", folder, *words, seconds=PROOF_SECONDS)
    if outcome.code == 0:
        return
    if folder != await _current(board):
        await board.run("rm", "-rf", folder)
    try:
        reasons = json.loads(outcome.stdout)["reasons"]
    except (ValueError, KeyError, TypeError):
        reasons = outcome.stderr.strip().splitlines()[-1:] or [f"exit code {outcome.code}"]
    raise RemoteError(
        f"{board.target}: {bundle.name} fails its parity there, nothing was switched: {'; '.join(reasons)}"
    )


async def _token(board: Board) -> None:
    """Make up the page's token, once; it never leaves the board but over this connection."""
    script = (
        'umask 077; [ -s "$1" ] || { printf EDGECNN_TOKEN=; '
        "python3 -c 'import secrets; print(secrets.token_urlsafe(18))'; } > \"$1.new\" && "
        '{ [ -s "$1" ] || mv "$1.new" "$1"; rm -f "$1.new"; }'
    )
    await board.succeed("sh", "-c", script, "sh", f"{board.root}/environment", doing="making a token")


async def _write(board: Board, text: str, path: str) -> None:
    script = 'mkdir -p "${2%/*}" && printf %s "$1" > "$2.new" && mv "$2.new" "$2"'
    await board.succeed("sh", "-c", script, "sh", text, path, doing=f"writing {path}")


async def _point(board: Board, folder: str) -> None:
    """Switch `current` to a bundle, in one step."""
    script = 'ln -sfn "$1" "$2.new" && mv -T "$2.new" "$2"'
    await board.succeed("sh", "-c", script, "sh", folder, f"{board.root}/current", doing=f"switching to {folder}")


async def _restart(board: Board, port: int) -> tuple[bool, tuple[str, ...]]:
    """Start the service anew; tells whether its page answers and it runs on, and its last lines."""
    since = f"@{(await board.run('date', '+%s')).stdout.strip()}"
    for words in (("daemon-reload",), ("enable", UNIT), ("reset-failed", UNIT), ("restart", UNIT)):
        await _systemctl(board, *words)
    answered = 0
    for _ in range(START_SECONDS):
        await asyncio.sleep(1)
        state = await _state(board)
        if state.get("ActiveState") != "active" or state.get("NRestarts", "0") != "0":
            break
        if answered or (await board.run("python3", "-c", _ASK, str(port))).code == 0:
            answered += 1
        if answered > SETTLE_SECONDS:
            return True, await _log(board, since)
    return False, await _log(board, since)


async def _state(board: Board) -> dict[str, str]:
    shown = await _systemctl(board, "show", UNIT, "--property=ActiveState,NRestarts")
    return dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)


async def _log(board: Board, since: str = "") -> tuple[str, ...]:
    """The service's last own lines; where it has none (it could not even be started), what systemd says of it."""
    words = ["journalctl", "--user", "-u", UNIT, "-n", "5", "-o", "cat", "-q", *(["--since", since] if since else [])]
    for own in (["-t", IDENTIFIER], []):
        lines = (await board.run(*words, *own)).stdout.splitlines()
        if told := tuple(line for line in lines if line.strip()):
            return told
    return ()


async def _undo(board: Board, before: str, unit_before: str, unit: str) -> None:
    """Let run again what ran before."""
    if before and unit_before:
        await _write(board, unit_before, unit)
        await _point(board, before)
        await _restart(board, _address(unit_before)[1])
    else:
        await _stop(board)


async def _stop(board: Board) -> None:
    await _systemctl(board, "disable", "--now", UNIT)
    await board.run("rm", "-f", f"{board.facts.home}/.config/systemd/user/{UNIT}", f"{board.root}/current")
    await _systemctl(board, "daemon-reload")


async def _forget(board: Board, keep: tuple[str, ...]) -> None:
    """Remove older installations and bundles; the bundle before stays, to go back to by hand."""
    listed = await board.run("find", board.root, f"{board.root}/bundles", "-mindepth", "1", "-maxdepth", "1",
                             "(", "-name", "venv-*", "-o", "-path", f"{board.root}/bundles/*", ")")  # fmt: skip
    old = [path for path in listed.stdout.splitlines() if path not in keep]
    if old:
        await board.run("rm", "-rf", *old)


async def _status(board: Board) -> Status:
    folder = await _current(board)
    if not folder:
        return Status("", "inactive", "", ())
    unit = (await board.run("cat", f"{board.facts.home}/.config/systemd/user/{UNIT}")).stdout
    host, port = _address(unit)
    token = (await board.run("cat", f"{board.root}/environment")).stdout.strip().partition("=")[2]
    url = f"http://{board.target.host}:{port}/?token={token}" if host == "0.0.0.0" else f"http://127.0.0.1:{port}/"
    active = (await _state(board)).get("ActiveState", "unknown")
    return Status(folder.rpartition("/")[2], active, url, await _log(board))


def _address(unit: str) -> tuple[str, int]:
    """Where the page of a unit that we wrote is."""
    found = re.search(r'"--serve" "([0-9.]+):(\d+)"', unit)
    return (found[1], int(found[2])) if found else ("127.0.0.1", 8080)


async def _remove(board: Board) -> None:
    await _stop(board)
    await board.run("sh", "-c", _NO_LINGER, "sh", board.root)
    await board.succeed("rm", "-rf", board.root, doing="removing edgecnn")
