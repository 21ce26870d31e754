"""`tools/emulate-pi try`: what edgecnn itself says when it runs as on a board. No times: an emulator's mean nothing."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

from arm64.measure import Row, copy_bundle, save
from arm64.system import CPUS, PYTHON, ROOT, WORK, call, inside, stop

PICTURE = ROOT / "models" / "samples" / "number.jpg"
IMAGES = 200
_DATA = (
    "import pathlib, shutil, sys\n"
    "from edgecnn.data.mnist import FAMILIES, find_files\n"
    "target = pathlib.Path(sys.argv[1], 'mnist')\n"
    "target.mkdir(parents=True, exist_ok=True)\n"
    "for path in find_files(FAMILIES['mnist'], None):\n"
    "    shutil.copy(path, target)"
)


def commands(bundle: str) -> dict[str, list[str]]:
    """What is tried with a bundle, by the name of the command."""
    return {
        "run": [bundle, f"/bed/{PICTURE.name}", "--json"],
        "parity": [bundle, "--data", "mnist", "--data-dir", "/bed/data", "--limit", str(IMAGES), "--json"],
        "bench": [bundle, "--seconds", "1", "--no-start", "--json"],
    }


def came(command: str, answer: dict[str, Any]) -> Row:
    """The part of an answer that means something under emulation."""
    if command == "run":
        least = min((reading["probability"] for reading in answer["readings"]), default=None)
        return {"text": answer["text"], "least_probability": least}
    if command == "parity":
        right = {row["name"]: row["accuracy"]["correct"] for row in answer["rows"]}
        hashes = {row["name"]: row["outputs_sha256"] for row in answer["rows"] if row["outputs_sha256"]}
        return {"passed": answer["passed"], "images": answer["images"], "correct": right, "outputs_sha256": hashes}
    rows = [f"{row['target']['runtime']} {row['target']['precision']}" for row in answer["rows"]]
    machine = answer["machine"]
    seen = {key: machine[key] for key in ("cpu", "features")}
    return {"complete": answer["complete"], "rows": rows, "machine": seen}


def crops(cpu: str | None) -> list[list[list[int]]]:
    """What is cut out of the sample picture as a CPU, or on this machine."""
    script = Path(__file__).with_name("on_board.py")
    if cpu is None:
        ran = call(PYTHON, script, "crops", PICTURE, capture_output=True)
    else:
        shutil.copy(script, WORK)
        ran = inside(
            cpu, ["/venv/bin/python", "/bed/on_board.py", "crops", f"/bed/{PICTURE.name}"], capture_output=True
        )
    return json.loads(ran.stdout)  # type: ignore[no-any-return]


def apart(here: list[list[list[int]]], there: list[list[list[int]]]) -> Row:
    """How the pixels of two lists of crops, all 28 x 28, differ."""
    pairs = [
        (one, other)
        for crops in zip(here, there, strict=True)
        for rows in zip(*crops, strict=True)
        for one, other in zip(*rows, strict=True)
    ]
    different = [abs(one - other) for one, other in pairs if one != other]
    return {"digits": len(here), "pixels": len(pairs), "differ_from_here": len(different),
            "most": max(different, default=0)}  # fmt: skip


def attempt(bundles: list[Path]) -> None:
    """Run `edgecnn run`, `parity` and `bench` of each bundle as each CPU, and record what they answer."""
    WORK.joinpath(PICTURE.name).write_bytes(PICTURE.read_bytes())
    call(PYTHON, "-c", _DATA, WORK / "data")
    here = crops(None)
    rows: list[Row] = []
    for bundle in bundles:
        folder = copy_bundle(bundle)
        for key, cpu in CPUS.items():
            for command, words in commands(folder).items():
                ran = inside(key, ["/venv/bin/edgecnn", command, *words], check=False, capture_output=True)
                row: Row = {"cpu": cpu.name, "bundle": bundle.name, "command": shlex.join(["edgecnn", command, *words])}
                row |= {"exit": ran.returncode}
                row |= came(command, json.loads(ran.stdout)) if ran.returncode == 0 else {"said": ran.stderr.strip()}
                if command == "run":
                    row["crops"] = apart(here, crops(key))
                print(f"{cpu.name} {bundle.name} {command}: exit {ran.returncode}", flush=True)
                rows.append(row)
    save("arm-commands.json", "what each command answered; Cortex CPUs emulated by QEMU user mode, no times", rows)
    if any(row["exit"] for row in rows):
        stop("not every command succeeded; see benchmarks/results/arm-commands.json")
