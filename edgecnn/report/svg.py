"""Plots as SVG text: few, readable on a phone and in the dark, with nothing from outside.

Each is drawn 360 units wide, so that a phone shows its texts at their own size; on a screen it grows. Colours are the
page's (`currentColor` and the variables --c0 ... --c5), so the page decides on light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from edgecnn.bench.result import Row
from edgecnn.report.bench import duration
from edgecnn.spec import Precision, Runtime

Scale = Callable[[float], float]
"""From a value to a place in the drawing."""

WIDTH = 360
LEFT = 44
RIGHT = 12
COLOURS = 6
"""Bundles beyond so many share colours; their names are on the points."""


def accuracy_against_latency(rows: Sequence[Row]) -> str:
    """Accuracy over median latency, with the front of those that nothing else beats in both.

    Args:
        rows: Rows of one result; those without accuracy are left out.

    Returns:
        An SVG element; empty with fewer than two points.
    """
    known = [row for row in rows if row.accuracy is not None]
    if len(known) < 2:
        return ""
    points = [(row.latency.p50.value, 100 * row.accuracy.value) for row in known if row.accuracy]
    height, top, bottom = 256, 26, 214
    across = _log_axis([x for x, _ in points])
    low, high, step = _linear([y for _, y in points])
    colours = _colours(rows)

    def place(x: float, y: float) -> tuple[float, float]:
        return across(x), bottom - (y - low) / (high - low) * (bottom - top)

    parts = list(_latency_grid([x for x, _ in points], across, top, bottom))
    for number in range(round((high - low) / step) + 1):
        value = low + number * step
        y = place(points[0][0], value)[1]
        parts.append(_line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        parts.append(_text(LEFT - 4, y + 3, f"{value:.{_digits(step)}f}", "end"))
    best = front(points)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*points[at]) for at in best))
    parts.append(f'<polyline class="front" points="{path}"/>')
    for at, (row, point) in enumerate(zip(known, points, strict=True)):
        x, y = place(*point)
        parts.append(_marker(x, y, row, colours[row.target.bundle], f"{point[1]:.2f} %, {duration(point[0])}"))
        if at in best:
            end = x > WIDTH * 0.6
            name = f"{row.target.bundle} {row.target.precision}"
            # Neighbours on the front lie close to each other: their names alternate between below and above.
            lift = 15 if best.index(at) % 2 == 0 else -8
            parts.append(_text(x - 2 if end else x + 2, y + lift, name, "end" if end else "start"))
    parts.append(_text((LEFT + WIDTH) / 2, height - 10, "median latency of an inference", "middle"))
    parts.append(_text(4, 10, "top-1, %", "start"))
    return _svg(height, "Accuracy against latency", parts)


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the Pareto front, by latency: no other point is both quicker and at least as accurate.

    Args:
        points: (latency, accuracy).
    """
    best: list[int] = []
    for at in sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1])):
        if not best or points[at][1] > points[best[-1]][1]:
            best.append(at)
    return best


def distributions(rows: Sequence[Row]) -> str:
    """How the latencies of each row spread around its median, one above the other.

    Args:
        rows: Rows of one result.
    """
    band, top, low, high = 30, 20, 0.8, 2.0
    height = top + band * len(rows) + 30
    colours = _colours(rows)

    def across(times: float) -> float:
        inside = min(max(times, low), high)
        return LEFT + (WIDTH - RIGHT - LEFT) * math.log(inside / low) / math.log(high / low)

    parts = []
    for times in (0.8, 0.9, 1.0, 1.2, 1.5, 2.0):
        parts.append(_line(across(times), top - 4, across(times), height - 26, "grid"))
        parts.append(_text(across(times), height - 14, f"{times:g} x", "middle"))
    for number, row in enumerate(rows):
        base = top + band * (number + 1) - 3
        parts.append(_curve(row, base, band - 12, across, colours[row.target.bundle]))
        name = f"{row.target.name}, {duration(row.latency.p50.value)}"
        parts.append(_text(WIDTH - RIGHT, base - band + 14, name, "end"))
    parts.append(_text((LEFT + WIDTH) / 2, height - 2, "latency / median of its row", "middle"))
    return _svg(height, "Distribution of the latencies", parts)


def scaling(rows: Sequence[Row]) -> str:
    """How much quicker an inference gets with more threads.

    Args:
        rows: Rows of one result.

    Returns:
        An SVG element; empty where only one number of threads was measured.
    """
    lines: dict[tuple[str, Precision, Runtime], list[Row]] = {}
    for row in rows:
        lines.setdefault((row.target.bundle, row.target.precision, row.target.runtime), []).append(row)
    counts = sorted({row.target.threads for row in rows})
    if len(counts) < 2:
        return ""
    height, bottom, top = 236, 192, 26
    colours = _colours(rows)
    speeds = [(row, _speed(row, line)) for line in lines.values() for row in line]
    most = max(1.25, *(speed for _, speed in speeds))

    def place(threads: int, speed: float) -> tuple[float, float]:
        share = math.log(threads / counts[0]) / math.log(counts[-1] / counts[0])
        return LEFT + 10 + share * (WIDTH - RIGHT - LEFT - 20), bottom - speed / most * (bottom - top)

    parts = []
    for number in range(math.floor(most) + 1):
        y = place(counts[0], number)[1]
        parts += [_line(LEFT, y, WIDTH - RIGHT, y, "grid"), _text(LEFT - 4, y + 3, f"{number} x", "end")]
    for count in counts:
        parts.append(_text(place(count, 0)[0], bottom + 14, str(count), "middle"))
    for line in lines.values():
        ordered = sorted(line, key=lambda row: row.target.threads)
        where = [place(row.target.threads, _speed(row, line)) for row in ordered]
        colour = colours[ordered[0].target.bundle]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in where)
        parts.append(f'<polyline class="line" style="stroke:var(--c{colour})" points="{path}"/>')
        parts += [
            _marker(x, y, row, colour, f"{_speed(row, line):.2f} x") for (x, y), row in zip(where, ordered, strict=True)
        ]
    parts.append(_text((LEFT + WIDTH) / 2, bottom + 30, "threads of an inference", "middle"))
    parts.append(_text(4, 10, f"speed, that with {counts[0]} = 1 x", "start"))
    return _svg(height, "Thread scaling", parts)


def legend(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Colour number and name of each bundle."""
    for name, colour in _colours(rows).items():
        yield colour, name


def _speed(row: Row, line: Sequence[Row]) -> float:
    fewest = min(line, key=lambda other: other.target.threads)
    return fewest.latency.p50.value / row.latency.p50.value


def _colours(rows: Sequence[Row]) -> dict[str, int]:
    names = dict.fromkeys(row.target.bundle for row in rows)
    return {name: number % COLOURS for number, name in enumerate(names)}


def _curve(row: Row, base: float, height: float, across: Scale, colour: int) -> str:
    latency = row.latency
    median = latency.p50.value or 1.0
    # Bins are of equal width on the logarithmic axis, so counts are densities there.
    most = max(latency.counts) or 1
    points = []
    for left, right, count in zip(latency.edges, latency.edges[1:], latency.counts, strict=False):
        y = base - count / most * height
        points += [(left, y), (right, y)]
    text = " ".join(f"{across(x / median):.1f},{y:.1f}" for x, y in points)
    first, last = (across(edge / median) for edge in (latency.edges[0], latency.edges[-1]))
    title = escape(f"{row.target.name}: {latency.queries:,} queries")
    return (
        f'<polygon class="area" style="fill:var(--c{colour})" points="{first:.1f},{base} {text} {last:.1f},{base}">'
        f"<title>{title}</title></polygon>" + _line(LEFT, base, WIDTH - RIGHT, base, "axis")
    )


def _log_axis(values: Sequence[float]) -> Scale:
    low, high = min(values) / 1.25, max(values) * 1.25

    def across(value: float) -> float:
        return LEFT + (WIDTH - RIGHT - LEFT) * math.log(value / low) / math.log(high / low)

    return across


def _latency_grid(values: Sequence[float], across: Scale, top: float, bottom: float) -> Iterator[str]:
    low, high = min(values) / 1.25, max(values) * 1.25
    steps = [m * 10.0**e for e in range(-3, 9) for m in (1, 2, 5)]
    inside = [step for step in steps if low <= step <= high]
    if len(inside) > 6:
        inside = [step for step in inside if f"{step:e}"[0] == "1"]
    for step in inside:
        x = across(step)
        yield _line(x, top, x, bottom, "grid")
        yield _text(x, bottom + 14, _tick(step), "middle")


def _tick(microseconds: float) -> str:
    for limit, factor, unit in ((1e3, 1.0, "us"), (1e6, 1e3, "ms")):
        if microseconds < limit * 0.9995:
            return f"{microseconds / factor:g} {unit}"
    return f"{microseconds / 1e6:g} s"


def _linear(values: Sequence[float]) -> tuple[float, float, float]:
    """Ends of an axis and its step: 1, 2 or 5 of a power of ten, three to seven of them."""
    low, high = min(values), max(values)
    span = max(high - low, 0.02)
    step = next(m * 10.0**e for e in range(-4, 3) for m in (1, 2, 5) if span / (m * 10.0**e) <= 5)
    first, last = math.floor(low / step), math.ceil(high / step)
    return round(first * step, 6), round(max(last, first + 1) * step, 6), step


def _digits(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _marker(x: float, y: float, row: Row, colour: int, text: str) -> str:
    """Round for LiteRT, square for ONNX Runtime; filled for int8, hollow for float32."""
    filled = row.target.precision is Precision.INT8
    style = f"stroke:var(--c{colour});fill:{f'var(--c{colour})' if filled else 'var(--paper)'}"
    title = f"<title>{escape(f'{row.target.name}: {text}')}</title>"
    if row.target.runtime is Runtime.LITERT:
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="4" style="{style}">{title}</circle>'
    return f'<rect class="mark" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" style="{style}">{title}</rect>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, label: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
    return head + "".join(parts) + "</svg>"
