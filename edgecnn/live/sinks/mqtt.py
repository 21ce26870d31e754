"""Publish readings over MQTT."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from edgecnn.errors import ArgumentError, MissingExtraError, SourceError

if TYPE_CHECKING:
    from edgecnn.live.observation import Observation

PORTS = {"mqtt": 1883, "mqtts": 8883}
INTERVAL = 0.1
"""Least seconds between two messages with readings."""
FORM = "mqtt[s]://[user:password@]host[:port]/topic"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to publish.

    Attributes:
        host: Name or address.
        port: 1..65535.
        topic: What our own topics begin with; without wildcards.
        tls: Whether to encrypt; the certificate is checked.
        user: None to stay anonymous.
        password: None without one; never shown.
    """

    host: str
    port: int
    topic: str
    tls: bool
    user: str | None
    password: str | None

    def __repr__(self) -> str:
        return f"{self.host}:{self.port}/{self.topic}"


def parse_broker(url: str) -> Broker:
    """Read an address.

    Args:
        url: In the form `FORM`.

    Raises:
        ArgumentError: It is none; the message does not repeat it, since a password may be in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        raise ArgumentError(f"mqtt: expected {FORM}, got a malformed address") from None
    topic = unquote(parts.path).strip("/")
    if parts.scheme not in PORTS or not parts.hostname:
        raise ArgumentError(
            f"mqtt: expected {FORM}, got {parts.scheme or 'no scheme'}:// and {parts.hostname or 'no host'}"
        )
    if not topic or parts.query or "#" in url or "+" in topic or "\0" in topic or topic.startswith("$"):
        raise ArgumentError(f"mqtt: expected a topic without # + $ behind the host, as in {FORM}, got {topic!r}")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Broker(parts.hostname, port, topic, parts.scheme == "mqtts", user, password)


class Mqtt:
    """Publishes under the broker's topic.

    `number` whenever the stable text changes (retained, so that who comes later knows it), `readings` as one line of
    `--json` at most ten times a second, and `status`: "online", or "offline", which the broker says when we break
    off. paho-mqtt connects again by itself; what could not be sent meanwhile is dropped but for the newest number.

    Args:
        broker: Where to.

    Raises:
        MissingExtraError: paho-mqtt is not installed.
        SourceError: The broker cannot be reached now.
    """

    def __init__(self, broker: Broker) -> None:
        try:
            from paho.mqtt import client as paho
        except ModuleNotFoundError as error:
            raise MissingExtraError("paho-mqtt", "mqtt") from error
        self._broker = broker
        self._last = float("-inf")
        self._number = ""
        self._client: Any = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if broker.user is not None:
            self._client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.will_set(f"{broker.topic}/status", "offline", qos=1, retain=True)
        self._client.reconnect_delay_set(1, 30)
        self._client.max_queued_messages_set(16)
        self._client.on_connect = self._welcome
        try:
            self._client.connect(broker.host, broker.port, keepalive=20)
        except (OSError, ValueError) as error:
            raise SourceError(f"mqtt: the broker {broker.host}:{broker.port} cannot be reached: {error}") from error
        self._client.loop_start()

    def take(self, observation: Observation) -> None:
        """Publish what is new; never waits."""
        if observation.changed or (not observation.tracked and observation.text != self._number):
            self._number = observation.stable if observation.tracked else observation.text
            self._publish("number", self._number, retain=True)
        if observation.readings and (not observation.tracked or observation.frame.time - self._last >= INTERVAL):
            self._last = observation.frame.time
            self._publish("readings", json.dumps(observation.as_json(), allow_nan=False, ensure_ascii=False))

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Say that we are gone, and go."""
        if self._client.is_connected():
            self._publish("status", "offline", retain=True).wait_for_publish(2)
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, what: str, payload: str, *, retain: bool = False) -> Any:
        if not self._client.is_connected():
            return None
        return self._client.publish(f"{self._broker.topic}/{what}", payload, qos=1 if retain else 0, retain=retain)

    def _welcome(self, *_: object) -> None:
        self._publish("status", "online", retain=True)
        self._publish("number", self._number, retain=True)
