"""Characters wrong on labelled photographs of handwriting, a line for each; ours against a tutorial's reader.

    python benchmarks/photos.py [--model digits-live] [--precision int8] [--photos FOLDER]

The folder holds pictures and labels.csv (file, digits with | between lines, remark). Wrong characters are the edit
distance between what was read and the label, a break between lines counting as a character. Exit code 1 when a target
is missed. Stores results/photos.json.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from pathlib import Path

from readers import Read, edit_distance, open_ours, store, table, tutorial, verdict

from edgecnn import pictures
from edgecnn.reader import text
from edgecnn.spec import Precision

DEFAULT = Path(os.environ.get("EDGECNN_PHOTOS") or Path(os.environ.get("EDGECNN_DATA", ".")).parent / "photos")


def measure(read: Read, folder: Path) -> list[dict[str, object]]:
    """Read every labelled photograph."""
    with (folder / "labels.csv").open(newline="") as file:
        labels = list(csv.DictReader(file))
    rows: list[dict[str, object]] = []
    for label in labels:
        got, true = text(read(pictures.read(folder / label["file"]))), label["digits"]
        characters = len(true.replace("|", ""))
        wrong = edit_distance(got, true)
        rows.append({"file": label["file"], "characters": characters, "wrong": wrong, "read": got, "truth": true})
    return rows


def main() -> int:
    """Measure, print, store, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="digits-live")
    parser.add_argument("--precision", type=Precision, default=Precision.INT8)
    parser.add_argument("--photos", type=Path, default=DEFAULT)
    options = parser.parse_args()
    if not (options.photos / "labels.csv").is_file():
        parser.error(f"--photos: expected a folder with labels.csv, got {options.photos}")
    bundle, reader = open_ours(options.model, options.precision)
    with reader:
        ours = measure(reader.read, options.photos)
    theirs = measure(tutorial(bundle), options.photos)
    print(f"{bundle.name} {options.precision}, {len(ours)} photographs\n")
    rows = [[o["file"], o["characters"], o["wrong"], t["wrong"], o["read"]] for o, t in zip(ours, theirs, strict=True)]
    characters = sum(int(str(o["characters"])) for o in ours)
    wrong, tutorial_wrong = (sum(int(str(row["wrong"])) for row in found) for found in (ours, theirs))
    rows.append(["all", characters, wrong, tutorial_wrong, f"{sum(o['wrong'] == 0 for o in ours)} exact"])
    print(table(["photograph", "characters", "wrong", "tutorial wrong", "read"], rows), "\n")
    webcam = sum(int(str(o["wrong"])) for o in ours if str(o["file"]).startswith("webcam"))
    result = {"model": bundle.name, "precision": str(options.precision), "characters": characters, "wrong": wrong}
    print(f"\nstored {store('photos', {**result, 'tutorial_wrong': tutorial_wrong, 'photographs': ours})}")
    return verdict([("wrong characters", wrong, 3, False), ("wrong on webcam frames", webcam, 0, False)])


if __name__ == "__main__":
    sys.exit(main())
