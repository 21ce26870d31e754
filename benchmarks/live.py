"""Speed of the live half: video -> frame -> locate -> preprocess -> session -> readings -> JSON lines, on one core.

    python benchmarks/live.py [--bundle digits] [--rounds 9] [--memory 50000] [--json]

Digits are those embedded in scikit-learn, written into a 640x480 MJPG video. The calls that the frames make of OpenCV
and of the runtime are recorded once and made again bare, each with what the earlier ones give; loop and bare calls take
turns, so a busy machine slows both alike, and the ratio is the median of the rounds' ratios of CPU time. Exit code 1
when a target is missed.
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
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgecnn.bench.machine import read_machine
from edgecnn.bundle import Bundle, find_bundle, read_bundle
from edgecnn.data import load
from edgecnn.live import Live, Observation, Tracker
from edgecnn.live.sinks.lines import JsonLines
from edgecnn.reader import Reader
from edgecnn.runtime.ort import EXACT
from edgecnn.sources import Source, open_source
from edgecnn.sources.live import LiveSource
from edgecnn.spec import Fit, Frame, ImageSpec, Precision, Runtime

FRAMES = 60
IMAGE = ImageSpec(28, 28, 1, fit=Fit.DIGIT)


@dataclass(frozen=True)
class Row:
    """One measurement; `target` is the most it may be, or the least where `at_least`."""

    what: str
    value: float
    unit: str
    target: float
    at_least: bool = False

    @property
    def passed(self) -> bool:
        """Whether the target is met."""
        return self.value >= self.target if self.at_least else self.value <= self.target


def scenes(count: int) -> list[np.ndarray]:
    """FRAMES pictures of `count` handwritten digits that wander over a sheet of paper, with noise and uneven light."""
    rng = np.random.default_rng(0)
    test = load("optdigits").test
    inks = test.pixels(rng.choice(len(test), count, replace=False), IMAGE)[..., 0]
    paper = 215 + np.linspace(-30, 20, 640, dtype=np.float32)[None] + np.zeros((480, 1), np.float32)
    result = []
    for number in range(FRAMES):
        sheet = paper.copy()
        for place, ink in enumerate(inks):
            x, y = 30 + 58 * place + round(10 * np.sin(number / 9)), 180 + round(60 * np.cos(number / 15))
            sheet[y : y + 56, x : x + 56] *= 1 - cv2.resize(ink, (56, 56)) / np.float32(255) * 0.8
        sheet += rng.normal(0, 2, sheet.shape)
        result.append(cv2.cvtColor(np.clip(sheet, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR))
    return result


def write_video(path: Path, pictures: list[np.ndarray]) -> Path:
    """Write pictures as an MJPG video of 30 frames/s."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (640, 480))
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


# The pipeline against its own bare calls


class Tape:
    """The calls of OpenCV and of the runtime that frames make, to be made again without what lies between them.

    What a call gives goes on to the calls that took it, so that they find it where the pipeline's calls do: in the
    cache or not, whole or as a view. Only what is no call's result, or was changed since, is a copy made beforehand.
    A frame's calls become one function with a line for each, so that nothing but the calls takes time.
    """

    def __init__(self) -> None:
        self.frames: list[Callable[[np.ndarray], None]] = []
        self.counts: Counter[str] = Counter()
        self._lines: list[tuple[str, list[str]]] = []
        self._names: dict[str, Any] = {}
        self._results: dict[int, tuple[np.ndarray, str, np.ndarray]] = {}
        self._copies: dict[int, str] = {}

    def begin(self, picture: np.ndarray) -> None:
        """Begin with the calls of a frame."""
        self._lines, self._names = [], {"ndarray": np.ndarray}
        self._keep("frame", picture)

    def call(self, kind: str, function: Callable[..., Any], made: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Note that `function` is called, and make the call by `made`."""
        used: list[str] = []
        self._copies = {}
        written = [self._write(value, used) for value in given]
        written += [f"{key}={self._write(value, used)}" for key, value in named.items()]
        result = made(*given, **named)
        target = f"r{len(self._lines)}"
        self._lines.append((f"{target} = {self._constant(function)}({', '.join(written)})", used))
        for place, one in enumerate(result if isinstance(result, tuple) else [result]):
            if isinstance(one, np.ndarray):
                self._keep(f"{target}[{place}]" if isinstance(result, tuple) else target, one)
        self.counts[kind] += 1
        return result

    def end(self) -> None:
        """Write the calls of the frame as a function of its picture. A result is let go where it is last used."""
        last = {name: number for number, (_, used) in enumerate(self._lines) for name in used}
        lines = ["def play(frame):"]
        for number, (line, used) in enumerate(self._lines):
            gone = {name for name in used if last[name] == number} | {f"r{number}"} - last.keys()
            lines.append(f"    {line}" + "".join(f"; del {name}" for name in sorted(gone)))
        exec("\n".join([*lines, "    return"]), self._names)
        self.frames.append(self._names["play"])
        self._results = {}

    def _keep(self, name: str, array: np.ndarray) -> None:
        self._results[id(array)] = array, name, array.copy()

    def _write(self, value: Any, used: list[str]) -> str:
        """An argument as it stands in the function; notes whose result it is."""
        if isinstance(value, list):
            return f"[{', '.join(self._write(one, used) for one in value)}]"
        if not isinstance(value, np.ndarray):
            return self._constant(value)
        owner = value
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        _, name, was = self._results.get(id(owner), (None, "", None))
        if was is None:
            return self._copy(value)
        start = value.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        if not np.array_equal(np.ndarray(value.shape, value.dtype, was, start, value.strides), value):
            return self._copy(value)
        used.append(name.partition("[")[0])
        if value.shape == owner.shape and value.strides == owner.strides:
            return name
        return f"ndarray({value.shape}, {value.dtype.str!r}, {name}, {start}, {value.strides})"

    def _copy(self, value: np.ndarray) -> str:
        """A copy made beforehand; one for a picture that is changed in place."""
        if id(value) not in self._copies:
            self._copies[id(value)] = self._constant(value.copy())
        return self._copies[id(value)]

    def _constant(self, value: Any) -> str:
        name = f"c{len(self._names)}"
        self._names[name] = value
        return name


@contextmanager
def recorded(reader: Reader, bare: Callable[[np.ndarray], object]) -> Iterator[Tape]:
    """Record the calls that a reader's frames make of functions of cv2, and of the runtime as calls of `bare`."""
    tape = Tape()
    read, run = reader.read, reader._session.run

    def reading(frame: Frame) -> object:
        tape.begin(frame.picture)
        result = read(frame)
        tape.end()
        return result

    names = [name for name in dir(cv2) if type(getattr(cv2, name)).__name__ == "builtin_function_or_method"]
    originals = {name: getattr(cv2, name) for name in names}
    try:
        for name, function in originals.items():
            setattr(cv2, name, partial(tape.call, "OpenCV", function, function))
        reader._session.run = partial(tape.call, "runtime", bare, run)
        reader.read = reading
        yield tape
    finally:
        del reader.read
        reader._session.run = run
        for name, function in originals.items():
            setattr(cv2, name, function)


def bare_session(bundle: Bundle, runtime: Runtime) -> Callable[[np.ndarray], object]:
    """The runtime's own calls for one input, without edgecnn."""
    path = str(bundle.file(bundle.artifact(runtime, Precision.INT8)))
    if runtime is Runtime.ONNX:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry(*EXACT)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda tensor: session.run(None, {name: tensor})
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(tensor: np.ndarray) -> object:
        interpreter.set_tensor(source, tensor)
        interpreter.invoke()
        return interpreter.get_tensor(result)

    return run


def pipeline(bundle: Bundle, folder: Path, digits: int, rounds: int) -> list[Row]:
    """The whole loop of `edgecnn run VIDEO --json` over a video of some digits, and the sum of its bare calls."""
    video = write_video(folder / f"{digits}.avi", scenes(digits))
    bare = bare_session(bundle, Runtime.LITERT)
    with Reader(bundle) as reader, Path(os.devnull).open("w") as out:

        def loop() -> None:
            with open_source([str(video)]) as source:
                Live(source, reader, [JsonLines(out.write)], Tracker(top=1)).run()

        with recorded(reader, bare) as tape:
            loop()

        def playback() -> None:
            capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
            for play in tape.frames:
                picture = capture.read()[1]
                capture.get(cv2.CAP_PROP_POS_MSEC)
                play(picture)
            capture.read()  # which tells that the video is over
            capture.release()

        ratios, loops = [], []
        for _ in range(rounds):
            (whole, wall), (sum_of_calls, _) = timed(loop), timed(playback)
            ratios.append(whole / sum_of_calls)
            loops.append((whole / FRAMES, wall / FRAMES))
    cpu = statistics.median(one for one, _ in loops)
    wall = statistics.median(one for _, one in loops)
    made = " and ".join(f"{count / FRAMES:.0f} {kind}" for kind, count in tape.counts.items()) + " calls"
    return [
        Row(f"pipeline / its {made}, {digits} digits", statistics.median(ratios), "x", 1.25),
        Row(f"frames per second of CPU time, {digits} digits", 1 / cpu, "/s", 150, at_least=True),
        Row(f"frames per second of wall time, {digits} digits", 1 / wall, "/s", 150, at_least=True),
    ]


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """CPU and wall seconds of some work."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def ten_digits(bundle: Bundle, runtime: Runtime, rounds: int) -> Row:
    """Ten crops through preprocessing, session and softmax, against ten bare inferences."""
    test = load("optdigits").test
    pixels = test.pixels(np.arange(10), IMAGE)
    bare = bare_session(bundle, runtime)
    with Reader(bundle, runtime=runtime) as reader:
        tensor = reader._table[pixels]
        ours = lambda: [reader._classify(pixels, lambda _: None) for _ in range(200)]  # noqa: E731
        theirs = lambda: [bare(tensor[i : i + 1]) for _ in range(200) for i in range(10)]  # noqa: E731
        ours(), theirs()
        ratios = [timed(ours)[0] / timed(theirs)[0] for _ in range(rounds)]
    return Row(f"ten digits / ten bare inferences, {runtime}", statistics.median(ratios), "x", 1.2)


# Age, start, memory


class Camera:
    """Thirty frames a second by the clock."""

    def __init__(self, pictures: list[np.ndarray]) -> None:
        self._pictures = pictures
        self._begin = time.monotonic()
        self._number = 0

    def read(self) -> tuple[np.ndarray, float]:
        """Wait for the next frame."""
        self._number += 1
        time.sleep(max(0.0, self._begin + self._number / 30 - time.monotonic()))
        return self._pictures[self._number % len(self._pictures)].copy(), time.time()

    def close(self) -> None:
        """Nothing to give back."""


class Ages:
    """A sink that keeps the ages of some readings, and ends the loop."""

    def __init__(self, live: Live, count: int) -> None:
        self.ages: list[float] = []
        self._live = live
        self._count = count

    def take(self, observation: Observation) -> None:
        """Keep the age."""
        self.ages.append(observation.stats.age)
        if len(self.ages) >= self._count:
            self._live.stop()

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def age(bundle: Bundle, pictures: list[np.ndarray], cores: list[int]) -> Row:
    """Age of the readings of a camera at 30 frames/s while another process keeps the second core busy."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        os.sched_setaffinity(busy.pid, cores[-1:])
        with Reader(bundle) as reader, LiveSource("camera", lambda: Camera(pictures)) as source:
            live = Live(source, reader, [], Tracker())
            ages = Ages(live, 330)
            live.sinks.append(ages)
            live.run()
    finally:
        busy.kill()
        busy.wait()
    return Row(
        "frame age p95 / frame interval, second core busy", float(np.percentile(ages.ages[30:], 95)) * 30, "x", 1.5
    )


def start(bundle: str, video: Path, rounds: int) -> Row:
    """From the start of the process to its first line with a reading."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        command = [sys.executable, "-c", "from edgecnn.cli import main; main()", "run", bundle, str(video), "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            if process.stdout is not None:
                next(line for line in process.stdout if json.loads(line)["readings"])
                times.append(time.perf_counter() - began)
            process.kill()
    return Row("process start to first reading", statistics.median(times), "s", 0.7)


class Endless(Source):
    """The same pictures over and over, each a new array as a camera's are."""

    def __init__(self, pictures: list[np.ndarray], count: int, watch: Callable[[int], None]) -> None:
        super().__init__("endless")
        self._pictures, self._count, self._watch, self._index = pictures, count, watch, 0

    def poll(self, timeout: float) -> Frame | None:
        """Give the next frame."""
        self._watch(self._index)
        if self._index >= self._count:
            self.ended = True
            return None
        self._index += 1
        return Frame(self._pictures[self._index % FRAMES].copy(), self._index / 30, self._index, self.name)

    def close(self) -> None:
        """Nothing to give back."""


def memory(bundle: Bundle, pictures: list[np.ndarray], count: int) -> Row:
    """Growth of the process between its 1000th frame and its last."""
    sizes: dict[int, float] = {}

    def watch(index: int) -> None:
        if index in (1000, count):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            sizes[index] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    with Reader(bundle) as reader, Path(os.devnull).open("w") as out:
        Live(Endless(pictures, count, watch), reader, [JsonLines(out.write)], Tracker()).run()
    return Row(f"memory growth over {count} frames", sizes[count] - sizes[1000], "MB", 5)


def main() -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", default="digits")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--memory", type=int, default=50_000, metavar="FRAMES", help="0 leaves it out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    cores = sorted(os.sched_getaffinity(0))
    bundle = read_bundle(find_bundle(options.bundle))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [start(options.bundle, write_video(folder / "start.avi", scenes(3)), options.rounds)]
        rows.append(age(bundle, scenes(4), cores))
        os.sched_setaffinity(0, cores[:1])
        rows += [row for digits in (1, 4, 10) for row in pipeline(bundle, folder, digits, options.rounds)]
        rows += [ten_digits(bundle, runtime, options.rounds) for runtime in Runtime]
        if options.memory:
            rows.append(memory(bundle, scenes(4), options.memory))
    machine = read_machine()
    if options.json:
        print(json.dumps({"bundle": options.bundle, "machine": asdict(machine), "rows": [asdict(row) for row in rows]}))
    else:
        for row in rows:
            sign = ">=" if row.at_least else "<="
            print(f"{'ok  ' if row.passed else 'MISS'} {row.value:8.2f} {row.unit:3} {sign} {row.target:g}  {row.what}")
        print(
            f"bundle {options.bundle}, int8, 640x480 MJPG, {options.rounds} rounds; {machine.cpu}, {len(cores)} cores"
        )
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
