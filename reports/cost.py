"""What a drill cost: time, answers that customers did not get, error budget, changes, money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports import markup, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.record import Record

_BUDGET = "error budget"
_NOT_MEASURED = "not measured by the drill: look in the account's bill, by the tags of the targets"


def section(record: Record) -> str:
    """Return the page's section."""
    return markup.section("What it cost", markup.table(("what", "how much"), _rows(record)))


def _rows(record: Record) -> Iterator[tuple[str, str]]:
    phases, load = record["phases"], record["load"]
    if phases:
        yield (
            "time, from the first phase to the last",
            f"{phases[-1]['until_s'] - phases[0]['from_s']:,.0f} s",
        )
    yield "time with the fault in place", _broken_for(record)
    yield "requests sent", f"{load['requests']:,}"
    yield "requests without a good answer", f"{load['failed'] + load['unknown']:,}"
    for figure in record["figures"]:
        if _BUDGET in figure["name"]:
            yield figure["name"], words.interval(figure["measured"])
    calls = [line["what"] for line in record["timeline"] if line["what"].startswith("called ")]
    yield "changes asked of the account (request ids: see what happened)", f"{len(calls):,}"
    yield "left running that costs money", words.left(record["left"])
    is_double = record["staging"]["isolation"] != "aws"
    yield "money", "none: this staging is a double on one machine" if is_double else _NOT_MEASURED


def _broken_for(record: Record) -> str:
    """From the injection until the last healing ended; the timeline has both."""
    if record["fault"] is None:
        return "none was injected"
    heals = [phase for phase in record["phases"] if phase["name"] == "heal"]
    return f"{heals[-1]['until_s']:,.0f} s" if heals else "until it was stopped"
