"""A report as one HTML file that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from edgecnn.bench.result import BenchResult
from edgecnn.report import svg
from edgecnn.report.bench import Table, plan_line, tables
from edgecnn.report.content import TITLE, comparison, facts, heading, headline, overview, parity_line, trust

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#5b6470;--rule:#d9dee4;--band:#f5f7f9;--good:#0a7a43;
--bad:#b3261e;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#a0508a;--c4:#8a6d00;--c5:#3d7ea6}
@media(prefers-color-scheme:dark){:root{--paper:#14181d;--ink:#e6e9ed;--soft:#9aa5b1;--rule:#313942;--band:#1c2229;
--good:#4cc38a;--bad:#ff8a80;--c0:#56b4e9;--c1:#f08c4a;--c2:#3fc79a;--c3:#d78cc0;--c4:#e6c229;--c5:#8fc1e3}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem}
p{margin:.5rem 0}.soft,figcaption,caption{color:var(--soft);font-size:.875rem}
.lead{font-size:1.1rem}.bad{color:var(--bad);font-weight:600}.good{color:var(--good);font-weight:600}
.scroll{overflow-x:auto;margin:.5rem 0;border:1px solid var(--rule);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .6rem;text-align:left;white-space:nowrap;border-bottom:1px solid var(--rule)}
tr:last-child td{border-bottom:0}th{background:var(--band);font-weight:600}
td.number,th.number{text-align:right}.facts td{white-space:normal;vertical-align:top}
.facts td:first-child{white-space:nowrap}
th:first-child,td:first-child{position:sticky;left:0;background:var(--paper)}th:first-child{background:var(--band)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1rem}
figure{margin:0;padding:.5rem;border:1px solid var(--rule);border-radius:6px;align-self:start}
svg{width:100%;height:auto;font:11px system-ui,sans-serif;display:block}svg text{fill:var(--soft)}
.grid{stroke:var(--rule);stroke-width:.6}.axis{stroke:var(--soft);stroke-width:.6}.mark{stroke-width:2}
.front{fill:none;stroke:var(--soft);stroke-width:1.2;stroke-dasharray:4 3}.line{fill:none;stroke-width:1.5}
.area{opacity:.85}.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.35em}
.keys span{margin-right:1em;white-space:nowrap}
pre{background:var(--band);padding:.75rem;border-radius:6px;overflow-x:auto;font-size:.875rem}
details{margin:.5rem 0}summary{cursor:pointer;padding:.35rem 0}ul{padding-left:1.2rem;margin:.25rem 0}
"""

SEEN = 3
"""Reasons to doubt that are seen without unfolding."""


def to_html(results: Sequence[BenchResult], *, title: str = TITLE) -> str:
    """The HTML page of one or several results.

    Args:
        results: At least one.
        title: Its head.

    Returns:
        The text of the file. Everything that comes from a result is escaped; scripts and foreign addresses are
        forbidden by its own policy.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>",
    ]
    if len(results) > 1:
        parts.append(_table(comparison(results)))
    for number, result in enumerate(results, 1):
        if len(results) > 1:
            parts.append(f"<h1>{escape(heading(number, result))}</h1>")
        parts += _result(result)
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _result(result: BenchResult) -> Iterator[str]:
    yield f'<p class="lead">{escape(headline(result))}</p>'
    if not result.complete:
        yield '<p class="bad">This run was interrupted; the figures are what was measured until then.</p>'
    yield _table(overview(result))
    yield f'<p class="soft">{escape(plan_line(result))}</p>'
    yield "<h2>Can it be trusted?</h2>"
    yield _list(list(trust(result)))
    yield "<h2>Plots</h2>" + _keys(result) + '<div class="plots">'
    captions = {
        svg.accuracy_against_latency(result.rows): "Up and to the left is better. Dashed: the Pareto front; nothing "
        "measured is both quicker and at least as accurate.",
        svg.distributions(result.rows): "Each row around its own median; what is off the scale stands at its ends.",
        svg.scaling(result.rows): "Median of the fewest threads divided by the median.",
    }
    for plot, caption in captions.items():
        if plot:
            yield f"<figure>{plot}<figcaption>{escape(caption)}</figcaption></figure>"
    yield "</div>"
    if result.parity:
        yield "<h2>Parity</h2><p>Do the artefacts answer as the model that they were made from?</p><ul>"
        for parity in result.parity:
            mark = "good" if parity.passed else "bad"
            yield f'<li class="{mark}">{escape(parity_line(parity))}</li>'
        yield "</ul>"
    yield _table(facts(result), kind="facts")
    yield "<h2>All figures</h2>"
    for table in tables(result):
        yield f"<details><summary>{escape(table.title)}</summary>{_table(table, head=False)}</details>"
    if result.command:
        yield f"<h2>Made by</h2><pre>{escape(result.command)}</pre>"


def _list(lines: Sequence[str]) -> str:
    """A list of which the first lines are seen and the rest is folded away."""
    seen, folded = ("".join(f"<li>{escape(line)}</li>" for line in part) for part in (lines[:SEEN], lines[SEEN:]))
    more = f"<details><summary>and {len(lines) - SEEN} more</summary><ul>{folded}</ul></details>" if folded else ""
    return f"<ul>{seen}</ul>{more}"


def _keys(result: BenchResult) -> str:
    bundles = "".join(
        f'<span><i class="key" style="background:var(--c{colour})"></i>{escape(name)}</span>'
        for colour, name in svg.legend(result.rows)
    )
    return f'<p class="soft keys">{bundles}<span>● int8</span><span>○ float32</span><span>round LiteRT</span>' + (
        "<span>square ONNX Runtime</span><span>1T: one thread</span></p>"
    )


def _table(table: Table, *, head: bool = True, kind: str = "") -> str:
    numeric = [_is_numeric([row[at] for row in table.rows]) for at in range(len(table.columns))]
    classes = [' class="number"' if flag else "" for flag in numeric]
    heads = "".join(f"<th{mark}>{escape(name)}</th>" for mark, name in zip(classes, table.columns, strict=True))
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{mark}>{'-' if cell is None else escape(cell)}</td>" for mark, cell in zip(classes, row, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    title = f"<h2>{escape(table.title)}</h2>" if head else ""
    top = f"<thead><tr>{heads}</tr></thead>" if any(table.columns) else ""
    caption = "<br>".join(map(escape, table.caption.splitlines()))
    below = f'<p class="soft">{caption}</p>' if caption else ""
    return f'{title}<div class="scroll"><table class="{kind}">{top}<tbody>{body}</tbody></table></div>{below}'


def _is_numeric(cells: Sequence[str | None]) -> bool:
    return all(cell is None or cell[:1].isdigit() for cell in cells) and any(cells)
