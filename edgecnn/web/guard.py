"""What stands between the network and the page: who may ask, how much, how often. Plain ASGI, no framework."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "edgecnn-token"
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
OPEN_PATHS = frozenset(("/healthz",))
"""Asked without a token: a supervisor has none, and nothing but "it works" is told."""
STALL_SECONDS = 20
"""A viewer that takes nothing for so long is let go."""
ASKERS = 1024
"""Addresses whose rate is remembered."""

_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


class Rate:
    """A token bucket for each address: `burst` requests at once, then `per_second`."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Take a token.

        Returns:
            0.0 where there was one, else the seconds until there is one.
        """
        now = time.monotonic()
        left, moment = self._buckets.pop(address, (float(self._burst), now))
        left = min(self._burst, left + (now - moment) * self._per_second)
        granted = left >= 1
        self._buckets[address] = (left - 1 if granted else left, now)
        if len(self._buckets) > ASKERS:
            self._buckets.popitem(last=False)
        return 0.0 if granted else (1 - left) / self._per_second


CHALLENGE = [(b"www-authenticate", b"Bearer")]


class Guard:
    """Wraps an ASGI app: token, host and origin checks, request rate, security headers, stalled viewers.

    Args:
        app: What is guarded.
        token: Asked for on every address but a loopback one; None asks for none and lets only loopback names in, so
            that a page elsewhere cannot reach this one by a name of its own (DNS rebinding).
        per_second: POST requests, and requests with a wrong token, that one address may make a second.
        burst: How many of them it may make at once.
    """

    def __init__(self, app: App, token: str | None, *, per_second: float = 5, burst: int = 20) -> None:
        self._app = app
        self._token = token
        self._rate = Rate(per_second, burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        send = _patient(_with_headers(send))
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        address = scope["client"][0] if scope.get("client") else ""
        refusal = self._refusal(scope, headers, address)
        if refusal:
            status, line, extra = refusal
            return await _answer(send, status, line, extra)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if self._token and scope["method"] == "GET" and scope["path"] == "/" and "token" in query:
            # The token moves from the address, which is shown and kept, into a cookie.
            cookie = f"{COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/".encode()
            return await _answer(send, 303, "", [(b"location", b"/"), (b"set-cookie", cookie)])
        return await self._app(scope, receive, send)

    def _refusal(
        self, scope: Scope, headers: dict[str, str], address: str
    ) -> tuple[int, str, list[tuple[bytes, bytes]]] | None:
        host = headers.get("host", "")
        if self._token is None and _name(host) not in LOOPBACK:
            return 421, "this address serves only localhost", []
        if scope["path"] in OPEN_PATHS:
            return None
        if self._token is not None and not self._knows(scope, headers):
            wait = self._rate.wait(address)
            return (
                (429, "too many attempts", _retry(wait))
                if wait
                else (401, "the right token is needed: open /?token=..., or send Authorization: Bearer ...", CHALLENGE)
            )
        if scope["method"] == "POST":
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
                return 403, "this request comes from another page", []
            wait = self._rate.wait(address)
            if wait:
                return 429, "too many requests", _retry(wait)
        return None

    def _knows(self, scope: Scope, headers: dict[str, str]) -> bool:
        """Whether the request carries the token: as a bearer, as the cookie, or in the address of the page itself."""
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        offered = [credentials.strip()] if scheme.lower() == "bearer" else []
        cookie: SimpleCookie = SimpleCookie()
        cookie.load(headers.get("cookie", "")[:4096])
        if COOKIE in cookie:
            offered.append(cookie[COOKIE].value)
        if scope["path"] == "/":
            offered += parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        wanted = (self._token or "").encode()
        return any(hmac.compare_digest(one.encode("utf-8", "replace"), wanted) for one in offered)


def _name(host: str) -> str:
    """The host of a Host header, without its port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host


def _retry(seconds: float) -> list[tuple[bytes, bytes]]:
    return [(b"retry-after", str(max(1, round(seconds))).encode())]


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        await send(message)

    return sending


def _patient(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        async with asyncio.timeout(STALL_SECONDS):
            await send(message)

    return sending


async def _answer(send: Send, status: int, line: str, headers: list[tuple[bytes, bytes]]) -> None:
    body = line.encode()
    plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": plain + headers})
    await send({"type": "http.response.body", "body": body})
