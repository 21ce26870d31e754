"""Energy from the sensors that a machine has: RAPL counters, or an INA power monitor on a board.

A machine that has neither says so: energy is measured, never estimated from a data sheet.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgecnn.bench.result import Energy, Target

POWER_CHIPS = re.compile(r"ina\d{3}\w*")
"""Names of Texas Instruments' power monitors in hwmon (drivers ina2xx, ina209, ina238, ina3221)."""
SAMPLE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Rapl:
    """The counters of the processor packages (Linux powercap, intel-rapl, which AMD processors share).

    Attributes:
        zones: Folder of each package zone.
    """

    zones: tuple[Path, ...]

    @property
    def name(self) -> str:
        """What is read, and what it covers."""
        return "RAPL, processor packages"

    def during(self, work: Callable[[], None]) -> float:
        """Joules that the packages took while `work` ran; it must be shorter than the counter's range (minutes)."""
        before = [_number(zone / "energy_uj") for zone in self.zones]
        work()
        joules = 0.0
        for zone, first in zip(self.zones, before, strict=True):
            spent = _number(zone / "energy_uj") - first
            joules += (spent if spent >= 0 else spent + _number(zone / "max_energy_range_uj")) * 1e-6
        return joules


@dataclass(frozen=True, slots=True)
class PowerMonitor:
    """An INA chip that measures the current into the board; power is sampled and integrated.

    Attributes:
        chip: Its name.
        power: The file that holds microwatts.
    """

    chip: str
    power: Path

    @property
    def name(self) -> str:
        """What is read, and what it covers."""
        return f"{self.chip}, what it is wired to"

    def during(self, work: Callable[[], None]) -> float:
        """Joules that flowed while `work` ran: the trapezoids over samples 50 ms apart."""
        samples = [self._sample()]
        done = threading.Event()

        def watch() -> None:
            while not done.wait(SAMPLE_SECONDS):
                samples.append(self._sample())

        watcher = threading.Thread(target=watch, name="edgecnn-power")
        watcher.start()
        try:
            work()
        finally:
            done.set()
            watcher.join()
        samples.append(self._sample())
        pairs = itertools.pairwise(samples)
        return sum((end[0] - start[0]) * (start[1] + end[1]) / 2 for start, end in pairs)

    def _sample(self) -> tuple[float, float]:
        return time.perf_counter(), _number(self.power) * 1e-6


Sensor = Rapl | PowerMonitor


def find_sensor(root: Path = Path("/")) -> tuple[Sensor | None, str]:
    """The sensor of this machine that can be read.

    Args:
        root: Where /sys is looked for.

    Returns:
        The sensor (a monitor on the board is preferred: it sees all that the board takes), or None and the reason.
    """
    refused = []
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        name = _text(chip / "name")
        for power in sorted(chip.glob("power*_input")) if POWER_CHIPS.fullmatch(name) else ():
            if _readable(power):
                return PowerMonitor(name, power), ""
            refused.append(str(power))
    zones = [
        zone for zone in sorted((root / "sys/class/powercap").glob("*:*")) if _text(zone / "name")[:7] == "package"
    ]
    readable = tuple(zone for zone in zones if _readable(zone / "energy_uj"))
    if readable:
        return Rapl(readable), ""
    refused += [str(zone / "energy_uj") for zone in zones]
    if refused:
        return None, f"energy: {refused[0]} may only be read by root; run: sudo chmod a+r {refused[0]}"
    return None, "energy: this machine has neither RAPL (/sys/class/powercap) nor an INA power monitor (hwmon)"


def measure_energy(target: Target, call: Callable[[], object], sensor: Sensor, seconds: float) -> Energy:
    """Energy of an inference: with the sensor read before and after many of them, and over an idle time before.

    Args:
        target: What runs.
        call: One inference, warm.
        sensor: What is read.
        seconds: How long to infer; idle for a quarter of it.
    """
    idle = max(1.0, seconds / 4)
    idle_joules, idle_seconds = _timed(sensor, lambda: time.sleep(idle))
    queries = 0

    def infer() -> None:
        nonlocal queries
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            call()
            queries += 1

    joules, elapsed = _timed(sensor, infer)
    idle_watts = idle_joules / idle_seconds
    return Energy(
        target=target,
        sensor=sensor.name,
        per_query=joules / queries * 1e3,
        above_idle=(joules - idle_watts * elapsed) / queries * 1e3,
        watts=joules / elapsed,
        idle_watts=idle_watts,
        queries=queries,
        seconds=elapsed,
    )


def _timed(sensor: Sensor, work: Callable[[], None]) -> tuple[float, float]:
    start = time.perf_counter()
    joules = sensor.during(work)
    return joules, time.perf_counter() - start


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    return int(path.read_text(encoding="utf-8"))


def _readable(path: Path) -> bool:
    try:
        _number(path)
    except (OSError, ValueError):
        return False
    return True
