from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from edgecnn.bench.energy import PowerMonitor, Rapl, find_sensor, measure_energy
from edgecnn.bench.result import Target
from edgecnn.spec import Precision, Runtime

TARGET = Target("digits", "digits-int8.tflite", "0" * 64, 1, Runtime.LITERT, Precision.INT8, 1)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def rapl(root: Path) -> Path:
    zones = "sys/class/powercap"
    return write(root, {
        f"{zones}/intel-rapl:0/name": "package-0\n",
        f"{zones}/intel-rapl:0/energy_uj": "262143000000\n",
        f"{zones}/intel-rapl:0/max_energy_range_uj": "262143328850\n",
        f"{zones}/intel-rapl:0:0/name": "core\n",
        f"{zones}/intel-rapl:0:0/energy_uj": "1\n",
    })  # fmt: skip


def test_rapl_counts_over_its_end(tmp_path: Path) -> None:
    sensor, reason = find_sensor(rapl(tmp_path))
    assert isinstance(sensor, Rapl)
    assert reason == ""
    assert [zone.name for zone in sensor.zones] == ["intel-rapl:0"]  # core is part of the package
    counter = sensor.zones[0] / "energy_uj"
    assert sensor.during(lambda: counter.write_text("262143200000\n") and None) == pytest.approx(0.2)
    assert sensor.during(lambda: counter.write_text("871150\n") and None) == pytest.approx(1.0)


def test_a_monitor_on_the_board_is_preferred_and_integrated(tmp_path: Path) -> None:
    root = write(rapl(tmp_path), {
        "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
        "sys/class/hwmon/hwmon0/power1_input": "1\n",
        "sys/class/hwmon/hwmon1/name": "ina219\n",
        "sys/class/hwmon/hwmon1/power1_input": "4000000\n",
    })  # fmt: skip
    sensor, _ = find_sensor(root)
    assert isinstance(sensor, PowerMonitor)
    assert sensor.name.startswith("ina219")
    start = time.perf_counter()
    joules = sensor.during(lambda: time.sleep(0.3))
    elapsed = time.perf_counter() - start
    assert 4 * 0.3 * 0.9 < joules <= 4 * elapsed
    assert not [thread for thread in threading.enumerate() if thread.name == "edgecnn-power"]


def test_the_thread_ends_when_the_work_fails(tmp_path: Path) -> None:
    write(tmp_path, {"power1_input": "1\n"})
    with pytest.raises(ZeroDivisionError):
        PowerMonitor("ina226", tmp_path / "power1_input").during(lambda: 1 / 0 and None)
    assert not [thread for thread in threading.enumerate() if thread.name == "edgecnn-power"]


def test_no_sensor_says_what_was_looked_for(tmp_path: Path) -> None:
    sensor, reason = find_sensor(tmp_path)
    assert sensor is None
    assert "neither RAPL" in reason


def test_a_counter_for_root_only_says_what_to_do(tmp_path: Path) -> None:
    root = rapl(tmp_path)
    counter = root / "sys/class/powercap/intel-rapl:0/energy_uj"
    counter.unlink()
    counter.mkdir()  # root may read every file, so a folder stands for one that may not be read
    sensor, reason = find_sensor(root)
    assert sensor is None
    assert f"chmod a+r {counter}" in reason


class Meter:
    """A sensor of a machine that takes 2 W when idle, and 6 W while it infers."""

    name = "meter"

    def during(self, work: object) -> float:
        start = time.perf_counter()
        work()  # type: ignore[operator]
        return (time.perf_counter() - start) * (6 if self.infers else 2)

    infers = False


def test_energy_of_an_inference_without_what_idles() -> None:
    meter = Meter()

    def infer() -> None:
        meter.infers = True
        time.sleep(0.01)

    found = measure_energy(TARGET, infer, meter, 0.3)  # type: ignore[arg-type]
    assert found.idle_watts == pytest.approx(2, rel=0.3)
    assert found.watts == pytest.approx(6, rel=0.3)
    assert found.above_idle / found.per_query == pytest.approx(4 / 6, rel=0.3)
    assert found.per_query * found.queries / 1e3 == pytest.approx(found.watts * found.seconds)
