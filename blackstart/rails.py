"""Which guardrails a drill has: those of this machine, and those that its account knows of."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from blackstart.guardrails import Guardrail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blackstart.parts import Drill
    from blackstart.staging import Safeguards, Staging
    from blackstart.underway import Underway

_OFTEN_S = 0.2
_SILENT_AFTER_S = 15.0  # a request without an answer is recorded after two
_BEYOND_LIMIT_S = 660.0  # in which rollbacks may still be at work
_SLO, _MONTH_S = 0.999, 30 * 24 * 3600
GO, STOP = "go", "stop"


def here(drill: Drill, one: Underway) -> Iterator[Guardrail]:
    """Yield the guardrails that need nobody's answer."""
    safeguards = drill.safety.safeguards
    budget = safeguards.budget_percent / 100 * (1 - _SLO) * drill.traffic.rate * _MONTH_S

    def switch() -> str | None:
        on = drill.context.stop_switch.exists()
        return f"the stop switch is on ({drill.context.stop_switch})" if on else None

    def watchdog() -> str | None:
        return None if drill.safety.watchdog.alive else "the watchdog is gone"

    def hold() -> str | None:
        return drill.safety.hold.lost if drill.safety.hold else None

    def spent() -> str | None:
        said = f"{one.bad} bad requests: more than {safeguards.budget_percent:g} % of a month's error budget"
        return said if one.bad > budget else None

    def silence() -> str | None:
        if one.read:  # the load has ended for the final reads
            return None
        silent = one.heard_s is not None and time.monotonic() - one.heard_s > _SILENT_AFTER_S
        return f"no request was recorded for {_SILENT_AFTER_S:g} s" if silent else None

    def clock() -> str | None:
        if one.injected_ns is None:
            return None
        since_s, most_s = time.monotonic() - one.injected_ns / 1e9, drill.spec.limit_s + _BEYOND_LIMIT_S
        return f"{since_s:.0f} s since the injection, at most {most_s:g}" if since_s > most_s else None

    yield Guardrail(name="the stop switch", look=switch, every_s=_OFTEN_S)
    yield Guardrail(name="the watchdog", look=watchdog)
    yield Guardrail(name="the lease", look=hold)
    yield Guardrail(name="the error budget", look=spent)
    yield Guardrail(name="the load", look=silence)
    yield Guardrail(name="the clock", look=clock)


def of_account(staging: Staging, safeguards: Safeguards) -> Iterator[Guardrail]:
    """Yield the guardrails that the account knows of; all of them only read."""
    if safeguards.stop_parameter:
        yield Guardrail(
            name=f"the stop parameter {safeguards.stop_parameter}",
            look=lambda: _parameter(staging.aws("ssm", safeguards.region), safeguards.stop_parameter),
        )
    if safeguards.safety_lever:
        yield Guardrail(
            name=f"the safety lever {safeguards.safety_lever}",
            look=lambda: _lever(staging.aws("fis"), safeguards.safety_lever),
        )
    if safeguards.alarms:
        yield Guardrail(
            name=f"the alarms {', '.join(safeguards.alarms)}",
            look=lambda: _alarms(staging.aws("cloudwatch"), safeguards.alarms),
        )


def _parameter(ssm: Any, name: str) -> str | None:
    value = str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    return None if value == GO else f"the stop parameter {name} says {value!r}"


def _lever(fis: Any, lever: str) -> str | None:
    state = fis.get_safety_lever(id=lever)["safetyLever"]["state"]
    if state["status"] == "disengaged":
        return None
    return f"the safety lever {lever} is {state['status']}: {state.get('reason', '')}"


def _alarms(cloudwatch: Any, names: tuple[str, ...]) -> str | None:
    """Say which alarm is not OK; one without data is not. Raises LookupError when one does not exist."""
    found = cloudwatch.describe_alarms(AlarmNames=list(names))
    states = {
        alarm["AlarmName"]: alarm["StateValue"]
        for kind in ("MetricAlarms", "CompositeAlarms")
        for alarm in found.get(kind, ())
    }
    missing = sorted(set(names) - set(states))
    if missing:
        raise LookupError(f"there is no alarm {', '.join(missing)}")
    off = [f"alarm {name} is {state}" for name, state in sorted(states.items()) if state != "OK"]
    return "; ".join(off) or None
