"""What people did by a runbook, step by step, and what was lost for good, one by one."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, TypedDict

from reports import markup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blackstart.history import History

LOST_SHOWN = 20
LOST_COLUMNS = ("key", "debit", "credit", "cents", "acknowledged_s", "explained")


class RunbookRecord(TypedDict):
    """The last runbook that was followed in a drill."""

    name: str
    outcome: str
    seconds: float | None
    recovery_point: str | None
    steps: list[dict[str, Any]]
    refused: list[dict[str, str]]


class LostRecord(TypedDict):
    """How many acknowledged transfers are gone, and the first of them; all of them are in lost.csv."""

    total: int
    first: list[dict[str, Any]]


def runbook(history: History) -> RunbookRecord | None:
    """Return what was done by a runbook, None when none was followed."""
    start = history.event("runbook.start")
    if start is None:
        return None
    end = history.event("runbook.end")
    points = [
        str(event.detail["recovery_point"]) for event in history.events if event.kind == "restore.point"
    ]
    return RunbookRecord(
        name=str(start.detail["runbook"]).rpartition(":")[2],
        outcome=str(end.detail["outcome"]) if end else "never ended",
        seconds=end.detail.get("seconds") if end else None,
        recovery_point=points[-1] if points else None,
        steps=[
            {name: event.detail[name] for name in ("step", "outcome", "seconds", "detail")}
            for event in history.events
            if event.kind == "runbook.step"
        ],
        refused=[
            {name: str(event.detail[name]) for name in ("recovery_point", "why")}
            for event in history.events
            if event.kind == "restore.refused"
        ],
    )


def lost(transfers: Sequence[Mapping[str, Any]]) -> LostRecord:
    """Return how many are gone, and the first of them."""
    return LostRecord(total=len(transfers), first=[dict(one) for one in transfers[:LOST_SHOWN]])


def lost_csv(transfers: Sequence[Mapping[str, Any]]) -> str:
    """Return all of them as a table, for those who must call the customers."""
    text = io.StringIO()
    table = csv.DictWriter(text, LOST_COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(transfers)
    return text.getvalue()


def runbook_section(followed: RunbookRecord | None) -> str:
    """Return the page's section about what people did."""
    if followed is None:
        return markup.section("What people did", "<p>Nothing: no runbook was followed.</p>")
    rows = [
        (
            markup.text(step["step"], step["detail"]),
            step["outcome"],
            markup.number(f"{step['seconds']:,.1f} s"),
        )
        for step in followed["steps"]
    ]
    took = "" if followed["seconds"] is None else f" in {followed['seconds']:,.1f} s"
    said = f"{followed['name']}: {followed['outcome']}{took}. As followed, step by step: runbook-*.md."
    return markup.section("What people did", markup.table(("step", "outcome", "took"), rows, said))


def lost_section(gone: LostRecord) -> str:
    """Return the page's section about what is lost for good, nothing when nothing is."""
    if not gone["total"]:
        return ""
    rows = [
        (
            str(one["key"]), f"{one['cents']:,} cents from {one['debit']} to {one['credit']}",
            markup.number(f"{one['acknowledged_s']:+,.1f} s"),
            "newer than the recovery point" if one["explained"] else "WITHOUT NEED",
        )
        for one in gone["first"]
    ]  # fmt: skip
    said = f"The first {len(gone['first'])}; all are in lost.csv beside this page."
    body = markup.table(("transfer", "what", "acknowledged", "why"), rows, said)
    return markup.section(f"Acknowledged, and lost: {gone['total']:,}", body)
