"""Makes the bundle that many tests open: a small net trained for seconds on the embedded digits, exported as users do.

Run as `python make_bundle.py FOLDER`, in a process of its own: TensorFlow stays out of the tests' process. Makes the
run folder FOLDER/run and the bundle FOLDER/bundle.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from edgecnn import nets
from edgecnn.data import load
from edgecnn.parity import Budget
from edgecnn.pipeline import ExportOptions, export
from edgecnn.train import train


def main(folder: Path) -> None:
    net = nets.get("digits")
    recipe = replace(net.recipe, epochs=20, batch=32, augmentation=None, patience=None)
    train(net, load("optdigits"), recipe, folder / "run", seed=1)
    # On 401 pictures a flip is a quarter of a point; what int8 may lose is tested elsewhere.
    budget = Budget(max_drop=1, min_agreement=98)
    options = ExportOptions(model=folder / "run", int8=True, name="small", out=folder / "bundle", budget=budget)
    result = export(options)
    if not result.report.passed:
        sys.exit("\n".join(result.report.reasons))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
