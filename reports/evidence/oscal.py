"""A drill as OSCAL assessment results, for tools of those who keep their controls in OSCAL.

A finding is *satisfied* only when the drill PASSED: OSCAL knows no "not proven".
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reports.evidence.plan import Plan
    from reports.evidence.seal import Seal
    from reports.record import ObjectiveRecord, Record

VERSION = "1.1.2"
FRAMEWORK = "NIST 800-53"  # whose identifiers OSCAL catalogues use
_NS = "https://blackstart.invalid/ns/oscal"  # names of our own properties, not an address
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://blackstart.invalid/oscal")


def document(record: Record, plan: Plan, seal: Seal, controls: Iterable[str]) -> str:
    """Return the document, the same bytes for the same bundle. `controls` are ids like `cp-4.4`."""
    promises = record["preconditions"] + record["objectives"]
    observations = [_observation(record, promise) for promise in promises]
    result: dict[str, Any] = {
        "uuid": _id(record, "result"),
        "title": record["title"],
        "description": f"Drill {record['drill']}, run {record['run']}: {record['verdict']}",
        "start": plan["frozen_utc"],
        "end": seal.sealed_utc,
        "reviewed-controls": {
            "control-selections": [{"include-controls": [{"control-id": name} for name in controls]}]
        },
        "findings": [_finding(record, name, observations) for name in controls],
    }
    if observations:  # OSCAL allows no empty list
        result["observations"] = observations
    told = {
        "uuid": _id(record, "document"),
        "metadata": {
            "title": f"Assessment results of {record['run']}", "last-modified": seal.sealed_utc,
            "version": record["schema"], "oscal-version": VERSION,
        },
        "import-ap": {"href": "plan.json", "remarks": f"SHA256SUMS has {seal.sums_sha256}"},
        "results": [result],
    }  # fmt: skip
    return json.dumps({"assessment-results": told}, indent=1, ensure_ascii=False) + "\n"


def _observation(record: Record, promise: ObjectiveRecord) -> dict[str, Any]:
    measured = promise["measured"]
    return {
        "uuid": _id(record, f"observation {promise['name']}"),
        "title": f"{promise['name']}: {promise['verdict']}",
        "description": promise["promise"],
        "methods": ["TEST"],
        "collected": record["zero"]["utc"] or record["phases"][0]["utc"],
        "relevant-evidence": [{"href": "record.json", "description": measured["note"] or "see the record"}],
        "props": [
            {"name": "verdict", "ns": _NS, "value": promise["verdict"]},
            {"name": "limit", "ns": _NS, "value": f"{promise['bound']} {promise['limit']} {promise['unit']}"},
            {"name": "measured", "ns": _NS, "value": f"{measured['low']} to {measured['high']}"},
        ],
    }


def _finding(record: Record, control: str, observations: list[dict[str, Any]]) -> dict[str, Any]:
    state = "satisfied" if record["verdict"] == "PASSED" else "not-satisfied"
    finding: dict[str, Any] = {
        "uuid": _id(record, f"finding {control}"),
        "title": f"{control}: supported by the drill {record['drill']}",
        "description": f"The drill ended {record['verdict']}. It supports the control, and proves nothing.",
        "target": {"type": "objective-id", "target-id": f"{control}_obj", "status": {"state": state}},
    }
    if observations:
        related = [{"observation-uuid": one["uuid"]} for one in observations]
        finding["related-observations"] = related
    return finding


def _id(record: Record, what: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{record['run']} {what}"))
