"""What tools/emulate-pi measures: hashes of int8 logits and instructions per inference, and where the records are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from arm64.system import CPUS, PYTHON, ROOT, ROOTFS, WORK, call, inside, stop

RESULTS = ROOT / "benchmarks" / "results"
IMAGES = 1000
RUNTIMES = {"litert": ("tflite", "ai_edge_litert"), "onnx": ("onnx", "onnxruntime")}
"""The format that each runtime runs, and its package."""
Row = dict[str, Any]


def copy_bundle(bundle: Path) -> str:
    """Copy a bundle into the system; returns its folder there."""
    if not (bundle / "bundle.json").is_file():
        stop(f"BUNDLE: expected a folder with a bundle.json, got {bundle}")
    target = WORK / "bundles" / bundle.name
    if bundle != target:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(bundle, target)
    return f"/bed/bundles/{bundle.name}"


def _copy_images(number: int) -> str:
    """Copy the board's script and so many test images into the system; returns the images' path from /bed on."""
    shutil.copy(Path(__file__).with_name("on_board.py"), WORK)
    script = (
        "import sys, numpy as np\n"
        "from edgecnn.data import load\n"
        "from edgecnn.spec import Fit, ImageSpec\n"
        "pixels = load('mnist').test.pixels(np.arange(int(sys.argv[2])), ImageSpec(28, 28, 1, fit=Fit.DIGIT))\n"
        "np.save(sys.argv[1], pixels[..., 0])"
    )
    call(PYTHON, "-c", script, WORK / f"images-{number}.npy", str(number))
    return f"images-{number}.npy"


def _lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def prove(bundles: list[Path]) -> None:
    """Compare hashes of the int8 logits over {LiteRT, ONNX Runtime} x {this machine, a53, a72, a76}.

    Emulation is slow: what a CPU made of a file is taken from the record while file and runtime are the same.
    """
    images, rows = _copy_images(IMAGES), []
    for bundle in bundles:
        copy_bundle(bundle)
    for key in ("host", *CPUS):
        name = os.uname().machine if key == "host" else CPUS[key].name
        known, wanted = _known(bundles, name)
        rows += known
        rows += [
            {"cpu": name, **row, "version": _version(name, row["runtime"])} for row in _hashes(key, images, wanted)
        ]
    hashes: dict[str, set[str]] = {}
    for row in rows:
        hashes.setdefault(row["bundle"], set()).add(row["sha256"])
    for name, seen in hashes.items():
        print(f"{name}: {'equal, bit for bit' if len(seen) == 1 else f'{len(seen)} different results'}")
    measured = f"int8 logits of the first {IMAGES} MNIST test images; Cortex CPUs emulated by QEMU user mode"
    save("arm-bit-equality.json", measured, rows)
    if any(len(seen) > 1 for seen in hashes.values()):
        stop("not all bundles give equal logits; see benchmarks/results/arm-bit-equality.json")


def _known(bundles: list[Path], cpu: str) -> tuple[list[Row], list[str]]:
    """Recorded rows of a CPU that are of today's files, and as BUNDLE:RUNTIME what is missing."""
    file = RESULTS / "arm-bit-equality.json"
    recorded = json.loads(file.read_text())["rows"] if file.exists() else []
    known, wanted = [], []
    for bundle in bundles:
        for runtime, (form, _) in RUNTIMES.items():
            artifacts = json.loads((bundle / "bundle.json").read_text())["artifacts"]
            today = next(one["sha256"] for one in artifacts if (one["format"], one["precision"]) == (form, "int8"))
            is_it = (bundle.name, cpu, runtime, today, IMAGES, _version(cpu, runtime))
            keys = ("bundle", "cpu", "runtime", "file_sha256", "images", "version")
            rows = [row for row in recorded if tuple(row[key] for key in keys) == is_it]
            known += rows
            wanted += [] if rows else [f"{bundle.name}:{runtime}"]
    return known, wanted


def _version(cpu: str, runtime: str) -> str:
    """The version of a runtime that is installed here, or in the emulated system."""
    environment = ROOT / ".venv" if cpu == os.uname().machine else ROOTFS / "venv"
    package = RUNTIMES[runtime][1]
    found = next(environment.glob(f"lib/python3*/site-packages/{package}-*.dist-info"))
    return found.name.removeprefix(f"{package}-").removesuffix(".dist-info")


def _hashes(cpu: str, images: str, wanted: list[str]) -> list[Row]:
    """What on_board.py tells of artefacts on a CPU, or on this machine."""
    if not wanted:
        return []
    if cpu == "host":
        here = [str(WORK / "bundles" / one) for one in wanted]
        ran = call(PYTHON, WORK / "on_board.py", "hash", WORK / images, *here, stdout=subprocess.PIPE)
    else:
        command = ["/venv/bin/python", "/bed/on_board.py", "hash", f"/bed/{images}"]
        ran = inside(cpu, command + [f"/bed/bundles/{one}" for one in wanted], stdout=subprocess.PIPE)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def count(bundles: list[Path]) -> None:
    """Count the instructions of one inference, for each artefact and CPU."""
    folders, images, rows = [], _copy_images(1), []
    for bundle in bundles:
        folders += [copy_bundle(bundle), *map(copy_bundle, _float_bundle(bundle))]
    for cpu in CPUS:
        out, log = WORK / f"count-{cpu}.jsonl", WORK / f"count-{cpu}.log"
        with out.open("w") as stdout, log.open("w") as stderr:
            # the interpreter itself, not a link of the venv: qemu loads the file that it is given
            command = ["/venv/bin/python3", "/bed/on_board.py", "count", f"/bed/{images}", *folders]
            inside(cpu, command, count=True, stdout=stdout, stderr=stderr)
        regions = [
            {key: int(value) for key, value in (part.split("=") for part in line.split()[2:])}
            for line in log.read_text().splitlines() if line.startswith("COUNT ")
        ][1::2]  # fmt: skip  # every second region lies between the two marks of one artefact
        for row, region in zip(_lines(out), regions, strict=True):
            runs = row.pop("runs")
            per = {key: round(value / runs) for key, value in region.items()}
            rows.append({"cpu": CPUS[cpu].name, **row, "instructions": per})
    measured = "instructions per inference through an edgecnn session, one thread, mean of 10; QEMU user mode"
    _table(save("arm-instructions.json", measured, rows))
    plot()


def _float_bundle(bundle: Path) -> list[Path]:
    """For a large net, which is shipped in int8 alone: its float32 artefacts, made for the count."""
    described = json.loads((bundle / "bundle.json").read_text())
    trained = bundle.with_suffix(".keras")
    if any(artifact["precision"] == "float32" for artifact in described["artifacts"]) or not trained.is_file():
        return []
    made = WORK / "bundles" / f"{bundle.name}-float32"
    call(PYTHON.with_name("edgecnn"), "export", trained, "--name", bundle.name, "--out", made, stdout=2)
    return [made]


def plot() -> None:
    """Draw the counted instructions beside their record."""
    script, name = Path(__file__).with_name("plot.py"), "arm-instructions"
    call(PYTHON, script, RESULTS / f"{name}.json", RESULTS / f"{name}.svg")
    print(f"written: benchmarks/results/{name}.svg")


def _table(rows: list[Row]) -> None:
    """Print thousands of instructions, one line for each bundle and artefact."""
    keys = sorted({(row["bundle"], row["runtime"], row["precision"]) for row in rows})
    print("| bundle | runtime | precision |" + "".join(f" {cpu.name} |" for cpu in CPUS.values()))
    print("|---|---|---|" + "---:|" * len(CPUS))
    for key in keys:
        cells = []
        for cpu in CPUS.values():
            hit = [r for r in rows if (r["bundle"], r["runtime"], r["precision"]) == key and r["cpu"] == cpu.name]
            cells.append(f" {hit[0]['instructions']['all'] / 1000:,.0f} |" if hit else " - |")
        print(f"| {' | '.join(key)} |" + "".join(cells))


def _place(row: Row) -> tuple[str, ...]:
    return tuple(str(row.get(key, "")) for key in ("bundle", "cpu", "runtime", "precision", "command"))


def save(name: str, measured: str, rows: list[Row]) -> list[Row]:
    """Put rows into a result file in place of older ones of the same bundles; return all that it holds then."""
    file = RESULTS / name
    fresh = {row["bundle"] for row in rows}
    old = json.loads(file.read_text())["rows"] if file.exists() else []
    kept = [row for row in old if row["bundle"] not in fresh and (ROOT / "models" / row["bundle"]).is_dir()]
    together = sorted([*kept, *rows], key=_place)
    write(name, {"measured": measured, "rows": together})
    return together


def write(name: str, record: dict[str, Any]) -> None:
    """Write a record into benchmarks/results, whole or not at all."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    new = RESULTS / f".{name}.new"
    new.write_text(json.dumps(record, indent=1) + "\n")
    new.rename(RESULTS / name)
    print(f"written: benchmarks/results/{name}")
