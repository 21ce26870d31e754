"""What ONNX Runtime makes of an int8 file on this CPU, with and without the session entry that edgecnn sets.

    python benchmarks/exact.py [BUNDLE ...] [--images 10000]

On x86 CPUs with AVX2 but no VNNI its default kernels add pairs of uint8 x int8 products in 16 bits, and saturate.
Counts the pictures of MNIST's test set on which all outputs equal TFLite's, top-1, and the time of one picture. Exit
code 1 when an output differs with the entry. Stores results/exact.json.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import numpy as np
from numpy.typing import NDArray
from readers import store, table

from edgecnn.bench.machine import read_machine
from edgecnn.bundle import Bundle, find_bundle, read_bundle
from edgecnn.data import load
from edgecnn.preprocess import to_tensor
from edgecnn.runtime.ort import EXACT
from edgecnn.runtime.session import quantize
from edgecnn.spec import Precision, Runtime


def onnx_outputs(bundle: Bundle, tensor: NDArray[np.generic], exact: bool) -> tuple[NDArray[np.int64], float]:
    """Outputs for uint8 [n, height, width, channels], and the median microseconds of one picture."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if exact:
        options.add_session_config_entry(*EXACT)
    path = str(bundle.file(bundle.artifact(Runtime.ONNX, Precision.INT8)))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name, outputs, times = session.get_inputs()[0].name, [], []
    for i in range(len(tensor)):
        began = time.perf_counter()
        outputs.append(session.run(None, {name: tensor[i : i + 1]})[0])
        times.append(time.perf_counter() - began)
    return np.concatenate(outputs).astype(np.int64), 1e6 * statistics.median(times)


def compare(bundle: Bundle, images: int) -> list[dict[str, object]]:
    """Both sessions of one bundle against TFLite."""
    test = load("mnist").test
    chosen = np.arange(min(images, len(test)))
    floats = to_tensor(test.pixels(chosen, bundle.image), bundle.image)
    with bundle.open(Runtime.LITERT, Precision.INT8) as session:
        tensors = quantize(floats, session.input)
        wanted = np.concatenate([session.run(tensors[i : i + 1]) for i in chosen]).astype(np.int64) + 128
    with bundle.open(Runtime.ONNX, Precision.INT8) as session:
        tensors = quantize(floats, session.input)
    rows: list[dict[str, object]] = []
    for entry, exact in (("none", False), ("=".join(EXACT), True)):
        outputs, microseconds = onnx_outputs(bundle, tensors, exact)
        right = int((outputs[:, :10].argmax(axis=1) == test.labels[chosen]).sum())
        equal = int((outputs == wanted).all(axis=1).sum())
        row = {"bundle": bundle.name, "entry": entry, "images": len(chosen), "equal": equal, "right": right}
        rows.append({**row, "microseconds": round(microseconds, 1)})
    return rows


def main() -> int:
    """Measure, print, store, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*", default=["digits", "tiny", "conv-32-64-64"])
    parser.add_argument("--images", type=int, default=10_000)
    options = parser.parse_args()
    rows = [row for name in options.bundles for row in compare(read_bundle(find_bundle(name)), options.images)]
    print(read_machine().line, "\n")
    print(table(list(rows[0]), [list(row.values()) for row in rows]))
    print(f"\nstored {store('exact', {'cpu': read_machine().line, 'rows': rows})}")
    return int(any(row["equal"] != row["images"] for row in rows if row["entry"] != "none"))


if __name__ == "__main__":
    sys.exit(main())
