from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.bench import measure, profile, sampling
from edgecnn.bench.measure import Options, bench
from edgecnn.bench.probe import probe
from edgecnn.bench.proven import accuracy_of, parity_of
from edgecnn.bench.queries import random_pixels, tensor_for
from edgecnn.bench.result import BenchResult, Target
from edgecnn.bench.sampling import Plan
from edgecnn.bundle import Bundle, read_bundle
from edgecnn.errors import ArgumentError, BundleError, DataError, EdgecnnError, MeasurementError
from edgecnn.runtime.session import open_session
from edgecnn.spec import ImageSpec, Precision, Runtime

SHORT = Plan(seconds=0.05, queries=20, rounds=5, warm_up=0.2)


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return read_bundle(small_bundle)


@pytest.fixture(scope="module")
def picture(scene: Callable[..., np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    import cv2

    path = tmp_path_factory.mktemp("pictures") / "scene.png"
    cv2.imwrite(str(path), scene("123"))
    return path


@pytest.fixture(scope="module")
def result(bundle: Bundle, picture: Path) -> BenchResult:
    options = Options(plan=SHORT, throughput=True, picture=picture, energy=True, profile=True)
    return bench([bundle], options, command="edgecnn bench small")


def test_a_row_for_each_artefact_and_number_of_threads(result: BenchResult) -> None:
    assert [row.target.name for row in result.rows] == [
        f"small {precision} {runtime} 1T" for runtime in Runtime for precision in Precision
    ]  # fmt: skip
    assert result.complete
    assert result.rows[0].ratio is None
    for row in result.rows:
        assert row.latency.queries >= 20
        assert 0 < row.latency.min <= row.latency.p50.value <= row.latency.max < 60e6
        assert len(row.rounds) == 5
        assert row.start is not None
        assert row.start.first_us > 0
        assert row.start.peak > row.start.net >= 0
        assert row.start.peak > 10 << 20
    assert all(row.ratio is not None and row.ratio.value > 0 for row in result.rows[1:])


def test_the_result_survives_json(result: BenchResult) -> None:
    assert BenchResult.from_json(result.to_json()) == result


def test_throughput_of_streams_and_batches(result: BenchResult) -> None:
    kinds = {(count.streams, count.batch) for count in result.throughput}
    assert {(1, 1), (1, measure.BATCH)} <= kinds
    for count in result.throughput:
        assert (count.per_second is None) == bool(count.note)
        assert count.per_second is None or count.per_second > 0


def test_stages_are_those_of_the_reader(result: BenchResult) -> None:
    for part in result.end_to_end:
        assert [stage.name for stage in part.stages] == ["decode", "locate", "preprocess", "inference", "postprocess"]
        assert part.readings == 3
        assert (part.width, part.height) == (640, 480)
        whole = sum(stage.latency.min for stage in part.stages)
        assert 0 < whole < 10 * part.total.max


def test_energy_is_measured_or_the_reason_is_told(result: BenchResult) -> None:
    assert bool(result.energy) != any(note.startswith("energy:") for note in result.notes)


def test_profiles_of_both_runtimes(result: BenchResult) -> None:
    found = {(part.target.runtime, part.target.precision): part for part in result.profiles}
    assert len(result.profiles) == 4, result.notes
    for part in found.values():
        kinds = [op.kind for op in part.operations]
        assert any("conv" in kind.lower() for kind in kinds), kinds
        assert part.runs >= 10
        assert all(op.mean >= 0 and op.calls == 1 for op in part.operations)
        shares = [op.share for op in part.operations]
        assert None in shares or sum(filter(None, shares)) == pytest.approx(1)


def test_the_query_is_the_runtimes_own_call(bundle: Bundle) -> None:
    for artifact in bundle.artifacts:
        with open_session(bundle.file(artifact)) as session:
            tensor = tensor_for(session, bundle.image)
            assert tensor.dtype == artifact.input.dtype
            query = session.query(tensor)
            np.testing.assert_array_equal(query(), session.run(tensor))
            with pytest.raises(ArgumentError, match="tensor: expected"):
                session.query(tensor[:, :5])


def test_pixels_are_the_same_in_every_run(bundle: Bundle) -> None:
    with open_session(bundle.file(bundle.artifact())) as session:
        first, again = (tensor_for(session, ImageSpec(28, 28, 1), batch=2) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (2, 28, 28, 1)
    assert len(np.unique(first)) > 100
    assert random_pixels((1, 4, 4, 1), "int8").dtype == np.int8
    assert 0 <= random_pixels((1, 4, 4, 1), "float32").min() <= random_pixels((1, 4, 4, 1), "float32").max() <= 1


def interrupting(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    real, calls = sampling.sample, [0]

    def sample(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] == at:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sampling, "sample", sample)


@pytest.fixture
def one_row() -> Options:
    steady = Plan(seconds=0.05, queries=20, rounds=5, warm_up=0.001)  # four windows of warm-up, whatever they say
    return Options(plan=steady, runtimes=(Runtime.LITERT,), precisions=(Precision.INT8,), start=False)


def test_an_interrupted_bench_keeps_what_it_has(
    bundle: Bundle, one_row: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupting(monkeypatch, 10)  # once the timer, four times the warm-up, then twice a round
    found = bench([bundle], one_row)
    assert not found.complete
    assert len(found.rows[0].rounds) == 2
    assert "interrupted" in [doubt.code for doubt in found.doubts]
    assert found.throughput == ()
    assert BenchResult.from_json(found.to_json()) == found


def test_interrupted_before_there_is_anything(
    bundle: Bundle, one_row: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupting(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        bench([bundle], one_row)


def test_interrupted_in_what_comes_after_the_rows(
    bundle: Bundle, one_row: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "count_streams", interrupted)
    found = bench([bundle], dataclasses.replace(one_row, throughput=True))
    assert not found.complete
    assert len(found.rows[0].rounds) == 5


def test_more_threads_than_processors_is_a_doubt(bundle: Bundle, one_row: Options) -> None:
    found = bench([bundle], dataclasses.replace(one_row, threads=(1, 256)))
    assert [row.target.threads for row in found.rows] == [1, 256]
    assert "threads" in [doubt.code for doubt in found.doubts]


@pytest.mark.parametrize("change", [{"threads": (0,)}, {"threads": (10_000,)}, {"threads": ()}, {"runtimes": ()}])
def test_options_that_cannot_be(change: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ArgumentError, match=f"^{next(iter(change))}: expected"):
        Options(**change)  # type: ignore[arg-type]


def test_bundles_that_cannot_be(bundle: Bundle, one_row: Options) -> None:
    for other in (bundle, dataclasses.replace(bundle, path=Path("elsewhere"))):
        with pytest.raises(ArgumentError) as caught:
            bench([bundle, other], one_row)
        assert f"different names, got 'small' from {bundle.path} and from {other.path};" in str(caught.value)
    only_float = dataclasses.replace(bundle, artifacts=bundle.artifacts[:1])
    with pytest.raises(BundleError, match="no artefact of the wanted runtime and precision; it holds tflite float32"):
        bench([only_float], one_row)


def test_a_picture_that_cannot_be_read(bundle: Bundle, one_row: Options, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        bench([bundle], dataclasses.replace(one_row, picture=tmp_path / "absent.png"))


def test_a_fresh_process_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"\0\0\0\0TFL3" + b"\0" * 100)
    with pytest.raises(MeasurementError, match=r"broken\.tflite: the fresh process ended with 1: .*SessionError"):
        probe(tmp_path / "broken.tflite", 1, processes=1)


def target(bundle: Bundle, runtime: Runtime) -> tuple[Target, Path]:
    artifact = bundle.artifact(runtime)
    made = Target(bundle.name, artifact.file, artifact.sha256, artifact.bytes, runtime, artifact.precision, 1)
    return made, bundle.file(artifact)


def test_an_untested_litert_is_not_spoken_to(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgecnn.bench import litert_profile

    monkeypatch.setattr(litert_profile.metadata, "version", lambda name: "9.0.0")
    with pytest.raises(MeasurementError, match=r"known to this edgecnn in 2\.3\.x only, got 9\.0\.0"):
        litert_profile.profile_file(target(bundle, Runtime.LITERT)[1], 1)


def test_a_profiler_that_dies_takes_nothing_with_it(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nkill -SEGV $$\n")
    fake.chmod(0o755)
    monkeypatch.setattr(profile.sys, "executable", str(fake))
    with pytest.raises(MeasurementError, match="profiling process ended with -11"):
        profile.profile(*target(bundle, Runtime.LITERT))
    options = Options(plan=SHORT, runtimes=(Runtime.LITERT,), precisions=(Precision.INT8,), start=False, profile=True)
    found = bench([bundle], options)
    assert found.profiles == ()
    assert any("profiling process ended" in note for note in found.notes)


PARITY = {
    "passed": True, "dataset": "mnist test", "images": 10_000, "reasons": [],
    "int8_equal": {"equal": 9_999, "total": 10_000},
    "rows": [{"file": "small-int8.tflite", "accuracy": {"value": 0.99, "low": 0.98, "high": 0.995, "total": 10_000}}],
}  # fmt: skip


def test_what_the_bundle_says_of_itself(bundle: Bundle) -> None:
    told = dataclasses.replace(bundle, measured={"parity": PARITY})
    right, verdict = accuracy_of(told, "small-int8.tflite"), parity_of(told)
    assert right is not None
    assert (right.value, right.total, right.data) == (0.99, 10_000, "mnist test")
    assert verdict is not None
    assert (verdict.passed, verdict.equal, verdict.compared) == (True, 9_999, 10_000)
    assert accuracy_of(told, "small-int8.onnx") is None


@pytest.mark.parametrize(
    "measured",
    [
        {}, {"parity": None}, {"parity": []}, {"parity": {"rows": 7, "passed": "yes"}},
        {"parity": {"rows": [None, 3, {"file": "small-int8.tflite", "accuracy": {"value": "high"}}]}},
        {"parity": json.loads('{"rows": [{"file": "small-int8.tflite", "accuracy": {"value": 7}}]}')},
    ],
)  # fmt: skip
def test_a_bundle_may_say_anything(bundle: Bundle, measured: dict[str, object]) -> None:
    told = dataclasses.replace(bundle, measured=measured)
    assert accuracy_of(told, "small-int8.tflite") is None
    assert parity_of(told) is None


def test_one_failing_stream_stops_all() -> None:
    from edgecnn.bench.throughput import _count

    calls = [0]

    def fails() -> None:
        calls[0] += 1
        if calls[0] > 100:
            raise ArgumentError("broken")

    with pytest.raises(EdgecnnError, match="broken"):
        _count([lambda: None, fails], 60)
