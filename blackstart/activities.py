"""What Chaos Toolkit calls: each fault as three activities, `inject`, `bite` and `heal`; healing.

A fault's fields become the activities' signature, so that `chaos validate` refuses a misspelt argument.
"""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from blackstart import choke, context, guards
from blackstart.fault import Conflict, NotHealed, Secured
from blackstart.ledger import Handle
from blackstart.runbook import State

if TYPE_CHECKING:
    from blackstart.context import Context
    from blackstart.fault import Fault, Plan
    from blackstart.ledger import Entry
    from blackstart.runbook import Runbook
    from blackstart.staging import Staging

Activity = Callable[..., Any]

NOTHING = "nothing to heal"
_IN_FLIGHT_S = 2.0  # in which a call that was sent is carried out or lost

# What this process has broken itself: one experiment may break more than one thing.
_OURS: set[str] = set()


def activities(fault_type: type[Any]) -> tuple[Activity, Activity, Activity]:
    """Return the fault's `inject`, `bite` and `heal` for its module to export."""
    name = f"{fault_type.__module__}:{fault_type.__name__}"

    def inject(**arguments: Any) -> str:
        return _inject(context.current(), context.attached(), name, fault_type(**arguments))

    def bite(**arguments: Any) -> bool:
        return _bite(context.current(), name, fault_type(**arguments))

    def heal(**arguments: Any) -> str:
        fault_type(**arguments)
        here = context.current()
        return heal_open(here, context.attached(), only=name)

    return signed(inject, fault_type), signed(bite, fault_type), signed(heal, fault_type)


def load_fault(name: str, arguments: dict[str, Any]) -> Fault:
    """Return the fault that a ledger entry names. Raises ValueError for anything but one of ours."""
    fault: Fault = _load("faults.", name, arguments)
    return fault


def load_runbook(name: str, arguments: dict[str, Any]) -> Runbook:
    """Return the runbook that a ledger entry names. Raises ValueError for anything but one of ours."""
    runbook: Runbook = _load("runbooks.", name, arguments)
    return runbook


def heal_open(here: Context, staging: Staging, only: str | None = None) -> str:
    """Heal every open entry, or those of one fault, latest first; return what was done, in words.

    One that does not heal keeps no other from it. Raises in the end what kept it, or NotHealed for more
    than one; Conflict only when nothing else did, for it alone is not worth another try.
    """
    here.ledger.check_environment(staging.facts.environment)
    entries = [entry for entry in here.ledger.open_entries() if only in (None, entry.fault)]
    errors = [error for entry in entries if (error := _healing_error(here, staging, entry))]
    if errors:
        raise _as_one(errors)
    return f"healed: {', '.join(entry.fault for entry in entries)}" if entries else NOTHING


def _healing_error(here: Context, staging: Staging, entry: Entry) -> Exception | None:
    try:
        _heal(here, staging, entry)
    except Exception as error:  # noqa: BLE001 - raised when the others have had their turn
        return error
    return None


def _as_one(errors: list[Exception]) -> Exception:
    if len(errors) == 1:
        return errors[0]
    said = "; ".join(f"{type(error).__name__}: {error}" for error in errors)
    return Conflict(said) if all(isinstance(error, Conflict) for error in errors) else NotHealed(said)


def _inject(here: Context, staging: Staging, name: str, fault: Any) -> str:
    if here.folder is None:
        guards.check_by_hand(staging, here.stop_switch, local=here.staging == "local")
    guards.check_nothing_open(here.ledger, but=_OURS)
    plan = _checked(here, staging, fault)
    # before the fault, so that a crash at any later instant can be healed
    entry = here.ledger.open(here.drill, name, asdict(fault), plan, staging.facts)
    _OURS.add(entry.id)
    events = here.events()
    if isinstance(fault, Secured):
        events.write("secure.start", fault=name)
        fault.secure(staging, plan, Handle(entry.id, here.ledger))
        events.write("secure.end", fault=name)
        _check_again(here, staging, fault, plan)
    targets = [f"{target.kind} {target.id}" for target in plan.targets]
    here.ledger.confirm(entry)  # whoever slept since it was opened may have lost the lease
    events.write("inject.start", fault=name, targets=targets)
    fault.inject(staging, plan, Handle(entry.id, here.ledger))
    here.ledger.injected(entry.id)
    events.write("inject.end", fault=name, targets=targets)
    return entry.id


def _checked(here: Context, staging: Staging, fault: Any) -> Plan:
    """Return what the fault would do now. Raises Refused when it must not."""
    plan: Plan = fault.prepare(staging)
    beside = [entry.plan for entry in here.ledger.open_entries() if entry.id in _OURS]
    guards.check_plan(staging, plan, beside)
    return plan


def _check_again(here: Context, staging: Staging, fault: Any, plan: Plan) -> None:
    """Look once more, for making the way back took a while."""
    now = _checked(here, staging, fault)
    if [target.id for target in now.targets] != [target.id for target in plan.targets]:
        raise choke.Refused("the targets have changed while the way back was being made")


def _bite(here: Context, name: str, fault: Any) -> bool:
    entry = next((entry for entry in here.ledger.open_entries() if entry.fault == name), None)
    if entry is None:
        raise LookupError(f"{name} was not injected: no open ledger entry names it")
    bite = fault.bite(context.attached(), entry.plan)
    here.events().write("bite", confirmed=bite.confirmed, evidence=bite.evidence)
    return bool(bite.confirmed)


def _heal(here: Context, staging: Staging, entry: Entry) -> None:
    here.tell("heal.start", fault=entry.fault)
    if not entry.injected:
        # whoever injected was cut off, and what it had asked for last may only now be carried out
        time.sleep(_IN_FLIGHT_S)
    with choke.as_role(choke.HEALER):
        _put_back(here, staging, entry)
    here.ledger.healed(entry.id, "read back, as it was found")
    here.tell("heal.end", fault=entry.fault, outcome="healed")


def _put_back(here: Context, staging: Staging, entry: Entry) -> None:
    if entry.fault.startswith("runbooks."):
        _abandon(here, staging, entry)
    else:
        load_fault(entry.fault, entry.arguments).heal(staging, entry.plan, Handle(entry.id, here.ledger))


def _abandon(here: Context, staging: Staging, entry: Entry) -> None:
    """Clean up after a runbook that was cut off."""
    state = State(entry, here.ledger, here.events())
    load_runbook(entry.fault, entry.arguments).abandon(staging, state)
    state.event(
        "runbook.end", runbook=entry.fault, entry=entry.id, outcome="abandoned", detail=state.take_remarks()
    )


def _load(package: str, name: str, arguments: dict[str, Any]) -> Any:
    module, _, type_name = name.partition(":")
    if not module.startswith(package):
        raise ValueError(f"the ledger names {name!r}, which is not in {package}* of this project")
    return getattr(importlib.import_module(module), type_name)(**arguments)


def signed(activity: Any, fault_type: type[Any]) -> Activity:
    """Give an activity the fields of its fault, or runbook, as its signature."""
    activity.__signature__ = _signature(fault_type)
    activity.made_from = fault_type
    activity.__module__ = fault_type.__module__
    activity.__doc__ = f"{activity.__name__.capitalize()}: {fault_type.__doc__}"
    signed: Activity = activity
    return signed


def _signature(fault_type: type[Any]) -> inspect.Signature:
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(fault_type).parameters.values()
    ]
    return inspect.Signature(parameters)
