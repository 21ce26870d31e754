from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.bench import machine
from edgecnn.bench.cpuinfo import Cpu, parse_cpuinfo
from edgecnn.bench.machine import describe_throttling, parse_throttled, read_conditions, read_machine

CAPTURED = Path(__file__).parent / "cpuinfo"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pi3", Cpu("Cortex-A53 r0p4", 4, ("NEON",), "Raspberry Pi 3 Model B Rev 1.2")),
        ("pi4", Cpu("Cortex-A72 r0p3", 4, ("NEON",), "Raspberry Pi 4 Model B Rev 1.5")),
        ("pi5", Cpu("Cortex-A76 r4p1", 4, ("NEON", "dot product", "fp16"), "Raspberry Pi 5 Model B Rev 1.0")),
        ("pi3-32bit", Cpu("Cortex-A53 r0p4", 4, (), "Raspberry Pi 3 Model B Plus Rev 1.3")),
        (
            "epyc",
            Cpu("AMD EPYC", 2, ("SSE4.1", "AVX", "AVX2", "FMA", "AVX-VNNI", "AVX-512", "AVX-512 VNNI"), None),
        ),
    ],
)
def test_captured_cpuinfo(name: str, expected: Cpu) -> None:
    assert parse_cpuinfo((CAPTURED / f"{name}.txt").read_text()) == expected


@pytest.mark.parametrize(
    "text", ["", "\x00\xff garbage", "processor", ": : :", "CPU part\t: zz\nCPU implementer: 0x41"]
)
def test_cpuinfo_of_nothing_we_know(text: str) -> None:
    assert parse_cpuinfo(text).model == "unknown"


def test_an_arm_core_that_is_not_listed_is_named_by_number() -> None:
    text = "processor: 0\nCPU implementer: 0x61\nCPU part: 0x022\nCPU variant: 0x1\nCPU revision: 1\n"
    assert parse_cpuinfo(text).model == "Arm implementer 0x61 part 0x022 r1p1"


def board(root: Path) -> Path:
    files = {
        "proc/cpuinfo": (CAPTURED / "pi5.txt").read_text(),
        "proc/meminfo": "MemTotal:        8256704 kB\nMemFree: 1 kB\nMemAvailable:    7340032 kB\n",
        "proc/loadavg": "0.42 0.30 0.10 1/200 1234\n",
        "proc/stat": "cpu  100 20 300 4000 50 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n",
        "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "sys/class/thermal/thermal_zone0/temp": "51200\n",
        "sys/class/thermal/thermal_zone1/temp": "-274000\n",
    }
    for number in machine._usable():
        folder = f"sys/devices/system/cpu/cpu{number}/cpufreq"
        files[f"{folder}/scaling_cur_freq"] = "2400000\n"
        files[f"{folder}/scaling_governor"] = "ondemand\n"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_machine_of_a_board(tmp_path: Path) -> None:
    found = read_machine(board(tmp_path))
    assert (found.board, found.cores, found.memory) == ("Raspberry Pi 5 Model B Rev 1.0", 4, 8256704 * 1024)
    assert found.os == "Debian GNU/Linux 12 (bookworm)"
    assert found.line.startswith("Raspberry Pi 5 Model B Rev 1.0 (Cortex-A76 r4p1), 4 cores")
    assert found.versions["numpy"].split(".")[0].isdigit()


def test_the_key_names_hardware_and_not_software(tmp_path: Path) -> None:
    before = read_machine(board(tmp_path)).key
    (tmp_path / "etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n')
    assert read_machine(tmp_path).key == before
    (tmp_path / "proc/cpuinfo").write_text((CAPTURED / "pi4.txt").read_text())
    assert read_machine(tmp_path).key != before


def test_conditions_of_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "vcgencmd"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = get_throttled ] && echo throttled=0x50005\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(machine.os, "sysconf", lambda name: 100)
    found = read_conditions(board(tmp_path))
    assert set(found.clock_mhz or ()) == {2400.0}
    assert (found.governor, found.temperature, found.throttled) == ("ondemand", 51.2, 0x50005)
    assert (found.load, found.available) == (0.42, 7340032 * 1024)
    assert (found.busy, found.stolen) == (pytest.approx(4.33), pytest.approx(0.08))


def test_a_machine_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = read_conditions(tmp_path)
    assert set(vars_of(found)) == {None}
    assert read_machine(tmp_path).cores >= 1


def vars_of(conditions: machine.Conditions) -> list[object]:
    return [getattr(conditions, name) for name in conditions.__slots__]


@pytest.mark.parametrize(
    ("text", "bits"),
    [("throttled=0x0\n", 0), ("throttled=0x50000", 0x50000), ("VCHI initialization failed", None), ("", None)],
)
def test_throttled_text(text: str, bits: int | None) -> None:
    assert parse_throttled(text) == bits


def test_throttling_in_words() -> None:
    assert describe_throttling(0) == ""
    assert describe_throttling(0x4) == "throttled now"
    assert (
        describe_throttling(0x50005)
        == "under-voltage now, throttled now, under-voltage since boot, throttled since boot"
    )
