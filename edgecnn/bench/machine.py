"""The machine is part of a result: what it is, and how hot, busy and fast it was before and after."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edgecnn.bench.cpuinfo import parse_cpuinfo

THROTTLE_BITS = {
    0: "under-voltage",
    1: "arm frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
"""Bits of `vcgencmd get_throttled` that hold now; the same bit + 16 says that it has happened since boot.

Source: Raspberry Pi documentation, "vcgencmd", get_throttled.
"""

PACKAGES = ("edgecnn", "ai-edge-litert", "onnxruntime", "numpy", "opencv-python", "opencv-python-headless")
"""Packages whose versions belong to a result."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What does not change while something is measured.

    Attributes:
        cpu: Model of the processor.
        cores: Logical processors of the machine.
        usable: Processors that this process may run on.
        features: Instructions that decide which kernels the runtimes choose.
        board: Name of the board, or None.
        memory: RAM in bytes; 0 when unknown.
        architecture: Such as "x86_64" or "aarch64".
        os: Name and version of the system.
        kernel: Kernel release.
        python: Version of Python.
        versions: Package name -> version, of those installed.
    """

    cpu: str
    cores: int
    usable: int
    features: tuple[str, ...]
    board: str | None
    memory: int
    architecture: str
    os: str
    kernel: str
    python: str
    versions: dict[str, str]

    @property
    def key(self) -> str:
        """Short name of the hardware: equal for two runs whose latencies may be compared."""
        parts = (self.cpu, self.cores, self.usable, self.board, self.architecture, *self.features)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    @property
    def line(self) -> str:
        """One line for people."""
        name = f"{self.board} ({self.cpu})" if self.board else self.cpu
        usable = f" ({self.usable} usable)" if self.usable != self.cores else ""
        features = f", {', '.join(self.features)}" if self.features else ""
        memory = f"{self.memory / 2**30:.1f} GiB"
        return f"{name}, {self.cores} cores{usable}, {self.architecture}{features}, {memory}, {self.os}"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What changes while something is measured; None is "this machine does not tell".

    Attributes:
        clock_mhz: Clock of each usable processor.
        governor: Frequency governor of the first usable processor.
        temperature: The hottest thermal zone in degrees Celsius.
        throttled: Bits of `vcgencmd get_throttled` (see `THROTTLE_BITS`).
        load: Load average over one minute.
        available: Available memory in bytes.
        busy: CPU seconds that the whole machine has spent working since boot.
        stolen: CPU seconds that a hypervisor has taken from it since boot.
    """

    clock_mhz: tuple[float, ...] | None
    governor: str | None
    temperature: float | None
    throttled: int | None
    load: float | None
    available: int | None
    busy: float | None
    stolen: float | None


def read_machine(root: Path = Path("/")) -> Machine:
    """Describe the machine.

    Args:
        root: Where /proc, /etc and /sys are looked for.
    """
    cpu = parse_cpuinfo(_text(root / "proc/cpuinfo") or "")
    board = cpu.board or (_text(root / "proc/device-tree/model") or "").rstrip("\0").strip() or None
    return Machine(
        cpu=cpu.model if cpu.model != "unknown" else platform.processor() or "unknown",
        cores=cpu.cores or os.cpu_count() or 1,
        usable=len(_usable()),
        features=cpu.features,
        board=board,
        memory=_meminfo(root, "MemTotal") or 0,
        architecture=platform.machine(),
        os=_os_name(root),
        kernel=platform.release(),
        python=platform.python_version(),
        versions=_versions(),
    )


def read_conditions(root: Path = Path("/")) -> Conditions:
    """Look at what changes: clock, temperature, throttling, load. Takes a few milliseconds.

    Args:
        root: Where /proc and /sys are looked for.
    """
    busy, stolen = _cpu_seconds(_text(root / "proc/stat") or "")
    load = (_text(root / "proc/loadavg") or "").split()
    first = root / f"sys/devices/system/cpu/cpu{_usable()[0]}/cpufreq/scaling_governor"
    return Conditions(
        clock_mhz=_clocks(root),
        governor=_text(first),
        temperature=_temperature(root),
        throttled=_throttled(),
        load=float(load[0]) if load else None,
        available=_meminfo(root, "MemAvailable"),
        busy=busy,
        stolen=stolen,
    )


def describe_throttling(bits: int) -> str:
    """Say in words what `vcgencmd get_throttled` means: "throttled now, under-voltage since boot"; empty for 0."""
    now = [f"{name} now" for bit, name in THROTTLE_BITS.items() if bits >> bit & 1]
    since = [f"{name} since boot" for bit, name in THROTTLE_BITS.items() if bits >> (bit + 16) & 1]
    return ", ".join(now + since)


def parse_throttled(text: str) -> int | None:
    """Read the answer of `vcgencmd get_throttled`, such as "throttled=0x50000"; None when it is something else."""
    match = re.fullmatch(r"throttled=(0x[0-9a-fA-F]{1,8})", text.strip())
    return int(match.group(1), 16) if match else None


def _text(path: Path) -> str | None:
    """A small file of the kernel, stripped; None when it cannot be read, as is usual in containers."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _integer(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,18}", text) else None


def _usable() -> list[int]:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it, macOS and Windows have not
    return sorted(affinity(0)) if affinity else list(range(os.cpu_count() or 1))


def _meminfo(root: Path, name: str) -> int | None:
    match = re.search(rf"^{name}:\s+(\d+) kB$", _text(root / "proc/meminfo") or "", re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def _os_name(root: Path) -> str:
    match = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', _text(root / "etc/os-release") or "", re.MULTILINE)
    return match.group(1) if match else platform.platform(terse=True)


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _clocks(root: Path) -> tuple[float, ...] | None:
    """MHz of each usable processor: cpufreq where the kernel has it, else what /proc/cpuinfo says (x86)."""
    paths = [root / f"sys/devices/system/cpu/cpu{n}/cpufreq/scaling_cur_freq" for n in _usable()]
    khz = [value for path in paths if (value := _integer(path)) is not None]
    if khz:
        return tuple(value / 1000 for value in khz)
    mhz = re.findall(r"^cpu MHz\s*:\s*([0-9.]+)$", _text(root / "proc/cpuinfo") or "", re.MULTILINE)
    return tuple(float(value) for value in mhz) or None


def _temperature(root: Path) -> float | None:
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    degrees = [value / 1000 for zone in zones if (value := _integer(zone)) is not None]
    plausible = [value for value in degrees if -40 < value < 150]  # a dead sensor says 0 K or 2^31
    return max(plausible, default=None)


def _throttled() -> int | None:
    program = shutil.which("vcgencmd")
    if program is None:
        return None
    try:
        answer = subprocess.run([program, "get_throttled"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_throttled(answer.stdout)


def _cpu_seconds(stat: str) -> tuple[float | None, float | None]:
    """Seconds spent working and seconds stolen, of all processors together, from /proc/stat (proc(5))."""
    match = re.search(r"^cpu +((?:\d+ ?){8,})", stat, re.MULTILINE)
    if match is None:
        return None, None
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = (int(n) for n in match.group(1).split())
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / tick, steal / tick
