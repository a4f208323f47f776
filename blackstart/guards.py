"""What must be true of a staging and of every target before anything is changed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from blackstart import rules
from blackstart.choke import Refused
from blackstart.staging import Safeguarded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from blackstart.fault import Plan, Target
    from blackstart.ledger import Ledger
    from blackstart.rules import Rules
    from blackstart.staging import Staging


class NoIdentity(Refused):
    """Nobody could say whose credentials these are."""


REQUIRED_TAGS = {"Environment": "staging", "blackstart": "allowed"}
# "prod", "prd" and "live" as words, "bankprod", "ProdBank"; but not "product", "reproduce" and "deliver".
_PRODUCTION = re.compile(
    r"production|pro?d(?![a-z])|(?<![a-z])prod(?!uc|ig)|(?<![a-z])live(?![a-z])", re.IGNORECASE
)
_STAGES = {"environment", "env", "stage"}
_PLAN_AGE_S_MAX = 60.0
_WORST_OF_HEALING_S = 60.0  # how long one more change may take, when nobody knows the drill's own end
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}


def check_staging(staging: Staging, region: str = "") -> None:
    """Refuse a staging whose credentials belong to another account than the one it declares.

    Asked of the region that is going to be changed: the staging's own may not answer any more.
    """
    facts = staging.facts
    if not facts.region:
        raise Refused("the staging names no region")
    if region and region != facts.region and region not in rules.of(staging).regions:
        raise Refused(f"region {region} is not among those that the staging allows")
    for what, name in (
        ("the staging", facts.name),
        ("its base_url", urlsplit(facts.base_url).hostname or ""),
    ):
        if looks_like_production(name):
            raise Refused(f"{what} is named like production: {name}")
    check_account(staging, region)


def check_account(staging: Staging, region: str = "") -> None:
    """Refuse unless STS says, now, that the credentials belong to the account that the staging declares."""
    declared = staging.facts.account
    try:
        actual = staging.aws("sts", region).get_caller_identity()["Account"]
    except ClientError as error:
        raise NoIdentity(_no_identity(error)) from error
    except BotoCoreError as error:
        raise NoIdentity(f"there are no usable credentials: {' '.join(str(error).split())}") from error
    if actual != declared:
        raise Refused(f"the credentials belong to account {actual}, the staging says {declared}")


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


def check_by_hand(staging: Staging, switch: Path, *, local: bool) -> None:
    """Refuse to break by hand what only a drill may: without it nobody asks for an approval, or the lease."""
    check_stop_switch(switch)
    if rules.of(staging).approvers:
        raise Refused("the staging's rules name approvers, whom nobody asks by hand: use blackstart drill")
    table = staging.safeguards.table if isinstance(staging, Safeguarded) else ""
    if table and not local:
        raise Refused(
            f"by hand nobody takes the lease in {table} or copies the ledger there: use blackstart drill"
        )


def check_time(staging: Staging, ends_by: datetime | None = None) -> None:
    """Refuse when what begins now and is healed by `ends_by` meets a freeze, or fits into no window."""
    rule, now = rules.of(staging), datetime.now(UTC)
    last = max(now, ends_by) if ends_by else now + timedelta(seconds=_WORST_OF_HEALING_S)
    if (last - now).total_seconds() > rule.seconds_max:
        raise Refused(
            f"the drill takes {(last - now).total_seconds():.0f} s at its worst, healing included; "
            f"the staging allows {rule.seconds_max:g} s"
        )
    refusal = rule.calendar.refusal(now, last)
    if refusal:
        raise Refused(refusal)
    for moment in (now, last) if rule.change_calendars else ():
        _check_change_calendars(staging, rule.change_calendars, moment)


def check_plan(staging: Staging, plan: Plan, beside: Iterable[Plan] = ()) -> None:
    """Refuse the whole plan if a single target must not be touched; `beside` is what is broken already."""
    for region in plan.regions(staging.facts.region):
        check_staging(staging, region)
    if not plan.targets:
        raise Refused("the plan names no target")
    age_s = (datetime.now(UTC) - datetime.fromisoformat(plan.prepared_at)).total_seconds()
    if not 0 <= age_s <= _PLAN_AGE_S_MAX:
        raise Refused(f"the plan was made {age_s:.0f} s ago: its targets must be looked up anew")
    rule = rules.of(staging)
    if len(plan.targets) > rule.targets_max:
        raise Refused(f"{len(plan.targets)} targets, at most {rule.targets_max} are allowed")
    if plan.destroys and not rule.destruction:
        raise Refused(
            "it destroys what only a backup brings back: the staging does not say `destruction: true`"
        )
    if plan.loses_region and not rule.region_loss:
        raise Refused("it takes the whole region: the staging does not say `region_loss: true`")
    wrong = [*_refusals(staging, plan), *_too_much([plan, *beside], rule)]
    if wrong:
        raise Refused("; ".join(wrong))


def looks_like_production(name: str) -> bool:
    """Tell whether a name says that it belongs to production."""
    return bool(_PRODUCTION.search(name))


def _refusals(staging: Staging, plan: Plan) -> Iterable[str]:
    for target in plan.targets:
        yield from _bad_names(target)
        yield from _bad_tags(target)
        yield from _bad_arn(target, staging.facts.account, plan.regions(staging.facts.region))


def _bad_names(target: Target) -> Iterable[str]:
    if any(map(looks_like_production, (target.id, target.tags.get("Name", "")))):
        yield f"{target.kind} {target.id} is named like production"


def _bad_tags(target: Target) -> Iterable[str]:
    for name, wanted in REQUIRED_TAGS.items():
        actual = target.tags.get(name)
        if actual != wanted:
            yield f"{target.kind} {target.id} has tag {name}={actual!r}, must be {wanted!r}"
    for name, value in target.tags.items():
        if name not in REQUIRED_TAGS and name.lower() in _STAGES and looks_like_production(value):
            yield f"{target.kind} {target.id} has tag {name}={value!r}, as production has"


def _bad_arn(target: Target, account: str, regions: tuple[str, ...]) -> Iterable[str]:
    parts = target.arn.split(":", 5)
    if len(parts) < len(("arn", "partition", "service", "region", "account", "resource")):
        return
    if parts[4] not in ("", account):
        yield f"{target.kind} {target.id} belongs to account {parts[4]}, the staging says {account}"
    if parts[3] not in ("", *regions):
        yield f"{target.kind} {target.id} is in region {parts[3]}, the plan says {', '.join(regions)}"


def _too_much(plans: list[Plan], rule: Rules) -> Iterable[str]:
    """What would be left of the groups that must carry on, all faults of the drill together.

    Of a region that is lost as a whole, nothing need carry on: whether it may be is another question.
    """
    counted = [plan.shares for plan in plans if not plan.loses_region]
    for group in sorted({group for shares in counted for group in shares}):
        shares = [each[group] for each in counted if group in each]
        taken = {member for share in shares for member in share["taken"]}
        of = {member for share in shares for member in share["of"]}
        if len(taken) > rule.share_max * len(of):
            yield (
                f"{len(taken)} of {len(of)} {group} would be taken ({', '.join(sorted(taken))}), "
                f"at most {rule.share_max:.0%} are allowed"
            )


def _check_change_calendars(staging: Staging, names: tuple[str, ...], moment: datetime) -> None:
    """A calendar that cannot be read is closed."""
    try:
        answer = staging.aws("ssm").get_calendar_state(
            CalendarNames=list(names), AtTime=moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    except (ClientError, BotoCoreError) as error:
        raise Refused(f"the change calendar cannot be read, so it is closed: {error}") from error
    if answer["State"] != "OPEN":
        raise Refused(f"the change calendar is {answer['State']} at {moment:%Y-%m-%d %H:%M}Z")


def _no_identity(error: ClientError) -> str:
    code = error.response.get("Error", {}).get("Code", "")
    if code in _EXPIRED:
        return "the credentials have expired: log in again"
    return f"STS does not say who we are ({code}): {error.response.get('Error', {}).get('Message', '')}"
