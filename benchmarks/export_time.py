"""`edgecnn export --int8` from shell to shell, against a bare script that does the same work.

    python benchmarks/export_time.py [MODEL] [--rounds 5] [--json]

The bare script is what one would write: import tensorflow, load the Keras file, TFLiteConverter for float32 and for
int8, tf2onnx for both, and the same parity run (`edgecnn.parity.compare`) of the four files it made, with Keras'
logits. Both use the same data set and write into a temporary folder; they run in turn (A B A B ...), and the ratio is
the median of the ratios of neighbours. Exit code 1 when edgecnn takes more than 1.3 x the bare script.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edgecnn.bench.machine import read_machine

ROOT = Path(__file__).resolve().parent.parent
TARGET = 1.3

BARE = """
import os
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
import tf2onnx

from edgecnn.bundle import Reference, pixels_sha256, read_bundle
from edgecnn.data import load
from edgecnn.parity import compare
from edgecnn.preprocess import to_tensor
from edgecnn.runtime.session import open_session

file, folder, out = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
image = read_bundle(folder, verify=False).image
data = load("mnist")
model = tf_keras.models.load_model(file, compile=False)
calibration = to_tensor(data.validation.pixels(np.arange(500), image), image)

(out / "float32.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([picture[None]] for picture in calibration)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
(out / "int8.tflite").write_bytes(converter.convert())
for name in ("float32", "int8"):
    tf2onnx.convert.from_tflite(str(out / f"{name}.tflite"), output_path=str(out / f"{name}.onnx"))

pixels = data.test.pixels(np.arange(len(data.test)), image)
logits = model.predict(to_tensor(pixels, image), batch_size=256, verbose=0)
reference = Reference(logits, data.test.labels, "mnist", "test", pixels_sha256(pixels))
sessions = [open_session(out / f"{name}.{kind}") for name in ("float32", "int8") for kind in ("tflite", "onnx")]
print(compare(sessions, data.test, image, dataset="mnist test", reference=reference).images)
"""


def elapsed(command: list[str]) -> float:
    """Run a process to its end; seconds."""
    began = time.perf_counter()
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if ran.returncode:
        sys.exit(f"{command[:3]} failed:\n{ran.stderr[-2000:]}")
    return time.perf_counter() - began


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="digits", help="a shipped model with its NAME.keras")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    trained, bundle = ROOT / "models" / f"{options.model}.keras", ROOT / "models" / options.model
    pairs = []
    for _ in range(options.rounds + 1):  # the first one fills the page cache, and is not counted
        with tempfile.TemporaryDirectory() as folder:
            ours = [sys.executable, "-c", "from edgecnn.cli import main; main()", "export", options.model, "--int8"]
            a = elapsed([*ours, "--out", str(Path(folder) / "bundle"), "--data", "mnist"])
            b = elapsed([sys.executable, "-c", BARE, str(trained), str(bundle), folder])
        pairs.append((a, b))
    edgecnn, bare = (statistics.median(times) for times in zip(*pairs[1:], strict=True))
    ratio = statistics.median(a / b for a, b in pairs[1:])
    if options.json:
        values = {"model": options.model, "edgecnn_s": edgecnn, "bare_s": bare, "ratio": ratio, "target": TARGET}
        print(json.dumps({**values, "rounds": options.rounds, "machine": read_machine().line}))
    else:
        print(f"Process start to exit, median of {options.rounds}, MNIST, {read_machine().line}")
        print("| command | edgecnn | bare script | ratio | at most |\n|---|--:|--:|--:|--:|")
        print(f"| `edgecnn export {options.model} --int8` | {edgecnn:.1f} s | {bare:.1f} s | {ratio:.2f} | {TARGET} |")
    return int(ratio > TARGET)


if __name__ == "__main__":
    sys.exit(main())
