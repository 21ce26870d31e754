"""A report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edgecnn.bench.result import BenchResult
from edgecnn.report.bench import Table, plan_line, tables
from edgecnn.report.content import TITLE, comparison, facts, heading, headline, overview, parity_line, trust

_ESCAPES = str.maketrans({**{mark: f"\\{mark}" for mark in "\\`*_[]|#"}, "<": "&lt;", ">": "&gt;", "&": "&amp;"})


def to_markdown(results: Sequence[BenchResult], *, title: str = TITLE) -> str:
    """The same report as Markdown, without the plots.

    Args:
        results: At least one.
        title: Its head.
    """
    parts = [f"# {_plain(title)}"]
    if len(results) > 1:
        parts.append(_markdown_table(comparison(results)))
    for number, result in enumerate(results, 1):
        if len(results) > 1:
            parts.append(f"# {_plain(heading(number, result))}")
        parts += _markdown_result(result)
    return "\n\n".join(parts) + "\n"


def _markdown_result(result: BenchResult) -> Iterator[str]:
    yield _plain(headline(result))
    if not result.complete:
        yield "**This run was interrupted; the figures are what was measured until then.**"
    yield _markdown_table(overview(result))
    yield _plain(plan_line(result))
    yield "## Can it be trusted?"
    yield "\n".join(f"- {_plain(line)}" for line in trust(result))
    if result.parity:
        yield "## Parity\n\n" + "\n".join(f"- {_plain(parity_line(parity))}" for parity in result.parity)
    yield (
        "## "
        + facts(result).title
        + "\n\n"
        + "\n".join(f"- {_plain(name or '')}: {_plain(value or '')}" for name, value in facts(result).rows)
    )
    for table in tables(result):
        yield _markdown_table(table)
    if result.command:
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", result.command)), default=0))
        yield f"## Made by\n\n{fence}\n{result.command}\n{fence}"


def _markdown_table(table: Table) -> str:
    lines = [
        "| " + " | ".join(_plain(name) for name in table.columns) + " |",
        "|" + "---|" * len(table.columns),
        *("| " + " | ".join("-" if cell is None else _plain(cell) for cell in row) + " |" for row in table.rows),
    ]
    # Two spaces at its end keep a line of the caption a line; most end without a full stop.
    caption = "\n\n" + "  \n".join(map(_plain, table.caption.splitlines())) if table.caption else ""
    return f"## {_plain(table.title)}\n\n" + "\n".join(lines) + caption


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return " ".join(text.split()).translate(_ESCAPES)
