"""The parts of `tools/emulate-pi` that need no emulator and no root, and the records that it left."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
CPUS = ["Cortex-A53", "Cortex-A72", "Cortex-A76"]


def record(name: str) -> dict:
    return json.loads((RESULTS / f"arm-{name}.json").read_text())


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch):
    """Imports a module of tools/arm64 as the tool does."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))

    def load(name: str) -> ModuleType:
        return importlib.import_module(f"arm64.{name}")

    return load


def row(cpu: str, net: str, runtime: str, precision: str, number: int) -> dict:
    return {"cpu": cpu, "bundle": net, "runtime": runtime, "precision": precision, "instructions": {"all": number}}


def test_the_tool_tells_its_tasks_and_refuses_others():
    shown = subprocess.run([sys.executable, ROOT / "tools/emulate-pi", "--help"], capture_output=True, text=True)
    assert shown.returncode == 0
    assert all(f"emulate-pi {task}" in shown.stdout for task in ("build", "run", "count", "plot", "prove", "deploy"))
    wrong = subprocess.run([sys.executable, ROOT / "tools/emulate-pi", "run", "m4"], capture_output=True, text=True)
    assert wrong.returncode == 2


def test_without_a_system_the_tool_says_how_to_make_one(tmp_path):
    ran = subprocess.run([sys.executable, ROOT / "tools/emulate-pi", "run", "a53", "true"], capture_output=True,
                         text=True, env={"EDGECNN_EMULATOR": str(tmp_path)})  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr == f"emulate-pi: there is no emulated system in {tmp_path}; run: tools/emulate-pi build\n"


def test_the_plot_shows_each_cpu_and_the_share_of_int8(tool):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; pip install 'edgecnn[train]'")
    draw = tool("plot").draw
    rows = []
    for cpu in CPUS:
        for net, number in (("small", 1000), ("large", 9000)):
            rows.append(row(cpu, net, "litert", "float32", 2 * number))
            rows.append(row(cpu, net, "litert", "int8", number))
    rows.append(row("Cortex-A53", "small", "onnx", "int8", 700))  # a float32 artefact is missing
    picture = draw(rows)
    texts = "".join(ElementTree.fromstring(picture).itertext())
    assert all(cpu in texts for cpu in CPUS)
    assert texts.count("0.50") == 6
    assert picture == draw(rows)


def test_nets_stand_in_the_order_of_their_cost(tool):
    plot = tool("plot")
    rows = [row("Cortex-A53", net, "litert", "int8", number) for net, number in (("b", 30), ("c", 20), ("a", 25))]
    assert plot.order(plot.counts_of(rows)) == ["c", "a", "b"]


def test_a_record_keeps_other_bundles_and_drops_those_that_are_gone(tool, tmp_path, monkeypatch):
    measure = tool("measure")
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    for name in ("kept", "again"):
        (tmp_path / "models" / name).mkdir(parents=True)
    measure.save("a.json", "how", [{"bundle": name, "value": 1} for name in ("kept", "again", "gone")])
    rows = measure.save("a.json", "how", [{"bundle": "again", "value": 2}])
    assert rows == [{"bundle": "again", "value": 2}, {"bundle": "kept", "value": 1}]
    assert json.loads((tmp_path / "results" / "a.json").read_text()) == {"measured": "how", "rows": rows}
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["a.json"]


def test_what_a_cpu_made_of_an_unchanged_file_is_known(tool, tmp_path, monkeypatch):
    measure = tool("measure")
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    monkeypatch.setattr(measure, "_version", lambda cpu, runtime: "2.0")
    bundle = tmp_path / "net"
    bundle.mkdir()
    files = [{"format": form, "precision": "int8", "sha256": form} for form in ("tflite", "onnx")]
    (bundle / "bundle.json").write_text(json.dumps({"artifacts": files}))
    kept = {"bundle": "net", "cpu": "Cortex-A53", "runtime": "litert", "file_sha256": "tflite", "images": 1000}
    kept |= {"version": "2.0"}
    old = {**kept, "cpu": "Cortex-A72", "version": "1.0"}
    other = {**kept, "runtime": "onnx", "file_sha256": "an older file"}
    (tmp_path / "arm-bit-equality.json").write_text(json.dumps({"rows": [kept, old, other]}))
    assert measure._known([bundle], "Cortex-A53") == ([kept], ["net:onnx"])
    assert measure._known([bundle], "Cortex-A72") == ([], ["net:litert", "net:onnx"])


def test_the_camera_is_one_that_edgecnn_reads(tool, monkeypatch):
    from edgecnn.sources import open_source

    board = tool("board")
    monkeypatch.setattr(board.Camera, "picture", (ROOT / "models/samples/number.jpg").read_bytes())
    with board.serving() as address, open_source([address]) as source:
        frame = next(iter(source))
    assert frame.picture.shape == (480, 640, 3)


def test_crops_are_compared_pixel_by_pixel(tool):
    apart = tool("commands").apart
    assert apart([[[1, 2], [3, 4]]], [[[1, 2], [10, 3]]]) == {
        "digits": 1, "pixels": 4, "differ_from_here": 2, "most": 7
    }  # fmt: skip


def test_of_a_bench_nothing_is_kept_that_a_clock_measured(tool):
    answer = {
        "complete": True,
        "rows": [{"target": {"runtime": "litert", "precision": "int8"}, "latency": {"mean": 3.5}}],
        "machine": {"cpu": "Cortex-A76 r4p1", "features": ["NEON"], "cores": 4},
    }
    assert tool("commands").came("bench", answer) == {
        "complete": True, "rows": ["litert int8"], "machine": {"cpu": "Cortex-A76 r4p1", "features": ["NEON"]}
    }  # fmt: skip


def test_what_is_of_one_run_alone_is_not_recorded(tool):
    board = tool("board")
    trial = board.Trial(2222, 8080)
    trial.note(
        f"deploy pi@127.0.0.1:2222 {ROOT}/models/tiny --port 8080 --source http://127.0.0.1:99/ http://board:8080/?token=a_b-C",
        True,
    )
    assert trial.rows == [
        {
            "step": "deploy pi@board models/tiny --port PORT --source http://127.0.0.1:PORT/ http://board:8080/?token=...",
            "as expected": True,
        }
    ]


@pytest.mark.parametrize("name", ["instructions", "bit-equality"])
def test_records_hold_both_runtimes_and_all_cpus(name):
    seen: dict[str, set[tuple[str, str]]] = {}
    for one in record(name)["rows"]:
        seen.setdefault(one["bundle"], set()).add((one["cpu"], one["runtime"]))
    cpus = CPUS if name == "instructions" else ["x86_64", *CPUS]
    expected = {(cpu, runtime) for cpu in cpus for runtime in ("litert", "onnx")}
    assert all(pairs == expected for pairs in seen.values())


def test_every_proven_bundle_is_equal_on_every_cpu():
    hashes: dict[str, set[str]] = {}
    for one in record("bit-equality")["rows"]:
        assert one["images"] == 1000
        hashes.setdefault(one["bundle"], set()).add(one["sha256"])
    assert {name: len(seen) for name, seen in hashes.items()} == dict.fromkeys(hashes, 1)


def test_every_command_and_every_step_of_the_deployment_came_out_right():
    rows = record("commands")["rows"]
    assert sorted({one["cpu"] for one in rows}) == CPUS and len(rows) == 3 * len(CPUS)
    assert [one for one in rows if one["exit"] != 0] == []
    assert [one for one in record("deploy")["steps"] if not one["as expected"]] == []
