"""What tools/emulate-pi measures: hashes of int8 logits and instructions per inference, and where the records are."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from arm64.system import CPUS, PYTHON, ROOT, WORK, call, inside, stop

RESULTS = ROOT / "benchmarks" / "results"
IMAGES = 1000
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
    """Compare hashes of the int8 logits over {LiteRT, ONNX Runtime} x {this machine, a53, a72, a76}."""
    folders, images, rows = [copy_bundle(bundle) for bundle in bundles], _copy_images(IMAGES), []
    for cpu in ("host", *CPUS):
        log = WORK / f"hash-{cpu}.jsonl"
        with log.open("w") as out:
            if cpu == "host":
                here = [str(WORK / "bundles" / bundle.name) for bundle in bundles]
                call(PYTHON, WORK / "on_board.py", "hash", WORK / images, *here, stdout=out)
            else:
                command = ["/venv/bin/python", "/bed/on_board.py", "hash", f"/bed/{images}", *folders]
                inside(cpu, command, stdout=out)
        rows += [{"cpu": os.uname().machine if cpu == "host" else CPUS[cpu].name, **row} for row in _lines(log)]
    hashes: dict[str, set[str]] = {}
    for row in rows:
        hashes.setdefault(row["bundle"], set()).add(row["sha256"])
    for name, seen in hashes.items():
        print(f"{name}: {'equal, bit for bit' if len(seen) == 1 else f'{len(seen)} different results'}")
    measured = f"int8 logits of the first {IMAGES} MNIST test images; Cortex CPUs emulated by QEMU user mode"
    save("arm-bit-equality.json", measured, rows)
    if any(len(seen) > 1 for seen in hashes.values()):
        stop("not all bundles give equal logits; see benchmarks/results/arm-bit-equality.json")


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
