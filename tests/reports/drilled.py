"""Small drills and their records, to be reported."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from blackstart.drills import DrillSpec, judge_drill
from blackstart.staging import Facts
from blackstart.verdict import Verdict, worst
from catalogue import DRILLS
from reports import record
from tests.histories import Story, ns, steady_load

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.history import History
    from reports.record import Record

FACTS = Facts(
    name="local", account="123456789012", region="us-east-1", isolation="network namespaces", timings="fast",
    base_url="http://127.0.0.1:1", versions={"postgresql": "18.6"}, defects=("<b>planted</b>",),
)  # fmt: skip
SPEC = DRILLS["aurora-failover"]
DATABASE = "ledger-writer-unavailable"


def failover(folder: Path, down_s: float = 2.0, rate: float = 1000.0) -> History:
    """Ten seconds with a fault at 3 s, an alarm at 4 s and healing at 9 s."""
    load = steady_load(rate, 12, 1)
    down = (load.start_ns >= ns(3)) & (load.start_ns < ns(3 + down_s))
    story = replace(load, ok=load.ok & ~down).into(Story(folder, rate=rate, compared=1000))
    story.transfer("r-0-1", 1.0).fault(3.0, took=0.1).healed(9.0, took=0.2)
    for name, at in (
        ("baseline", 0.5),
        ("inject", 2.9),
        ("observe", 3.2),
        ("heal", 8.9),
        ("final reads", 12.0),
    ):
        story.event("phase", at, name=name)
    story.event("alarms.watched", 0.0, names=["5xx", DATABASE]).event("load.start", 0.1, rate=rate, seed=7)
    story.event("alarm", 4.5, name=DATABASE, state="ALARM")
    story.event("alarm", 4.0, name="5xx", state="ALARM").event(
        "bite", 3.3, confirmed=True, evidence="<i>moved</i>"
    )
    story.final = [
        {
            "kind": "transfer",
            "key": "r-0-1",
            "debit": 1,
            "credit": 2,
            "cents": 100,
            "entries": 2,
            "entries_ok": True,
        },
        {"kind": "account", "id": 1, "opening": 100, "balance": 100, "entries_sum": 0},
        {"kind": "complete"},
    ]
    story.receipts = [{"kind": "object", "name": "receipts/1", "keys": ["r-0-1"]}, {"kind": "complete"}]
    return story.tell()


def told(history: History, *, spec: DrillSpec = SPEC, **other: Any) -> Record:
    """Judge the drill and build its record."""
    judgements = other.pop("judgements", judge_drill(spec, history))
    verdict = other.pop("verdict", worst(judgement.verdict for judgement in judgements))
    code = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.UNKNOWN: 3}[verdict]
    planned = {"run": "r-1", "facts": FACTS, "rate_per_s": 1000.0, "seed": 7, **other}
    return record.build(
        spec, history=history, judgements=judgements, verdict=verdict, exit_code=code, **planned
    )
