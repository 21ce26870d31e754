"""Draw benchmarks/results/arm-instructions.json; to be called as plot.py RECORD.json PLOT.svg.

A panel a CPU; from left to right the nets, the cheapest first. A line leads from a net's float32 artefact (hollow) to
its int8 artefact (filled), and says what share of the instructions is left. Runs with the Python of .venv.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from edgecnn.files import write_atomically

RUNTIMES = {"litert": ("LiteRT (.tflite)", "o", "#0b6e4f"), "onnx": ("ONNX Runtime (.onnx)", "s", "#b3541e")}
"""Name, marker and colour of each runtime."""
SHIFT = 0.16
"""How far a runtime's marks stand beside the middle of their net."""
Counts = dict[tuple[str, str, str, str], float]
"""Instructions by CPU, net, runtime and precision."""


def counts_of(rows: list[dict[str, Any]]) -> Counts:
    """The counts of a record's rows."""
    return {(r["cpu"], r["bundle"], r["runtime"], r["precision"]): float(r["instructions"]["all"]) for r in rows}


def order(counts: Counts) -> list[str]:
    """The nets, the one with the fewest instructions first."""
    least: dict[str, float] = {}
    for (_, net, _, _), number in counts.items():
        least[net] = min(number, least.get(net, number))
    return sorted(least, key=lambda net: least[net])


def draw(rows: list[dict[str, Any]]) -> bytes:
    """The plot as SVG; the same rows give the same bytes with the same Matplotlib."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "edgecnn", "svg.fonttype": "none", "font.size": 9}
    from matplotlib import pyplot
    from matplotlib.lines import Line2D

    counts = counts_of(rows)
    cpus, nets = list(dict.fromkeys(row["cpu"] for row in rows)), order(counts)
    figure, panels = pyplot.subplots(1, len(cpus), figsize=(3.6 * len(cpus), 4.6), sharey=True, layout="constrained",
                                     squeeze=False)  # fmt: skip
    for panel, cpu in zip(panels[0], cpus, strict=True):
        _panel(panel, counts, cpu, nets)
    panels[0][0].set_ylabel("million instructions of one inference")
    marks = [Line2D([], [], color=colour, marker=marker, label=name) for name, marker, colour in RUNTIMES.values()]
    marks += [Line2D([], [], color="#555", marker="o", linestyle="", mfc=fill, label=name)
              for name, fill in (("float32", "white"), ("int8, and its share", "#555"))]  # fmt: skip
    figure.legend(handles=marks, loc="outside upper center", ncols=len(marks), frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="white")
    pyplot.close(figure)
    return buffer.getvalue()


def _panel(panel: Any, counts: Counts, cpu: str, nets: list[str]) -> None:
    """One CPU's nets."""
    from matplotlib import ticker

    panel.set_title(cpu)
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g}")
    panel.yaxis.set_minor_locator(ticker.NullLocator())
    panel.grid(axis="y", color="#ddd")
    panel.set_axisbelow(True)
    panel.set_xticks(range(len(nets)), nets, rotation=40, ha="right", rotation_mode="anchor")
    for place, net in enumerate(nets):
        for runtime, (_, marker, colour) in RUNTIMES.items():
            x = place + (SHIFT if runtime == "onnx" else -SHIFT)
            before, after = (counts.get((cpu, net, runtime, precision)) for precision in ("float32", "int8"))
            if before and after:
                panel.plot([x, x], [before, after], color=colour, linewidth=1.2, zorder=2)
                below = after <= before
                side = 1 if runtime == "litert" else -1  # the texts of a net's two runtimes lead away from each other
                panel.annotate(f"{after / before:.2f}", (x, after), (4 * side, -6 if below else 6),
                               textcoords="offset points", ha="right" if side > 0 else "left",
                               va="top" if below else "bottom", fontsize=6, color=colour)  # fmt: skip
            for number, fill in ((before, "white"), (after, colour)):
                if number is not None:
                    panel.plot([x], [number], marker=marker, color=colour, mfc=fill, markersize=5, zorder=3)


def main() -> None:
    """Read the record, write the plot."""
    record, plot = map(Path, sys.argv[1:])
    write_atomically(plot, draw(json.loads(record.read_text())["rows"]))


if __name__ == "__main__":
    main()
