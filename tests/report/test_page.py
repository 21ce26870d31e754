from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from edgecnn.bench.result import BenchResult, Doubt
from edgecnn.report import svg
from edgecnn.report.markdown import to_markdown
from edgecnn.report.page import to_html

VOID = {"meta", "br", "link", "img", "line", "circle", "rect", "polyline", "polygon"}
EVIL = "<script>alert(1)</script>\"'&|`*_"


def around(centre: float, seed: int) -> list[float]:
    return (centre * np.random.default_rng(seed).normal(1, 0.02, 300)).tolist()


@pytest.fixture
def result(bench_result: Callable[..., BenchResult]) -> BenchResult:
    rows = {
        f"{bundle} {precision} {runtime} {threads}": around(time / threads**0.5, seed)
        for seed, (bundle, time) in enumerate({"digits": 60.0, "tiny": 8.0}.items())
        for precision in ("float32", "int8")
        for runtime in ("litert", "onnx")
        for threads in (1, 2, 4)
    }
    return bench_result(rows)


class Checker(HTMLParser):
    """Collects tags, attributes and text, and checks that elements are closed in the order in which they opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_is_whole(result: BenchResult) -> None:
    page = Checker(to_html([result], title="A title"))
    assert page.open == []
    assert page.tags.count("svg") == 3
    for words in ("A title", "digits int8 litert 1T", "99.61 %", "Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76",
                  "edgecnn bench digits", "equal bit for bit on 10,000 of 10,000", "MLPerf" if result.plan.name ==
                  "thorough" else "quick way", "No reason to doubt"):  # fmt: skip
        assert words in page.words, words


def test_nothing_comes_from_outside(result: BenchResult) -> None:
    text = to_html([result])
    page = Checker(text)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(page.tags)
    assert not {"src", "href", "onload", "onclick"} & {name for name, _ in page.attributes}
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert re.findall(r"https?://", text) == []


def test_text_from_a_result_is_text(result: BenchResult) -> None:
    row = dataclasses.replace(result.rows[0], target=dataclasses.replace(result.rows[0].target, bundle=EVIL))
    evil = dataclasses.replace(
        result, rows=(row, *result.rows[1:]), command=EVIL, notes=(EVIL,), doubts=(Doubt("busy", EVIL, EVIL),),
        machine=dataclasses.replace(result.machine, cpu=EVIL, board=EVIL), started=EVIL,
        parity=(dataclasses.replace(result.parity[0], data=EVIL, reasons=(EVIL,)),),
    )  # fmt: skip
    page = Checker(to_html([evil, evil], title=EVIL))
    assert "script" not in page.tags
    assert page.open == []
    assert page.words.count(EVIL) > 5
    markdown = to_markdown([evil, evil], title=EVIL)
    assert "<script" not in re.sub(r"````.*?````", "", markdown, flags=re.DOTALL).replace(f"\n{EVIL}\n", "")


def test_an_interrupted_and_a_doubtful_run_say_so(result: BenchResult) -> None:
    doubts = tuple(Doubt("spread", f"reason {n}", f"row {n}") for n in range(9))
    told = dataclasses.replace(result, complete=False, doubts=doubts)
    for text in (to_html([told]), to_markdown([told])):
        assert "interrupted" in text
        assert "reason 8" in text


def test_several_results_side_by_side(result: BenchResult, bench_result: Callable[..., BenchResult]) -> None:
    other = bench_result({"digits int8 litert 1": around(200, 5)}, started="2026-12-01T00:00:00+00:00")
    text = Checker(to_html([result, other])).words
    assert "Medians side by side" in text
    assert "2. Raspberry Pi 5 Model B Rev 1.0, 2026-12-01" in text


def test_a_result_of_one_row_without_accuracy(bench_result: Callable[..., BenchResult]) -> None:
    one = bench_result({"x int8 onnx 1": [5.0] * 4}, parity=(), command="")
    bare = dataclasses.replace(one, rows=(dataclasses.replace(one.rows[0], accuracy=None, start=None),))
    page = Checker(to_html([bare]))
    assert page.tags.count("svg") == 1  # one point makes no front, one number of threads no scaling
    assert "Parity" not in page.words
    assert to_markdown([bare]).startswith("# edgecnn bench report\n")


def test_markdown_tables_have_as_many_cells_as_heads(result: BenchResult) -> None:
    lines = [line for line in to_markdown([result]).splitlines() if line.startswith("|")]
    widths = [len(re.split(r"(?<!\\)\|", line)) for line in lines]
    tables = [(width, at) for at, width in enumerate(widths) if set(lines[at]) == {"|", "-"}]
    assert len(tables) >= 3
    for width, at in tables:
        assert widths[at - 1] == width == widths[at + 1]


def test_sentences_of_a_caption_stay_apart(result: BenchResult) -> None:
    """Its lines have no full stop of their own: run together, a version would go on as a sentence."""
    last = f"{list(result.machine.versions.values())[-1]}"
    markdown = to_markdown([result])
    assert f"{last} quick:" not in markdown
    assert f"{last}  \nquick: 2 s and at least" in markdown
    page = to_html([result])
    assert f"{last}\nquick:" not in page
    assert f"{last}<br>quick: 2 s and at least" in page


def test_front() -> None:
    points = [(5.0, 98.5), (6.0, 98.4), (20.0, 99.6), (20.0, 99.5), (50.0, 99.6), (60.0, 99.7)]
    assert svg.front(points) == [0, 2, 5]


@pytest.mark.parametrize("values", [[99.6, 99.6], [0.0, 100.0], [98.43, 99.64], [99.6, 99.61]])
def test_axis_has_a_few_round_steps(values: list[float]) -> None:
    low, high, step = svg._linear(values)
    assert low <= min(values) <= max(values) <= high
    assert 1 <= round((high - low) / step) <= 7


def test_numbers_in_a_plot_are_numbers(result: BenchResult) -> None:
    for plot in (svg.accuracy_against_latency(result.rows), svg.distributions(result.rows), svg.scaling(result.rows)):
        assert "nan" not in plot.lower()
        for value in re.findall(r' (?:x|y|cx|cy|x1|x2|y1|y2)="([^"]+)"', plot):
            assert -1 <= float(value) <= 1200


def test_a_phone_shows_it_without_scrolling_sideways(
    result: BenchResult, tmp_path: Path, program: Callable[[str], Path]
) -> None:
    import cv2

    page, shot = tmp_path / "r.html", tmp_path / "shot.png"
    page.write_text(to_html([result]))
    done = subprocess.run(
        [program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--no-first-run", "--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}",
         "--force-device-scale-factor=1", "--window-size=500,1600", f"--screenshot={shot}", page.as_uri()],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    picture = cv2.imread(str(shot))
    assert picture is not None, done.stderr[-1000:]
    assert picture.shape == (1600, 500, 3)
    margin = picture[:, -10:].astype(int)
    assert (abs(margin - margin[0, 0]).max(axis=(1, 2)) < 8).mean() > 0.999, "something reaches the right edge"
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
