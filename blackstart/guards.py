"""What must be true of a staging and of every target before anything is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from blackstart.choke import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from blackstart.fault import Plan, Target
    from blackstart.ledger import Ledger
    from blackstart.staging import Staging

REQUIRED_TAGS = {"Environment": "staging", "blackstart": "allowed"}
_PRODUCTION = re.compile(r"(^|[^a-z])(prod|production|prd|live)([^a-z]|$)", re.IGNORECASE)
_TARGETS_MAX = 12


def check_staging(staging: Staging, region: str = "") -> None:
    """Refuse a staging whose credentials belong to another account than the one it declares.

    Asked of the region that is going to be changed: the staging's own may not answer any more.
    """
    facts = staging.facts
    actual = staging.aws("sts", region).get_caller_identity()["Account"]
    if actual != facts.account:
        raise Refused(f"the credentials belong to account {actual}, the staging says {facts.account}")
    if not facts.region:
        raise Refused("the staging names no region")


def check_nothing_open(ledger: Ledger, *, but: Collection[str] = ()) -> None:
    """Refuse to start while an earlier fault is still to be healed, but for the entries in `but`."""
    open_entries = [entry for entry in ledger.open_entries() if entry.id not in but]
    if open_entries:
        names = ", ".join(f"{entry.fault.rpartition(':')[2]} ({entry.drill})" for entry in open_entries)
        raise Refused(f"staging is not healed yet: {names}. Run: blackstart heal")


def check_stop_switch(switch: Path) -> None:
    """Refuse to start while the stop switch is on."""
    if switch.exists():
        raise Refused("the stop switch is on. Run: blackstart stop --release")


def check_plan(staging: Staging, plan: Plan) -> None:
    """Refuse the whole plan if a single target must not be touched."""
    check_staging(staging, plan.region)
    if not plan.targets:
        raise Refused("the plan names no target")
    if len(plan.targets) > _TARGETS_MAX:
        raise Refused(f"{len(plan.targets)} targets, at most {_TARGETS_MAX} are allowed")
    refusals = list(_refusals(plan.targets))
    if refusals:
        raise Refused("; ".join(refusals))


def _refusals(targets: Iterable[Target]) -> Iterable[str]:
    for target in targets:
        if _PRODUCTION.search(target.id) or _PRODUCTION.search(target.tags.get("Name", "")):
            yield f"{target.kind} {target.id} is named like production"
        for name, wanted in REQUIRED_TAGS.items():
            actual = target.tags.get(name)
            if actual != wanted:
                yield f"{target.kind} {target.id} has tag {name}={actual!r}, must be {wanted!r}"
