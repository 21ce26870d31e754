"""What all tests share: data sets, bundles, programs of the system, and what the summary says about skipped tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from edgecnn.bench.result import BenchResult
    from edgecnn.data import Dataset

ROOT = Path(__file__).resolve().parent.parent

# Before any of them is imported, here and in the processes that tests start: every xdist worker stays on one core.
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3",
    TF_USE_LEGACY_KERAS="1",
    CUDA_VISIBLE_DEVICES="-1",
    MPLBACKEND="Agg",
)
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENCV_FOR_THREADS_NUM",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ):
        os.environ.setdefault(variable, "1")

settings.register_profile("edgecnn", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("edgecnn")

NEEDS = "needs "
"""How a reason to skip begins when the machine could be made to run the test."""


def _packages() -> dict[str, str]:
    """Program or library -> Debian package, as tools/packages.txt lists them."""
    lines = (ROOT / "tools" / "packages.txt").read_text().splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test meets the history and the lock of a bench that runs outside, or in another worker."""
    os.environ["EDGECNN_STATE"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def program() -> Callable[[str], Path]:
    """`program("ffmpeg")`: path of a program of the system; the test skips where it is not installed."""

    def find(name: str) -> Path:
        found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
        if found is None:
            pytest.skip(f"{NEEDS}the program {name} (Debian package {_packages()[name]})")
        return Path(found)

    return find


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of EDGECNN_DATA; the test skips where it is not set or not there."""
    folder = Path(os.environ.get("EDGECNN_DATA", "/nonexistent"))
    if not folder.is_dir():
        pytest.skip(f"{NEEDS}EDGECNN_DATA, a folder with mnist/ and fashion-mnist/ in it")
    return folder


@pytest.fixture(scope="session")
def mnist(data_dir: Path) -> Dataset:
    """MNIST, as `edgecnn.data.load` gives it; the test skips where it is absent."""
    from edgecnn.data import load
    from edgecnn.errors import DataError

    if not any((data_dir / folder).is_dir() for folder in ("mnist", "MNIST/raw")):
        pytest.skip(f"{NEEDS}MNIST in EDGECNN_DATA ({data_dir}/mnist)")
    try:
        return load("mnist", data_dir=data_dir)
    except DataError as error:
        pytest.fail(f"EDGECNN_DATA is set, but: {error}")


@pytest.fixture(scope="session")
def photos(request: pytest.FixtureRequest) -> Path:
    """Folder of the labelled photographs (labels.csv beside them); the test skips where it is absent."""
    named = os.environ.get("EDGECNN_PHOTOS")
    folder = Path(named) if named else Path(os.environ.get("EDGECNN_DATA", "/nonexistent")).parent / "photos"
    if not (folder / "labels.csv").is_file():
        pytest.skip(f"{NEEDS}EDGECNN_PHOTOS, a folder of labelled photographs (labels.csv)")
    return folder


@pytest.fixture(scope="session")
def shipped() -> Path:
    """Folder of the shipped bundle `digits`."""
    return ROOT / "models" / "digits"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def shared_folder(factory: pytest.TempPathFactory, worker: str) -> Path:
    """The folder that all workers of this run share."""
    base = factory.getbasetemp()
    return base if worker == "master" else base.parent


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Run folder of a small convolutional net, trained for seconds on the embedded digits; all workers share it."""
    folder = shared_folder(tmp_path_factory, worker_id) / "small"
    with _locked(folder.with_suffix(".lock")):
        if not (folder / "bundle" / "bundle.json").is_file():
            script = ROOT / "tests" / "make_bundle.py"
            ran = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, check=False)
            if ran.returncode:
                pytest.fail(f"{script} failed: {ran.stderr[-2000:]}")
    return folder / "run"


@pytest.fixture(scope="session")
def small_bundle(small_run: Path) -> Path:
    """The bundle that `edgecnn.pipeline.export` made of `small_run`: both formats, both precisions, finds digits."""
    return small_run.parent / "bundle"


@pytest.fixture(scope="session")
def artifacts(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with {float32,int8}.{tflite,onnx} of `small_bundle`, and test.npz (pixels, labels, Keras logits)."""
    from edgecnn.bundle import read_bundle
    from edgecnn.data import load

    bundle, test = read_bundle(small_bundle), load("optdigits").test
    reference = bundle.reference()
    assert reference is not None
    folder = tmp_path_factory.mktemp("artifacts")
    for artifact in bundle.artifacts:
        shutil.copy(bundle.file(artifact), folder / f"{artifact.precision}.{artifact.format}")
    pixels = test.pixels(np.arange(len(test)), bundle.image)
    np.savez(folder / "test.npz", pixels=pixels, labels=test.labels, logits=reference.logits)
    return folder


@pytest.fixture(scope="session")
def scene(artifacts: Path) -> Callable[..., np.ndarray]:
    """`scene("12|345")`: a sheet of paper, uint8 BGR, with handwritten digits that `small_bundle` reads well."""
    import cv2

    with np.load(artifacts / "test.npz", allow_pickle=False) as stored:
        pixels, labels, logits = stored["pixels"][..., 0], stored["labels"], stored["logits"]
    margin = np.take_along_axis(logits, labels[:, None], 1)[:, 0] - np.partition(logits, -2, axis=1)[:, -2]
    clearest = {digit: pixels[np.argmax(np.where(labels == digit, margin, -np.inf))] for digit in range(10)}

    def make(
        text: str, size: tuple[int, int] = (640, 480), *, zoom: int = 3, at: tuple[int, int] = (30, 30)
    ) -> np.ndarray:
        paper = np.full((size[1], size[0]), 225, np.uint8)
        side = 28 * zoom
        for row, line in enumerate(text.split("|") if text else ()):
            for column, digit in enumerate(line):
                ink = cv2.resize(clearest[int(digit)], (side, side), interpolation=cv2.INTER_CUBIC)
                x, y = at[0] + column * side, at[1] + row * side * 3 // 2
                paper[y : y + side, x : x + side] = 225 - (ink * 0.8).astype(np.uint8)
        return cv2.cvtColor(paper, cv2.COLOR_GRAY2BGR)

    return make


@pytest.fixture(scope="session")
def bench_result() -> Callable[..., BenchResult]:
    """`bench_result({"digits int8 litert 1": [50.0, 51.0, ...]}, ...)`: the result of a bench with these microseconds.

    Its machine is a fixed one, and everything that is not given is as a flawless run has it. Keywords replace fields.
    """
    import dataclasses

    from edgecnn.bench import result, sampling, statistics
    from edgecnn.bench.machine import Conditions, Machine
    from edgecnn.spec import Precision, Runtime

    machine = Machine("Cortex-A76 r4p1", 4, 4, ("NEON", "dot product"), "Raspberry Pi 5 Model B Rev 1.0", 8 << 30,
                      "aarch64", "Debian GNU/Linux 12 (bookworm)", "6.6", "3.11.2",
                      {"ai-edge-litert": "2.3.0", "onnxruntime": "1.32.0"})  # fmt: skip
    calm = Conditions((2400.0,), "performance", 51.0, 0, 0.1, 7 << 30, 100.0, 0.0)

    def make(rows: dict[str, list[float]], **fields: object) -> BenchResult:
        subjects = [sampling.Subject(name, lambda: None) for name in rows]
        for subject, values in zip(subjects, rows.values(), strict=True):
            subject.rounds = [np.asarray(part, np.float32) for part in np.array_split(values, 10) if len(part)]
        made = []
        for subject in subjects:
            bundle, precision, runtime, threads = subject.name.split()
            target = result.Target(bundle, f"{bundle}-{precision}.tflite", "0" * 64, 52_000, Runtime(runtime),
                                   Precision(precision), int(threads))  # fmt: skip
            made.append(
                result.Row(
                    target=target,
                    latency=statistics.summarize(subject.samples),
                    rounds=subject.medians,
                    warm_up=sampling.WarmUp(100, 0.1, True),
                    ratio=None if subject is subjects[0] else sampling.ratio(subject, subjects[0]),
                    start=result.Start(3, 54e3, 9e3, 900.0, 52 << 20, 6 << 20),
                    accuracy=result.Accuracy(0.9961, 0.9947, 0.9971, 10_000, "mnist test"),
                )
            )
        parity = (result.Parity("digits", True, "mnist test", 10_000, 10_000, 10_000, ()),)
        whole = result.BenchResult(
            schema=result.SCHEMA, tool="0.1.0", command="edgecnn bench digits", started="2026-11-24T12:00:00+00:00",
            seconds=12.0, complete=True, plan=sampling.QUICK, machine=machine, before=calm, after=calm, timer_us=0.06,
            rows=tuple(made), parity=parity, throughput=(), end_to_end=(), energy=(), profiles=(), doubts=(), notes=(),
        )  # fmt: skip
        return dataclasses.replace(whole, **fields)  # type: ignore[arg-type]

    return make


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what would enable the tests that skipped for want of something."""
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []) if report.longrepr]
    lines = []
    programs = [name for name in _packages() if any(name in reason for reason in reasons)]
    if programs:
        count = sum(any(name in reason for name in programs) for reason in reasons)
        packages = ", ".join(sorted({_packages()[name] for name in programs}))
        lines.append(f"{count}: tools/test --full, which installs {packages} (as root or with sudo)")
    for variable, what in (
        ("EDGECNN_DATA", "a folder with mnist/ and fashion-mnist/"),
        ("EDGECNN_PHOTOS", "a folder of labelled photographs"),
    ):
        count = sum(variable in reason for reason in reasons)
        if count:
            lines.append(f"{count}: set {variable} to {what}")
    if lines:
        terminalreporter.section("what would run the skipped tests")
        for line in lines:
            terminalreporter.line(line)
