"""The report as one static page: no scripts, nothing from elsewhere, understood in half a minute."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from reports import checking, cost, deviations, glance, instrument, markup, noticed, restores, strips, words

if TYPE_CHECKING:
    from reports.pictures import Picture
    from reports.record import ObjectiveRecord, Record


def page(record: Record, drawn: Picture | None) -> str:
    """Return the page. Without requests nothing is drawn."""
    body = "\n".join(filter(None, (
        _verdict(record), glance.tiles(record), _promises(record), _about(record),
        _chart(drawn), _way_back(record), noticed.section(record), restores.lost_section(record["lost"]),
        _discrepancies(record), restores.runbook_section(record["runbook"]), deviations.section(record),
        _happened(record), _figures(record), _compared(record), cost.section(record), _in_words(record),
        _staging(record), _not_shown(record), checking.section(),
    )))  # fmt: skip
    return markup.framed(f"{record['drill']}: {record['verdict']}", body)


def objective_table(record: Record) -> str:
    """Return the promises as a table, for this page and for Allure: one line each."""
    heads = ("promise", "measured", "limit", "clause", "verdict")
    rows = [
        (
            one["name"], words.interval(one["measured"]), words.limit(one), one["clause"],
            markup.verdict(one["verdict"]),
        )
        for one in _all(record)
    ]  # fmt: skip
    return markup.table(heads, rows)


def _all(record: Record) -> list[ObjectiveRecord]:
    return record["preconditions"] + record["objectives"]


def _verdict(record: Record) -> str:
    verdict = record["verdict"]
    why = words.headline(verdict, _all(record), record["reasons"])
    return (
        f"<h1>{escape(record['title'])}</h1>\n"
        f'<div class="verdict {verdict}"><strong>{verdict}</strong> {escape(why)}</div>'
    )


def _about(record: Record) -> str:
    staging = record["staging"]
    planted = f", with planted defects: {', '.join(staging['defects'])}" if staging["defects"] else ""
    load = f"{record['rate_per_s']:,g} requests/s, {record['load']['requests']:,} in all"
    return (
        f'<p class="quiet">Drill {escape(record["drill"])}, run {escape(record["run"])}, '
        f"{escape(words.utc_moment(record['zero']['utc']))}. On {escape(staging['name'])} in "
        f"{escape(staging['region'])}{escape(planted)}. {load}.</p>"
    )


def _promises(record: Record) -> str:
    if record["objectives"]:
        return markup.section("What was promised, and what was measured", objective_table(record))
    return markup.section("Nothing was judged", markup.listed(record["reasons"]))


def _in_words(record: Record) -> str:
    rows = [
        (one["name"], markup.text(one["promise"], f"Clause {one['clause']}"), one["measured"]["note"])
        for one in _all(record)
    ]
    body = markup.table(("promise", "as it is written", "how it was measured"), rows) if rows else ""
    return markup.section("The promises in words", body)


def _chart(drawn: Picture | None) -> str:
    if drawn is None:
        return ""
    told = "Every request of the drill, by the time at which it was meant to start. Also in chart.csv."
    body = markup.picture(drawn.svg, drawn.words) + drawn.by_phase + drawn.step_by_step
    return markup.section("The load over time", body, told)


def _way_back(record: Record) -> str:
    drawn = strips.recovery(record)
    if drawn is None:
        return ""
    picture, told = drawn
    return markup.section("The way back to service", markup.picture(picture, told), told)


def _discrepancies(record: Record) -> str:
    total, first = record["discrepancies"]["total"], record["discrepancies"]["first"]
    rows = [(found["kind"], found["key"], found["detail"]) for found in first]
    body = markup.table(("what", "where", "detail"), rows, f"The first {len(first)} of {total:,}.")
    return markup.section(f"Where the books do not agree: {total:,}", body if total else "")


def _happened(record: Record) -> str:
    rows = [
        (markup.number(words.moment(line["at_s"])), line["what"], words.utc_clock(line["utc"]))
        for line in record["timeline"]
    ]
    since = "the injection" if record["zero"]["is"] == "injection" else "the start; nothing was injected"
    body = markup.table(("when", "what", "UTC"), rows, f"Counted from {since}.")
    return markup.section("What happened", body)


def _figures(record: Record) -> str:
    rows = [
        (figure["name"], words.interval(figure["measured"]), figure["measured"]["note"])
        for figure in record["figures"]
    ]
    body = markup.table(("figure", "measured", "how"), rows) if rows else ""
    return markup.section("Not promised, but good to know", body)


def _staging(record: Record) -> str:
    staging, bite, fault = record["staging"], record["bite"], record["fault"]
    versions = {**record["versions"], **staging["versions"]}
    facts = {
        "Fault": f"{fault['name']} into {', '.join(fault['targets'])}" if fault else "none was injected",
        "Proof that it bit": bite["evidence"] if bite["confirmed"] else f"NONE: {bite['evidence']}",
        "Run by": ", ".join(f"{name} {who}" for name, who in record["executor"].items()) or "nobody said",
        "Code": f"commit {record['code']['commit']}, tree {record['code']['tree']}",
        "Staging": f"{staging['name']}, account {staging['account']}, {staging['region']}",
        "Isolation": staging["isolation"],
        "Timings": staging["timings"],
        "Planted defects": ", ".join(staging["defects"]) or "none",
        "Left running": words.left(record["left"]),
        "Seed": str(record["seed"]),
        "Experiment": record["experiment"],
        "The instrument": "; ".join(instrument.sentences(record.get("instrument", {}))),
        "Versions": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
    }
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return markup.section("How it was done", f"<dl>{listed}</dl>")


def _compared(record: Record) -> str:
    rows = [
        (
            f"{one['name']}, {one['unit']}", "-" if one["now"] is None else f"{one['now']:.3g}",
            one["said"], one["why"], ", ".join(f"{run['value']:.3g}" for run in one["earlier"]) or "-",
        )
        for one in record["compared"]
    ]  # fmt: skip
    if not rows:
        return ""
    drawn = strips.trend(record)
    heads = ("duration", "this run", "said", "why", "earlier runs, the oldest first")
    body = (markup.picture(*drawn) if drawn else "") + markup.table(heads, rows)
    return markup.section("Beside earlier runs of the same drill", body)


def _not_shown(record: Record) -> str:
    return markup.section("What this run does not show", markup.listed(record["not_shown"]))
