"""Make a bundle of AlexNet with random weights, for benchmarks that need a net of 10 ms: it is too large to be shipped.

    python benchmarks/alexnet_bundle.py FOLDER

Time does not depend on the weights. Needs the extra `train`; the bundle (256 MB) then runs anywhere.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from int8_onnx import artefacts

from edgecnn import nets
from edgecnn.bundle import BundleDraft, write_bundle
from edgecnn.spec import Format, Precision


def main() -> None:
    """Write FOLDER/alexnet."""
    if len(sys.argv) != 2:
        sys.exit(str(__doc__))
    net = nets.get("alexnet")
    with tempfile.TemporaryDirectory() as folder:
        files = artefacts("alexnet", Path(folder))
        contents = {(f, p): files[f"{f}_{p}"].read_bytes() for f in Format for p in Precision}
    labels = tuple(f"class {number}" for number in range(1000))
    draft = BundleDraft("alexnet", labels, net.image, contents, about="Random weights: it knows nothing.")
    print(write_bundle(Path(sys.argv[1]) / "alexnet", draft).path)


if __name__ == "__main__":
    main()
