"""What tools/emulate-pi runs on the (emulated) board and, for comparison, on this machine.

    on_board.py hash  IMAGES.npy BUNDLE:RUNTIME...  a JSON line for each: hash of the int8 logits of all images
    on_board.py count IMAGES.npy BUNDLE...          a JSON line an artefact; getppid(2), which the counting plugin
                                                    watches for, is called before and after its inferences
    on_board.py crops PICTURE                       a JSON line: the pixels that are cut out of a picture for the net

Needs only the device half: numpy, edgecnn and its runtimes.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np

from edgecnn.bundle import read_bundle
from edgecnn.pictures import read
from edgecnn.preprocess import fit, to_tensor
from edgecnn.runtime.session import quantize
from edgecnn.spec import Precision, Runtime
from edgecnn.vision.locate import locate

WARM_UP, RUNS = 3, 10


def tensors(bundle, session, images):
    """The images as the session's own integers or floats, [n, 1, h, w, c]."""
    pixels = np.stack([fit(image, bundle.image) for image in images])
    floats = to_tensor(pixels, bundle.image)
    ready = floats if session.input.dtype == "float32" else quantize(floats, session.input)
    return ready[:, None]


def hashes(bundle, runtime, images):
    """Hash the int8 logits of a runtime; uint8 outputs are shifted by 128, as their zero point is."""
    artifact = bundle.artifact(runtime, Precision.INT8)
    with bundle.open(runtime=runtime, precision=Precision.INT8, threads=1) as session:
        outputs = np.concatenate([session.run(tensor) for tensor in tensors(bundle, session, images)])
    if outputs.dtype == np.uint8:
        outputs = (outputs.astype(np.int16) - 128).astype(np.int8)
    digest = hashlib.sha256(np.ascontiguousarray(outputs).tobytes()).hexdigest()
    row = {"bundle": bundle.name, "runtime": runtime, "file_sha256": artifact.sha256}
    print(json.dumps({**row, "images": len(outputs), "sha256": digest}), flush=True)


def regions(bundle, images):
    """Run each artefact between two marks."""
    for artifact in bundle.artifacts:
        runtime = Runtime.LITERT if artifact.format == "tflite" else Runtime.ONNX
        with bundle.open(runtime=runtime, precision=artifact.precision, threads=1) as session:
            tensor = tensors(bundle, session, images[:1])[0]
            for _ in range(WARM_UP):
                session.run(tensor)
            os.getppid()
            for _ in range(RUNS):
                session.run(tensor)
            os.getppid()
        row = {"bundle": bundle.name, "runtime": runtime, "precision": artifact.precision}
        print(json.dumps({**row, "file_sha256": artifact.sha256, "runs": RUNS}), flush=True)


def crops(picture):
    """Print what is cut out of a picture, digit by digit."""
    print(json.dumps([candidate.pixels.tolist() for candidate in locate(read(Path(picture)))]))


if __name__ == "__main__":
    task, pictures, *folders = sys.argv[1:]
    if task == "crops":
        sys.exit(crops(pictures))
    stack = np.load(pictures, allow_pickle=False)
    for folder in folders:
        path, _, runtime = folder.partition(":")
        if task == "hash":
            hashes(read_bundle(Path(path)), Runtime(runtime), stack)
        else:
            regions(read_bundle(Path(path)), stack)
