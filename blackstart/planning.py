"""What a drill would do, looked up now, changing nothing: targets, calls, the way back, duration, cost."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import statistics
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from chaoslib import substitute
from chaoslib.configuration import load_configuration
from chaoslib.exceptions import ChaosException

from blackstart import guards
from blackstart.arguments import BadArguments, made
from blackstart.choke import Refused
from blackstart.experiment import InvalidExperiment
from blackstart.fault import NothingToBreak

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from blackstart.drills import DrillSpec
    from blackstart.fault import Plan
    from blackstart.parts import Traffic
    from blackstart.rules import Rules
    from blackstart.staging import Staging

# As long as is waited, at most, for the rollbacks to end, for staging to be as before, and for it to serve.
HEALING_S_MAX = 600.0 + 180.0 + 60.0
_BEGINS = ("inject", "run")
_FOREIGN, _PROBES = re.compile(r"chaosaws\..*"), re.compile(r"chaosaws\.\w+\.probes")
# What AWS bills by the hour once these calls have made it, until healing has removed it.
_BILLED = {
    "rds:CreateDBInstance": "Aurora instance",
    "rds:CreateDBClusterSnapshot": "Aurora snapshot",
    "backup:StartRestoreJob": "restored Aurora storage",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one fault or runbook of the drill would do."""

    name: str  # "faults.aurora_failover:AuroraFailover"
    plan: Plan


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What a whole drill would do, as far as it can be looked up now."""

    parts: tuple[Part, ...]
    unknown: tuple[str, ...]  # what could not be looked up, and why


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """How long a drill takes."""

    usual_s: float | None  # the median of its earlier runs here; None when there was none
    runs: int
    worst_s: float  # until everything has been given up and healed


def look(staging: Staging, experiment: Mapping[str, Any]) -> Looked:
    """Look up what each fault and runbook of the method would do. Raises InvalidExperiment."""
    found, unknown = [], []
    for name, one in _breaking(experiment):
        try:
            found.append(Part(name=name, plan=one.prepare(staging)))
        except NothingToBreak as nothing:
            unknown.append(f"{name}: {nothing}")
        except (ClientError, BotoCoreError) as error:
            unknown.append(f"{name}: AWS does not say: {' '.join(str(error).split())}")
    unknown += [f"{name}: nobody can predict the calls of chaosaws" for name in _foreign(experiment)]
    return Looked(parts=tuple(found), unknown=tuple(unknown))


def check(staging: Staging, planned: tuple[Part, ...]) -> None:
    """Refuse if a single part must not be done, all of them together. Raises Refused."""
    done: list[Plan] = []
    refusals = []
    for part in planned:
        try:
            guards.check_plan(staging, part.plan, done)
        except Refused as refusal:
            refusals.append(str(refusal))
        done.append(part.plan)
    if refusals:
        raise Refused("; ".join(dict.fromkeys(refusals)))


def forecast(spec: DrillSpec, traffic: Traffic, home: Path) -> Forecast:
    """Say how long the drill takes, by its own limits and by what its earlier runs took."""
    hold_s = spec.hold_at(traffic.rate)
    begin_s = traffic.warm_up_s + max(traffic.baseline_s, spec.baseline_s)
    took = sorted(_took_s(home / "drills", spec.name))
    return Forecast(
        usual_s=statistics.median(took) if took else None,
        runs=len(took),
        worst_s=begin_s + spec.limit_s + hold_s + HEALING_S_MAX + hold_s * 10,
    )


def ends_by(forecast: Forecast) -> datetime:
    """Return when a drill that begins now is over at its worst."""
    return datetime.now(UTC) + timedelta(seconds=forecast.worst_s)


def costs(planned: tuple[Part, ...], rule: Rules, worst_s: float) -> list[str]:
    """Say what AWS bills beyond what runs anyway, at the owner's own prices where he gives any."""
    calls = {call for part in planned for call in part.plan.calls}
    return [
        f"{what}: {_price(rule, what, worst_s)}" for call, what in sorted(_BILLED.items()) if call in calls
    ]


def fingerprint(planned: tuple[Part, ...], promises: Mapping[str, Any], experiment: bytes) -> str:
    """Return the hash of what an approval is for: targets, calls, objectives, experiment."""
    bound = {
        "parts": [
            {
                "name": part.name, "region": part.plan.region, "calls": sorted(part.plan.calls),
                "targets": sorted([target.kind, target.id, target.arn] for target in part.plan.targets),
            }
            for part in planned
        ],
        "promises": promises,
        "experiment": hashlib.sha256(experiment).hexdigest(),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(bound, sort_keys=True).encode()).hexdigest()


def to_json(planned: tuple[Part, ...]) -> list[dict[str, Any]]:
    """Return the parts as JSON values."""
    return [{"name": part.name, **asdict(part.plan)} for part in planned]


def _breaking(experiment: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each fault and runbook of the method with its arguments, in order."""
    try:
        configuration = load_configuration(experiment.get("configuration") or {})
        for activity in experiment["method"]:
            provider = activity["provider"]
            if provider["func"] not in _BEGINS:
                continue
            kind = _kind(provider["module"], provider["func"])
            arguments = substitute(provider.get("arguments") or {}, configuration, {})
            yield f"{kind.__module__}:{kind.__name__}", made(kind, arguments)
    except (ChaosException, BadArguments) as error:
        raise InvalidExperiment(f"{experiment['title']!r}: {error}") from error


def _foreign(experiment: Mapping[str, Any]) -> Iterator[str]:
    """Yield the actions of Chaos Toolkit's AWS extension, also of the rollbacks; its probes only read."""
    for activity in (*experiment["method"], *experiment.get("rollbacks", ())):
        provider = activity["provider"]
        if _FOREIGN.fullmatch(provider["module"]) and not _PROBES.fullmatch(provider["module"]):
            yield f"{provider['module']}.{provider['func']}"


def _kind(module: str, func: str) -> type[Any]:
    kind: type[Any] | None = getattr(getattr(importlib.import_module(module), func), "made_from", None)
    if kind is None:
        raise BadArguments(f"{module}.{func} is no fault's and no runbook's")
    return kind


def _took_s(drills: Path, name: str) -> Iterator[float]:
    for folder in drills.glob(f"*-{name}-*"):
        lines = folder / "history" / "events.jsonl"
        begun, *_, ended = _instants(lines) or [0.0, 0.0]
        if ended > begun:
            yield ended - begun


def _instants(events: Path) -> list[float]:
    """Return when events were written, in seconds; of a file that is torn or gone, what is whole."""
    if not events.exists():
        return []
    whole = [line for line in events.read_bytes().split(b"\n")[:-1] if line]
    return [json.loads(line)["at_ns"] / 1e9 for line in (*whole[:1], *whole[-1:])]


def _price(rule: Rules, what: str, worst_s: float) -> str:
    if what not in rule.prices_per_hour:
        return "no price in the staging file (prices_per_hour)"
    return f"at most {rule.prices_per_hour[what] * worst_s / 3600:.2f} each, for {worst_s:.0f} s"
