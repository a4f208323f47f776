"""The `safeguards` of an AWS staging's file: what in the account keeps drills safe beyond one machine.

safeguards:
  region: us-west-2                # where most of it is; best not where drills take the region away
  table: blackstart                # the ledger's second copy and the lease, in DynamoDB
  heal_function: arn:aws:lambda:...     # heals when nobody else is left to; made by `blackstart dead-man`
  schedule_role: arn:aws:iam::...       # the role as which EventBridge Scheduler calls it
  stop_parameter: /blackstart/stop      # SSM: drills run while it says "go"
  safety_lever: default                 # FIS: drills run while it is disengaged
  alarms: [bank-5xx]                    # CloudWatch: drills run while these are OK
  budget_percent: 5                     # of thirty days' error budget, that one drill may spend
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from blackstart.context import NoStaging
from blackstart.staging import Safeguards

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIELD = "safeguards"
_TEXTS = {
    "region": r"[a-z]{2}(-[a-z]+)+-\d",
    "table": r"[a-zA-Z0-9_.-]{3,255}",
    "stop_parameter": r"/?[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+)*",
    "safety_lever": r"[a-zA-Z0-9_-]{1,64}",
    "heal_function": r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[a-zA-Z0-9_-]+(:[a-zA-Z0-9_-]+)?",
    "schedule_role": r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+",
}
_ALL = 100.0


def read(file: Path, content: Mapping[str, Any]) -> Safeguards:
    """Return the safeguards of a staging file's content. Raises NoStaging."""
    given = content.get(FIELD, {})
    if not isinstance(given, dict):
        raise _wrong(file, FIELD, given, "a mapping")
    unknown = sorted(str(name) for name in set(given) - {*_TEXTS, "alarms", "budget_percent"})
    if unknown:
        raise NoStaging(f"{file}: unknown field {FIELD + '.' + unknown[0]!r}")
    for name in _TEXTS.keys() & given.keys():
        if not isinstance(given[name], str) or not re.fullmatch(_TEXTS[name], given[name]):
            raise _wrong(file, f"{FIELD}.{name}", given[name], f"a string like {_TEXTS[name]}")
    _check_together(file, given)
    return Safeguards(**{**given, "alarms": _alarms(file, given), "budget_percent": _percent(file, given)})


def _check_together(file: Path, given: Mapping[str, Any]) -> None:
    """Refuse a dead man that has nothing to heal by, or that nobody may call."""
    dead_man = {"heal_function", "schedule_role"} & given.keys()
    missing = sorted({"heal_function", "schedule_role", "table"} - given.keys())
    if dead_man and missing:
        raise NoStaging(f"{file}: {FIELD}.{min(dead_man)} needs {FIELD}.{missing[0]} beside it")


def _alarms(file: Path, given: Mapping[str, Any]) -> tuple[str, ...]:
    alarms = given.get("alarms", [])
    if not isinstance(alarms, list) or not all(isinstance(name, str) and name for name in alarms):
        raise _wrong(file, f"{FIELD}.alarms", alarms, "a list of alarms' names")
    return tuple(alarms)


def _percent(file: Path, given: Mapping[str, Any]) -> float:
    percent = given.get("budget_percent", Safeguards.budget_percent)
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 < percent <= _ALL:
        raise _wrong(file, f"{FIELD}.budget_percent", percent, "a number above 0, at most 100,")
    return float(percent)


def _wrong(file: Path, field: str, value: object, expected: str) -> NoStaging:
    return NoStaging(f"{file}: field {field!r} is {value!r}, {expected} was expected")
