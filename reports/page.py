"""The report as one static page: no scripts, nothing from elsewhere, understood in half a minute."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from reports import checking, restores, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reports.record import ObjectiveRecord, Record

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.45 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto; padding: 1.5rem;
  max-width: 74rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.verdict { border-left: .6rem solid; padding: .8rem 1rem; margin: 0 0 1rem; background: #f6f6f6; }
.verdict strong { font-size: 1.9rem; display: block; letter-spacing: .04em; }
.PASSED { border-color: #00785a; } .UNKNOWN { border-color: #b87a00; } .FAILED { border-color: #b8420a; }
td.PASSED { color: #00654c; } td.UNKNOWN { color: #8a5a00; } td.FAILED { color: #a33700; }
td.PASSED, td.UNKNOWN, td.FAILED { font-weight: 700; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: #555; padding: .2rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-bottom: 1px solid #ddd; }
th { font-weight: 600; color: #555; }
td.at { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f6f6; padding: .6rem; }
small, .quiet { color: #555; } img { width: 100%; height: auto; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem; }
@media (max-width: 44rem) { thead { display: none; } tr, td { display: block; border: 0; }
  tr { border-bottom: 1px solid #ddd; padding: .4rem 0; } td { padding: .1rem 0; }
  td.at { text-align: left; } }
@media print { body { padding: 0; max-width: none; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


def page(record: Record, chart_svg: bytes | None, chart_words: str = "") -> str:
    """Return the page. Without requests there is no chart."""
    body = "\n".join((
        _verdict(record), _promises(record), _chart(chart_svg, chart_words), _discrepancies(record),
        restores.lost_section(record["lost"]), restores.runbook_section(record["runbook"]),
        _happened(record), _figures(record), _compared(record), _staging(record), _not_shown(record),
        checking.section(),
    ))  # fmt: skip
    return framed(f"{record['drill']}: {record['verdict']}", body)


def framed(title: str, body: str) -> str:
    """Return a whole page around a body, in our style, which nothing else can load into or run in."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def objective_table(record: Record) -> str:
    """Return the promises as a table, for this page and for Allure."""
    rows = [_promise_row(objective) for objective in record["preconditions"] + record["objectives"]]
    return _table(("promise", "measured", "limit", "clause", "verdict"), rows)


def table(heads: Iterable[str], cells: Iterable[Iterable[str]]) -> str:
    """Return a table of plain text."""
    return _table(heads, [_row(*row) for row in cells])


def _policy() -> str:
    """Allow our own style, by its hash, and images from the page itself: nothing else can load or run."""
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    sources = f"style-src 'sha256-{style}'; img-src data:"
    return f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"


def _verdict(record: Record) -> str:
    verdict, staging = record["verdict"], record["staging"]
    why = words.headline(verdict, record["preconditions"] + record["objectives"], record["reasons"])
    planted = f", with planted defects: {', '.join(staging['defects'])}" if staging["defects"] else ""
    load = f"{record['rate_per_s']:,g} requests/s, {record['load']['requests']:,} in all"
    return (
        f"<h1>{escape(record['title'])}</h1>\n"
        f'<div class="verdict {verdict}"><strong>{verdict}</strong>{escape(why)}</div>\n'
        f'<p class="quiet">Drill {escape(record["drill"])}, run {escape(record["run"])}, '
        f"{escape(str(record['zero']['utc'] or 'at an unknown time'))}. On {escape(staging['name'])} in "
        f"{escape(staging['region'])}{escape(planted)}. {load}.</p>"
    )


def _promises(record: Record) -> str:
    if not record["objectives"]:
        reasons = "".join(f"<li>{escape(reason)}</li>" for reason in record["reasons"])
        return f"<h2>Nothing was judged</h2>\n<ul>{reasons}</ul>"
    return f"<h2>What was promised, and what was measured</h2>\n{objective_table(record)}"


def _promise_row(objective: ObjectiveRecord) -> str:
    measured, verdict = objective["measured"], objective["verdict"]
    return (
        f"<tr><td>{escape(objective['name'])}<br><small>{escape(objective['promise'])}</small></td>"
        f"<td>{escape(words.interval(measured))}<br><small>{escape(measured['note'])}</small></td>"
        f"<td>{escape(words.limit(objective))}</td><td>{escape(objective['clause'])}</td>"
        f'<td class="{verdict}">{verdict}</td></tr>'
    )


def _chart(chart_svg: bytes | None, chart_words: str) -> str:
    if chart_svg is None:
        return ""
    source = base64.b64encode(chart_svg).decode()
    return (
        "<h2>The load over time</h2>\n"
        f'<img src="data:image/svg+xml;base64,{source}" alt="{escape(chart_words)}">\n'
        '<p class="quiet">The numbers are in chart.csv beside this page.</p>'
    )


def _discrepancies(record: Record) -> str:
    total, first = record["discrepancies"]["total"], record["discrepancies"]["first"]
    if not total:
        return ""
    rows = [_row(found["kind"], found["key"], found["detail"]) for found in first]
    heading = f"<h2>Where the books do not agree: {total:,}</h2>\n"
    return heading + _table(("what", "where", "detail"), rows, f"The first {len(first)} of {total:,}.")


def _happened(record: Record) -> str:
    rows = [
        f'<tr><td class="at">{words.moment(line["at_s"])}</td><td>{escape(line["what"])}</td>'
        f"<td><small>{escape(words.utc_clock(line['utc']))}</small></td></tr>"
        for line in record["timeline"]
    ]
    since = "the injection" if record["zero"]["is"] == "injection" else "the start; nothing was injected"
    return f"<h2>What happened</h2>\n{_table(('', 'what', 'UTC'), rows, f'Counted from {since}.')}"


def _figures(record: Record) -> str:
    rows = [
        _row(figure["name"], words.interval(figure["measured"]), figure["measured"]["note"])
        for figure in record["figures"]
    ]
    heading = "<h2>Not promised, but good to know</h2>\n"
    return heading + _table(("figure", "measured", ""), rows) if rows else ""


def _staging(record: Record) -> str:
    staging, bite, fault = record["staging"], record["bite"], record["fault"]
    versions = {**record["versions"], **staging["versions"]}
    facts = {
        "Fault": f"{fault['name']} into {', '.join(fault['targets'])}" if fault else "none was injected",
        "Proof that it bit": bite["evidence"] if bite["confirmed"] else f"NONE: {bite['evidence']}",
        "Staging": f"{staging['name']}, account {staging['account']}, {staging['region']}",
        "Isolation": staging["isolation"],
        "Timings": staging["timings"],
        "Planted defects": ", ".join(staging["defects"]) or "none",
        "Left running": words.left(record["left"]),
        "Seed": str(record["seed"]),
        "Experiment": record["experiment"],
        "Versions": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
    }
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f"<h2>How it was done</h2>\n<dl>{listed}</dl>"


def _compared(record: Record) -> str:
    rows = [
        _row(
            f"{one['name']}, {one['unit']}",
            "" if one["now"] is None else f"{one['now']:.3g}",
            one["said"],
            one["why"],
        )
        for one in record["compared"]
    ]
    heading = "<h2>Beside earlier runs of the same drill</h2>\n"
    return heading + _table(("duration", "this run", "", ""), rows) if rows else ""


def _not_shown(record: Record) -> str:
    items = "".join(f"<li>{escape(limit)}</li>" for limit in record["not_shown"])
    return f"<h2>What this run does not show</h2>\n<ul>{items}</ul>" if items else ""


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _table(heads: Iterable[str], rows: list[str], caption: str = "") -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{told}<thead><tr>{head}</tr></thead>\n<tbody>{''.join(rows)}</tbody></table>"
