"""`tools/demo`, the README's first command, as on a machine without any data set."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the demo prints; the home is empty, so that there is no cache of Keras either."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EDGECNN_")}
    environment |= {"EDGECNN_READY": "1", "EDGECNN_VENV": sys.prefix, "HOME": str(tmp_path_factory.mktemp("home"))}
    ran = subprocess.run(
        [ROOT / "tools" / "demo"], cwd="/", env=environment, capture_output=True, text=True, timeout=280
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_demo_says_what_it_was_judged_on(said):
    assert "judged on the embedded optdigits" in said
    assert "pictures: optdigits test" in said


def test_demo_proves_that_both_int8_files_agree(said):
    equal = re.search(r"bit for bit, on (\d+) of (\d+) pictures", said)
    assert equal is not None
    assert equal[1] == equal[2]
    assert "\nPASSED" in said


def test_demo_reads_the_sample_with_both_int8_artefacts(said):
    for runtime in ("litert", "onnx"):
        command = f"$ edgecnn run build/demo/bundle models/samples/number.jpg --precision int8 --runtime {runtime}\n"
        assert said.split(command)[1].splitlines()[0].startswith("models/samples/number.jpg: 31415|9265")


def test_demo_tells_the_size_of_every_artefact(said):
    artifacts = json.loads((ROOT / "build" / "demo" / "bundle" / "bundle.json").read_text())["artifacts"]
    assert len(artifacts) == 4
    for artifact in artifacts:
        line = rf"{artifact['format']} +{artifact['precision']} +{artifact['bytes']:,}\b"
        assert re.search(line, said), line


def test_demo_ends_with_three_commands_to_try(said):
    program = re.escape(f"{sys.prefix}/bin/edgecnn".removeprefix(f"{ROOT}/"))
    assert len(re.findall(rf"^  {program} (?:run|bench|train) ", said, re.MULTILINE)) == 3
