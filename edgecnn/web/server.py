"""The page as a sink of the live loop: a uvicorn server in a thread of its own."""

from __future__ import annotations

import importlib.util
import ipaddress
import secrets
import socket
import string
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecnn.errors import ArgumentError, MissingExtraError
from edgecnn.web.guard import Guard
from edgecnn.web.hub import Hub

if TYPE_CHECKING:
    from edgecnn.live.observation import Controls, Observation
    from edgecnn.reader import Reader
    from edgecnn.sources import Source

DEFAULT = "127.0.0.1:8080"
TOKEN = frozenset(string.ascii_letters + string.digits + "-._~")
"""What a token may be made of: RFC 3986's unreserved characters."""
END_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Place:
    """An address where a page will be.

    Attributes:
        host: Its name or number, as it was asked for.
        token: What a visitor has to know; None for nothing.
        listener: Bound and listening.
    """

    host: str
    token: str | None
    listener: socket.socket


def claim(address: str, token: str | None = None) -> Place:
    """Take an address for a page. Cheap, so that what cannot be served is told before a camera is opened.

    Args:
        address: `HOST:PORT`, `HOST` or `PORT`; port 0 takes a free one.
        token: What a visitor has to know. On an address that others can reach, None makes one up.

    Returns:
        The place; a page that is made of it closes its listener, else the caller does.

    Raises:
        ArgumentError: The address is malformed, or in use, or not this machine's; or the token is too short or long,
            or holds a character that an address or a cookie cannot.
        MissingExtraError: starlette, uvicorn or prometheus_client is not installed.
    """
    host, port = parse_address(address)
    if token is not None and not 8 <= len(token) <= 200:
        raise ArgumentError(f"token: expected 8 to 200 characters, got {len(token)}")
    if token is not None and not set(token) <= TOKEN:
        raise ArgumentError("token: expected letters, digits, - . _ ~, which an address and a cookie hold as they are")
    for package in ("starlette", "uvicorn", "prometheus_client"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "serve")
    return Place(
        host, token if token is not None or _is_loopback(host) else secrets.token_urlsafe(18), _listen(host, port)
    )


class Page:
    """Serves the page from its making until `close`.

    As a sink of a loop it ends with the loop; `hub` in its place keeps the last picture there until `close`.

    Args:
        place: Where, see `claim`.
        reader: For pictures that visitors send; not the live loop's own. The caller closes it.
        about: What reads and where it looks, in a line.
    """

    def __init__(self, place: Place, reader: Reader, about: str) -> None:
        import uvicorn

        from edgecnn.web.app import build

        self.token = place.token
        self.hub = Hub(about)
        self.port: int = place.listener.getsockname()[1]
        self._host = place.host
        config = uvicorn.Config(
            Guard(build(self.hub, reader), self.token),
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            limit_concurrency=128,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([place.listener],), name="page", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to open, with the token where one is needed."""
        host = _own_name() if self._host in ("0.0.0.0", "::") else self._host
        query = f"/?token={self.token}" if self.token else "/"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}{query}"

    def attach(self, controls: Controls, source: Source | None = None) -> None:
        """Let the page's button stop and start the loop, and the page know when its source is lost.

        Args:
            controls: The loop.
            source: Where its frames come from; None for what cannot be lost.
        """
        self.hub.controls, self.hub.source = controls, source

    def tell(self, line: str) -> None:
        """Show a line about the source until the next frame comes."""
        self.hub.tell(line)

    def take(self, observation: Observation) -> None:
        """Keep an observation for the viewers."""
        self.hub.take(observation)

    def idle(self) -> None:
        """Nothing is to be done without a frame."""

    def close(self) -> None:
        """End all streams and stop the server."""
        self.hub.end()
        self._server.should_exit = True
        self._thread.join(END_SECONDS)


def parse_address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`, `HOST` or `PORT`; what is left out comes from 127.0.0.1:8080.

    Raises:
        ArgumentError: It is none of these.
    """
    host, port = DEFAULT.split(":")
    if text.isdigit():
        port = text
    elif text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, port = text.split(":")
    else:
        host = text or host
    if not host or any(c.isspace() or c == "/" for c in host) or not (port.isdigit() and int(port) < 65536):
        raise ArgumentError(f"--serve: expected HOST:PORT such as {DEFAULT} or 0.0.0.0:8080, got {text!r}")
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    # Bound here, not by uvicorn, so that an address in use is told before the camera is opened.
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family, backlog=64)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while")[0]  # Python repeats the address
        raise ArgumentError(f"--serve: cannot listen on {host}:{port}: {why.lower()}; try another") from error


def _own_name() -> str:
    return socket.gethostname()
