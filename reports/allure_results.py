"""A drill as Allure results, made from its record alone: one test per promise, one for the drill as a whole.

They lie in every bundle, whoever ran the drill, and need no Allure. A missed promise is *failed*, one that
was not proven is *broken*, never passed and never skipped. The same record gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from allure_commons.model2 import (
    Attachment,
    Label,
    Parameter,
    Status,
    StatusDetails,
    TestResult,
)
from attr import asdict

from reports import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reports.record import ObjectiveRecord, Record

FOLDER = "allure-results"
AS_A_WHOLE = "the drill as a whole"
_NAMES = uuid.UUID(
    "8f0a3c52-6f4e-4d1c-9b0e-5a1c0de0b1ac"
)  # ours, so that results have the same name each time
_STATUS = {"PASSED": Status.PASSED, "FAILED": Status.FAILED, "UNKNOWN": Status.BROKEN}
_CATEGORIES = (
    {"name": "Objectives missed", "matchedStatuses": [Status.FAILED]},
    {"name": "Not proven either way", "matchedStatuses": [Status.BROKEN]},
)


def files_of(record: Record, attached: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the content of each file by name; `attached` are files of the drill to show with it."""
    made = {
        f"{_id(record, 'attachment', name)}-{name}": content for name, content in sorted(attached.items())
    }
    attachments = [Attachment(name=name[37:], source=name, type=_kind(name)) for name in made]
    for result in _results(record, attachments):
        made[f"{result.uuid}-result.json"] = _json(asdict(result, filter=lambda _, value: bool(value)))
    executor = {"name": "blackstart", "type": "blackstart", "buildName": record["run"]}
    made["executor.json"] = _json(executor)
    made["categories.json"] = _json(_CATEGORIES)
    made["environment.properties"] = _environment(record).encode("ascii", errors="backslashreplace")
    return made


def _results(record: Record, attachments: list[Any]) -> Iterator[Any]:
    for kind in ("preconditions", "objectives"):
        promises: list[ObjectiveRecord] = record[kind]
        for promise in promises:
            told = f"{words.interval(promise['measured'])}, promised {words.limit(promise)}"
            result = _result(record, promise["name"], promise["verdict"], told, promise["measured"]["note"])
            result.description = f"{promise['promise']} Clause {promise['clause']}. Measured: {told}."
            clauses = promise["clause"].split(", ")
            result.labels += [Label("subSuite", kind), *(Label("tag", clause) for clause in clauses)]
            yield result
    why = words.headline(record["verdict"], record["preconditions"] + record["objectives"], record["reasons"])
    whole = _result(record, AS_A_WHOLE, record["verdict"], why, "\n".join(record["reasons"]))
    whole.description = f"{record['title']}. {why}."
    whole.attachments = attachments
    yield whole


def _result(record: Record, name: str, verdict: str, told: str, trace: str) -> Any:
    start_ms, stop_ms = _span_ms(record)
    full_name = f"{record['drill']}: {name}"
    # the same promise of the same drill in every run, whatever its load: this is how Allure knows a trend
    known_as = hashlib.sha256(full_name.encode()).hexdigest()[:32]
    result = TestResult(
        uuid=str(_id(record, "result", name)), name=name, fullName=full_name, historyId=known_as,
        testCaseId=known_as, status=_STATUS[verdict], start=start_ms, stop=stop_ms, stage="finished",
        labels=[
            Label("parentSuite", "drills"), Label("suite", record["drill"]), Label("severity", "critical"),
            Label("framework", "blackstart"), Label("tag", f"run {record['run']}"),
        ],
        parameters=[
            Parameter("rate", f"{record['rate_per_s']:g}/s", excluded=True),
            Parameter("seed", str(record["seed"]), excluded=True),
        ],
    )  # fmt: skip
    if verdict != "PASSED":
        result.statusDetails = StatusDetails(message=told, trace=trace)
    return result


def _span_ms(record: Record) -> tuple[int, int]:
    """Return when the drill began and ended, in ms since 1970; nothing is known of one without phases."""
    phases = record["phases"]
    if not phases:
        return 0, 0
    begin_ms = round(datetime.fromisoformat(phases[0]["utc"]).timestamp() * 1000)
    return begin_ms, begin_ms + round(1000 * (phases[-1]["until_s"] - phases[0]["from_s"]))


def _environment(record: Record) -> str:
    staging = record["staging"]
    facts = {
        "run": record["run"], "staging": staging["name"], "isolation": staging["isolation"],
        "timings": staging["timings"], "planted.defects": ", ".join(staging["defects"]) or "none",
        "commit": record["code"]["commit"], "tree": record["code"]["tree"],
    }  # fmt: skip
    facts |= {f"version.{of}": number for of, number in (record["versions"] | staging["versions"]).items()}
    return "".join(f"{name} = {value}\n" for name, value in facts.items())


def _kind(name: str) -> str:
    return {"svg": "image/svg+xml", "csv": "text/csv", "json": "application/json"}[name.rpartition(".")[2]]


def _id(record: Record, *what: str) -> uuid.UUID:
    return uuid.uuid5(_NAMES, " ".join((record["run"], *what)))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
