"""What the command line adds to a process's start: `--help` against an empty typer app, `run` against a bare script.

    python benchmarks/startup.py [--rounds 15] [--out FILE.json]

Processes run interleaved (A B A B ...), so a busy machine slows both alike; times are from start to exit, and the ratio
is the median of the ratios of neighbours. Exit code 1 when a ratio is above its target.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from edgecnn.bench.machine import read_machine

ROOT = Path(__file__).resolve().parent.parent

EDGECNN = "from edgecnn.cli import main; main()"

EMPTY_APP = """
import typer

app = typer.Typer()


@app.command()
def empty() -> None:
    "An empty app."


app()
"""

BARE_SCRIPT = """
from pathlib import Path

import cv2
import numpy as np
import typer
from ai_edge_litert.interpreter import Interpreter

app = typer.Typer()


@app.command()
def read(model: Path, picture: Path) -> None:
    "What people write: open, resize, scale, invoke, softmax, print."
    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    entry, exit = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    height, width = entry["shape"][1:3]
    grey = cv2.resize(cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE), (int(width), int(height)))
    scale, zero = entry["quantization"]
    tensor = np.clip(np.rint(grey / 255 / scale) + zero, -128, 127).astype(np.int8)
    interpreter.set_tensor(entry["index"], tensor.reshape(entry["shape"]))
    interpreter.invoke()
    scale, zero = exit["quantization"]
    logits = (interpreter.get_tensor(exit["index"])[0].astype(np.float32) - zero) * scale
    shares = np.exp(logits - logits.max())
    typer.echo(f"{shares.argmax()} {shares.max() / shares.sum():.3f}")


app()
"""


@dataclass(frozen=True)
class Comparison:
    """One pair of commands.

    Attributes:
        what: What was compared.
        ours_ms: Median time of edgecnn's process, in milliseconds.
        bare_ms: Median time of the other process.
        ratio: Median of the ratios of neighbouring runs.
        target: What the ratio may be at most.
        rounds: Pairs of runs.
    """

    what: str
    ours_ms: float
    bare_ms: float
    ratio: float
    target: float
    rounds: int


def elapsed_ms(command: list[str]) -> float:
    """Run a process to its end; milliseconds."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, cwd=ROOT)
    return (time.perf_counter() - began) * 1e3


def compare(what: str, ours: list[str], bare: list[str], target: float, rounds: int) -> Comparison:
    """Run both commands in turn, once unmeasured (compiled files, page cache) and then `rounds` times."""
    pairs = [(elapsed_ms(ours), elapsed_ms(bare)) for _ in range(rounds + 1)][1:]
    left, right = zip(*pairs, strict=True)
    ratio = statistics.median(a / b for a, b in pairs)
    return Comparison(what, statistics.median(left), statistics.median(right), ratio, target, rounds)


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, help="also write the result as JSON, for tools/readme")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        empty, bare = Path(folder) / "empty.py", Path(folder) / "bare.py"
        empty.write_text(EMPTY_APP)
        bare.write_text(BARE_SCRIPT)
        picture = Path(folder) / "digit.png"
        write_picture(picture)
        bundle = ROOT / "models" / "digits"
        model = next(str(path) for path in bundle.glob("*.tflite") if "int8" in path.name)
        python = [sys.executable]
        results = [
            compare("--help", [*python, "-c", EDGECNN, "--help"], [*python, str(empty), "--help"], 1.3, options.rounds),
            compare(
                "run, one picture",
                [*python, "-c", EDGECNN, "run", str(bundle), str(picture)],
                [*python, str(bare), model, str(picture)],
                1.5,
                options.rounds,
            ),
        ]
    machine = read_machine().line
    print(f"Process start to exit, median of {options.rounds}; {machine}")
    print("| command | edgecnn | bare typer script | ratio | at most |\n|---|--:|--:|--:|--:|")
    for r in results:
        print(f"| `{r.what}` | {r.ours_ms:.0f} ms | {r.bare_ms:.0f} ms | {r.ratio:.2f} | {r.target} |")
    if options.out:
        stored = {"rounds": options.rounds, "machine": machine, "results": [asdict(result) for result in results]}
        options.out.write_text(json.dumps(stored, indent=1) + "\n")
    return int(any(result.ratio > result.target for result in results))


def write_picture(path: Path) -> None:
    """A 28x28 picture of a one, light on black."""
    import cv2
    import numpy as np

    grey = np.zeros((28, 28), np.uint8)
    cv2.line(grey, (15, 5), (13, 23), 255, 3, cv2.LINE_AA)
    cv2.imwrite(str(path), grey)


if __name__ == "__main__":
    sys.exit(main())
