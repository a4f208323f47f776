"""Plans that must be refused, generated: each is tried on the control plane, where nothing may change.

A case prepares the scene, names the rules, and then tries: as a drill does before it begins, as a fault does
when it injects, or as code does that goes past both, straight to a client.
"""

from __future__ import annotations

import io
import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import boto3
from rich.console import Console

from blackstart import activities, experiment, guards, healing, planning, refusing, wiring
from blackstart.choke import Refused
from blackstart.fault import NothingToBreak, Plan, Target
from blackstart.parts import Traffic
from blackstart.windows import DAYS, Calendar, Freeze, Window
from catalogue import DRILLS
from faults.aurora_failover import AuroraFailover
from faults.aurora_writer_crash import AuroraWriterCrash
from faults.cluster_destroyed import ClusterDestroyed
from faults.ledger_corrupted import LedgerCorrupted
from faults.region_blackhole import RegionBlackhole
from faults.subnet_blackhole import SubnetBlackhole
from reports.evidence import approval, plan
from reports.evidence.keys import LocalKey, fingerprint
from tests.safety.scene import OPEN, Scene

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.context import Guarded
    from blackstart.rules import Rules

FAULTS: dict[str, Any] = {
    "az-loss": SubnetBlackhole(
        vpc="bank", az="writer of ledger", tiers=("app", "data", "cache"), target_group="bank-api"
    ),
    "aurora-failover": AuroraFailover(cluster="ledger", secret="ledger/password"),  # noqa: S106 - a name
    "aurora-writer-crash": AuroraWriterCrash(cluster="ledger", secret="ledger/password"),  # noqa: S106 - a name
    "backup-restore": ClusterDestroyed(cluster="ledger"),
    "point-in-time": LedgerCorrupted(cluster="ledger", secret="ledger/owner"),  # noqa: S106 - a name
    "region-loss": RegionBlackhole(
        vpc="bank", tiers=("public", "app", "data", "cache"), elsewhere="us-west-2", cluster="ledger",
        service="bank/bank-api", load_balancer="bank", target_group="bank-api", hosted_zone="bank.example.",
        record="api.bank.example.",
    ),
}  # fmt: skip
ENVIRONMENTS = ("production", "prod", "dev", "Staging", "staging ", "staging-2", None)
OPT_INS = ("forbidden", "Allowed", "", None)
ACCOUNTS = ("999999999999", "111122223333", "123456789013")
REGIONS = ("eu-central-1", "us-east-2", "ap-southeast-2", "us-gov-west-1")
PRODUCTION = ("prod-1", "bank-production", "PRD", "bank live", "ledgerprod", "Prod.Bank", "production")
PLENTY = Traffic(rate=1000, seed=0)
PAST_THE_GUARDS = {"past the guards"}  # on purpose: the choke point must hold these by itself

Attempt = Callable[["Tried"], object]
Arrange = Callable[["Scene"], object]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One forbidden plan. `tags` are changed on one target: {(number, key): value or None}."""

    kind: str
    name: str
    drill: str
    attempt: Attempt
    rule: Rules = OPEN
    facts: dict[str, str] = field(default_factory=dict)
    tags: dict[tuple[int, str], str | None] = field(default_factory=dict)
    open_before: Plan | None = None
    opened_in: dict[str, str] = field(default_factory=dict)  # facts of the staging that was broken


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What an attempt has in its hands."""

    scene: Scene
    staging: Guarded
    case: Case
    plan: Plan  # as it would be if nothing were wrong

    @property
    def fault(self) -> Any:
        return FAULTS[self.case.drill]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of it."""

    case: Case
    said: str  # "" when it was not refused
    at_the_choke: tuple[str, ...]
    in_the_trail: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether it was refused with one line, and nothing was changed."""
        reached = () if self.case.kind in PAST_THE_GUARDS else self.at_the_choke
        return bool(self.said) and "\n" not in self.said and not self.in_the_trail and not reached


def run(scene: Scene, case: Case) -> Outcome:
    """Arrange, try, put back what was arranged."""
    with arranged(scene, case) as tried:
        scene.forget_changes()
        said = ""
        try:
            case.attempt(tried)
        except (Refused, NothingToBreak) as refusal:
            said = str(refusal)
        return Outcome(
            case=case, said=said, at_the_choke=tuple(scene.at_the_choke), in_the_trail=tuple(scene.changes())
        )


@contextmanager
def arranged(scene: Scene, case: Case) -> Iterator[Tried]:
    plan = FAULTS[case.drill].prepare(scene.staging())
    changed = [(plan.targets[number], key, value) for (number, key), value in case.tags.items()]
    for target, key, value in changed:
        tag(scene, target, key, value)
    context = scene.context()
    context.ledger.path.unlink(missing_ok=True)
    context.stop_switch.unlink(missing_ok=True)
    refusing.approval_file(context, DRILLS[case.drill]).unlink(missing_ok=True)
    activities._OURS.clear()
    if case.open_before is not None:
        broken = scene.staging(OPEN, **case.opened_in).facts
        context.ledger.open("earlier", "faults.x:X", {}, case.open_before, broken)
    try:
        yield Tried(
            scene=scene, staging=scene.watch(scene.staging(case.rule, **case.facts)), case=case, plan=plan
        )
    finally:
        for target, key, _ in changed:
            tag(scene, target, key, target.tags.get(key))


def tag(scene: Scene, target: Target, key: str, value: str | None) -> None:
    """Give a target a tag, or take it away."""
    pair, service = {"Key": key, "Value": value}, target.arn.split(":")[2] if target.arn else ""
    if service == "rds":
        rds = admin(scene, "rds")
        if value is None:
            rds.remove_tags_from_resource(ResourceName=target.arn, TagKeys=[key])
        else:
            rds.add_tags_to_resource(ResourceName=target.arn, Tags=[pair])
    elif service == "ecs":
        ecs = admin(scene, "ecs", target.arn.split(":")[3])
        if value is None:
            ecs.untag_resource(resourceArn=target.arn, tagKeys=[key])
        else:
            ecs.tag_resource(resourceArn=target.arn, tags=[{"key": key, "value": value}])
    elif target.kind == "hosted zone":
        change = {"RemoveTagKeys": [key]} if value is None else {"AddTags": [pair]}
        admin(scene, "route53").change_tags_for_resource(
            ResourceType="hostedzone", ResourceId=target.id, **change
        )
    elif value is None:
        admin(scene, "ec2").delete_tags(Resources=[target.id], Tags=[{"Key": key}])
    else:
        admin(scene, "ec2").create_tags(Resources=[target.id], Tags=[pair])


def admin(scene: Scene, service: str, region: str = "us-east-1") -> Any:
    """A client that passes no guard: the test's own."""
    return boto3.client(
        service, endpoint_url=scene.endpoint, region_name=region,
        aws_access_key_id="x", aws_secret_access_key="x",  # noqa: S106 - nobody checks it
    )  # fmt: skip


# How things are tried.


def as_a_drill(tried: Tried) -> None:
    """As `blackstart drill` does before anything begins."""
    refusing.check(DRILLS[tried.case.drill], tried.scene.context(), PLENTY, tried.staging)


def as_a_whole_drill(tried: Tried) -> None:
    """As `blackstart drill` does it, from the first lock on, in an account that has the harness's table."""
    tried.scene.announce(**tried.case.facts)
    console = Console(file=io.StringIO())
    wiring.run_drill(DRILLS[tried.case.drill], tried.scene.context(), PLENTY, console)


def as_healing(tried: Tried) -> None:
    """As `blackstart heal` does."""
    tried.scene.announce(**tried.case.facts)
    here = tried.scene.context()
    healing.heal(here, here.attach())


def as_a_fault(tried: Tried) -> None:
    """As an experiment's first activity does, had nobody looked before."""
    name = f"{type(tried.fault).__module__}:{type(tried.fault).__name__}"
    activities._inject(tried.scene.context(), tried.staging, name, tried.fault)


def as_a_plan(change: Callable[[Plan], Plan]) -> Attempt:
    """With a plan that says something else than what is there; then straight on to a change."""

    def attempt(tried: Tried) -> None:
        guards.check_plan(tried.staging, change(tried.plan))
        make_an_acl(tried.staging, "us-east-1", "vpc-0")

    return attempt


def as_code(*, entry: Callable[[Plan], Plan] | None, region: str = "us-east-1", vpc: str = "") -> Attempt:
    """Past every guard, straight to a client, with an open ledger entry or none."""

    def attempt(tried: Tried) -> None:
        if entry is not None:
            tried.scene.context().ledger.open("x", "faults.x:X", {}, entry(tried.plan), tried.staging.facts)
        own = next(target.id for target in tried.plan.targets if target.kind == "VPC")
        make_an_acl(tried.staging, region, vpc or own)

    return attempt


def make_an_acl(staging: Guarded, region: str, vpc: str) -> None:
    """The change that none of these may make."""
    staging.aws("ec2", region).create_network_acl(VpcId=vpc)


def approved(**wrong: Any) -> Attempt:
    """With an approval that is good but for one thing."""

    def attempt(tried: Tried) -> None:
        write_approval(tried, **wrong)
        as_a_drill(tried)

    return attempt


def write_approval(tried: Tried, *, expires_s: float = 3600, by: str = "approver", as_executor: str = "",
                   text: str | None = None, **wrong: str) -> None:  # fmt: skip
    context, spec = tried.scene.context(), DRILLS[tried.case.drill]
    here = refusing.who(context, tried.staging)
    expires = (datetime.now(UTC) + timedelta(seconds=expires_s)).isoformat()
    told: dict[str, str] = {
        "drill": spec.name, "account": tried.staging.facts.account, "expires_utc": expires,
        "plan": wanted(tried),
        "name": "Somebody", "user": "else@where", "aws": "arn:else",
    }  # fmt: skip
    if as_executor:
        told[as_executor] = str(asdict(here)[as_executor])
    file = refusing.approval_file(context, spec)
    approval.write(file, approval.Approval(**{**told, **wrong}), LocalKey.at(key_of(tried.scene, by)))
    if text is not None:
        file.write_text(text)


def wanted(tried: Tried) -> str:
    """The hash that an approval must be for; of a drill that cannot be looked up whole, any."""
    spec = DRILLS[tried.case.drill]
    looked = planning.look(tried.scene.staging(), experiment.load(refusing.ROOT / spec.experiment))
    return planning.fingerprint(
        looked.parts, plan.promised(spec), (refusing.ROOT / spec.experiment).read_bytes()
    )


def key_of(scene: Scene, name: str) -> Path:
    return scene.home / "keys-of-people" / f"{name}.pem"


# What is tried.


def cases(scene: Scene, seed: int) -> list[Case]:
    """Every case there is, in an order, and with free choices, that the seed decides."""
    chance = random.Random(seed)  # noqa: S311 - choices, not secrets
    found = [
        *_accounts(), *_tags(scene, chance), *_zones(scene), *_regions(), *_limits(), *_times(chance),
        *_approvals(scene), *_false_plans(chance), *_straight(), *_elsewhere(scene), *_by_hand(scene),
        *_nothing(), *_switches(scene),
    ]  # fmt: skip
    chance.shuffle(found)
    return found


def _everywhere(kind: str, name: str, drill: str, **more: Any) -> Iterator[Case]:
    """The same at the beginning of a drill, and at the fault itself."""
    for attempt in (as_a_drill, as_a_fault):
        yield Case(kind=kind, name=f"{name}, {attempt.__name__}", drill=drill, attempt=attempt, **more)


def _accounts() -> Iterator[Case]:
    for drill, account in itertools.product(FAULTS, ACCOUNTS):
        yield from _everywhere("wrong account", f"{drill} {account}", drill, facts={"account": account})
    for account in ACCOUNTS:
        yield Case(kind="wrong account, whole drill", name=account, drill="az-loss", attempt=as_a_whole_drill,
                   facts={"account": account})  # fmt: skip
    for drill, name in itertools.product(FAULTS, PRODUCTION):
        yield from _everywhere("production name", f"staging {name}", drill, facts={"name": name})


def _tags(scene: Scene, chance: random.Random) -> Iterator[Case]:
    for drill, fault in FAULTS.items():
        targets = fault.prepare(scene.staging()).targets
        for number, value in itertools.product(range(len(targets)), ENVIRONMENTS):
            yield Case(
                kind="tag on one of many", name=f"{drill} {number} Environment={value}", drill=drill,
                attempt=chance.choice((as_a_drill, as_a_fault)), tags={(number, "Environment"): value},
            )  # fmt: skip
        for number, value in itertools.product(range(len(targets)), OPT_INS):
            yield Case(
                kind="not opted in", name=f"{drill} {number} blackstart={value}", drill=drill,
                attempt=chance.choice((as_a_drill, as_a_fault)), tags={(number, "blackstart"): value},
            )  # fmt: skip
        for number in range(len(targets)):
            name = chance.choice(PRODUCTION)
            key = "Name" if targets[number].kind != "VPC" else "Stage"  # the VPC is found by its name
            yield from _everywhere("production name", f"{drill} {number} {key}={name}", drill,
                                   tags={(number, key): name})  # fmt: skip


def _zones(scene: Scene) -> Iterator[Case]:
    first = FAULTS["az-loss"].prepare(scene.staging())
    for pattern in ("us-east-1*", "*", "us-east-1?"):
        both = replace(FAULTS["az-loss"], az=pattern)

        def attempt(tried: Tried, both: Any = both) -> None:
            activities._inject(
                tried.scene.context(), tried.staging, "faults.subnet_blackhole:SubnetBlackhole", both
            )

        yield Case(kind="both zones at once", name=pattern, drill="az-loss", attempt=attempt)

    def second(tried: Tried) -> None:
        other = replace(tried.fault, az="us-east-1b")
        activities._OURS.update(entry.id for entry in tried.scene.context().ledger.open_entries())
        activities._inject(
            tried.scene.context(), tried.staging, "faults.subnet_blackhole:SubnetBlackhole", other
        )

    yield Case(kind="both zones at once", name="one after the other", drill="az-loss", attempt=second,
               open_before=first)  # fmt: skip


def _regions() -> Iterator[Case]:
    """A whole region needs leave of its own, and the other one must be allowed, too."""
    for name, rule in (
        ("by a large share alone", replace(OPEN, region_loss=False, share_max=1.0)),
        ("not even with destruction", replace(OPEN, region_loss=False, destruction=True)),
    ):
        yield from _everywhere("region loss not allowed", name, "region-loss", rule=rule)
    yield from _everywhere(
        "wrong region", "where it is recovered", "region-loss", rule=replace(OPEN, regions=())
    )


def _limits() -> Iterator[Case]:
    for drill in FAULTS:
        yield from _everywhere("too many targets", drill, drill, rule=replace(OPEN, targets_max=1))
        yield Case(kind="takes too long", name=drill, drill=drill, attempt=as_a_drill,
                   rule=replace(OPEN, seconds_max=60.0))  # fmt: skip
    for drill, share in itertools.product(("az-loss", "aurora-failover", "aurora-writer-crash"), (0.1, 0.49)):
        yield from _everywhere(
            "too large a share", f"{drill} {share}", drill, rule=replace(OPEN, share_max=share)
        )
    for drill in ("backup-restore", "point-in-time"):
        yield from _everywhere("destruction not allowed", drill, drill, rule=replace(OPEN, destruction=False))


def _times(chance: random.Random) -> Iterator[Case]:
    now, utc = datetime.now(UTC), ZoneInfo("UTC")
    other_days = tuple(day for day in DAYS if day not in {DAYS[now.weekday()], DAYS[now.weekday() - 1]})
    soon = (now + timedelta(minutes=3)).time().replace(microsecond=0)
    closed = Window(days=other_days, begin=time(0), end=time(23, 59), zone=utc)
    short = Window(days=DAYS, begin=time(0), end=soon, zone=utc)
    for drill in FAULTS:
        in_s = chance.uniform(1, 600)
        freezes = [
            Freeze(begin=now - timedelta(hours=1), end=now + timedelta(hours=1), why="month end"),
            Freeze(begin=now + timedelta(seconds=in_s), end=now + timedelta(days=1), why="a release"),
        ]
        for name, calendar in (
            ("another day", Calendar(windows=(closed,))), ("too short", Calendar(windows=(short,))),
            ("frozen", Calendar(freezes=(freezes[0],))), ("frozen soon", Calendar(freezes=(freezes[1],))),
        ):  # fmt: skip
            yield Case(kind="closed window", name=f"{drill} {name}", drill=drill, attempt=as_a_drill,
                       rule=replace(OPEN, calendar=calendar))  # fmt: skip
        # a calendar that nobody answers for is closed
        yield Case(kind="closed window", name=f"{drill} change calendar", drill=drill, attempt=as_a_drill,
                   rule=replace(OPEN, change_calendars=("releases",)))  # fmt: skip


def _approvals(scene: Scene) -> Iterator[Case]:
    approver = fingerprint(LocalKey.at(key_of(scene, "approver")).public_pem)
    rule = replace(OPEN, approvers=(approver,))
    wrong: dict[str, Attempt] = {
        "none": as_a_drill,
        "expired": approved(expires_s=-1),
        "of other targets": approved(plan="0" * 64),
        "of another account": approved(account="999999999999"),
        "of another drill": approved(drill="spot-interruption"),
        "by nobody who may": approved(by="somebody"),
        "by the executor's user": approved(as_executor="user"),
        "by the executor's AWS identity": approved(as_executor="aws"),
        "without an offset": approved(expires_utc="2030-01-01T00:00:00"),
        "no moment": approved(expires_utc="soon"),
        "empty": approved(text=""),
        "no envelope": approved(text='{"payload": 3}'),
    }
    for drill, (name, attempt) in itertools.product(
        ("az-loss", "aurora-failover", "point-in-time"), wrong.items()
    ):
        yield Case(kind="no valid approval", name=f"{drill} {name}", drill=drill, attempt=attempt, rule=rule)


def _false_plans(chance: random.Random) -> Iterator[Case]:
    def case(kind: str, name: str, drill: str, change: Callable[[Plan], Plan]) -> Case:
        return Case(kind=kind, name=f"{drill} {name}", drill=drill, attempt=as_a_plan(change))

    for drill in FAULTS:
        for age_s in (61, 3600, -5):
            yield case("stale plan", f"{age_s} s", drill, partial(_prepared, age_s))
        for region in REGIONS:
            yield case("wrong region", region, drill, partial(_in_region, region))
        yield case("empty selection", "no target", drill, lambda plan: replace(plan, targets=()))
        other = f"arn:aws:rds:us-east-1:{chance.choice(ACCOUNTS)}:cluster:ledger"
        yield case("wrong account", "target", drill, partial(_with_arn, other))
        far = f"arn:aws:rds:{chance.choice(REGIONS)}:123456789012:cluster:ledger"
        yield case("wrong region", "target", drill, partial(_with_arn, far))


def _prepared(age_s: float, plan: Plan) -> Plan:
    return replace(plan, prepared_at=(datetime.now(UTC) - timedelta(seconds=age_s)).isoformat())


def _in_region(region: str, plan: Plan) -> Plan:
    return replace(plan, region=region)


def _with_arn(arn: str, plan: Plan) -> Plan:
    return replace(plan, targets=(replace(plan.targets[0], arn=arn), *plan.targets[1:]))


def _straight() -> Iterator[Case]:
    def case(name: str, attempt: Attempt) -> Case:
        return Case(kind="past the guards", name=name, drill="az-loss", attempt=attempt)

    yield case("no ledger entry", as_code(entry=None))
    yield case("another target", as_code(entry=lambda plan: plan, vpc="vpc-00000000000000000"))
    yield case("another call", as_code(entry=lambda plan: replace(plan, calls=("ec2:DeleteNetworkAcl",))))
    for region in ("us-west-2", "eu-central-1"):
        yield case(f"another region, {region}", as_code(entry=lambda plan: plan, region=region))

    def one_named_one_not(tried: Tried) -> None:
        plan = replace(tried.plan, calls=("ec2:StopInstances",), targets=(Target(kind="instance", id="i-1"),))
        tried.scene.context().ledger.open("x", "faults.x:X", {}, plan, tried.staging.facts)
        tried.staging.aws("ec2").stop_instances(InstanceIds=["i-1", "i-2"])

    def closed_entry(tried: Tried) -> None:
        ledger = tried.scene.context().ledger
        ledger.healed(ledger.open("x", "faults.x:X", {}, tried.plan, tried.staging.facts).id, "read back")
        make_an_acl(tried.staging, "us-east-1", tried.plan.targets[-1].id)

    yield case("one of two named", one_named_one_not)
    yield case("healed already", closed_entry)


def _elsewhere(scene: Scene) -> Iterator[Case]:
    """Something is open in the ledger that was broken in another environment."""
    for facts, attempt in itertools.product(
        ({"account": ACCOUNTS[0]}, {"region": REGIONS[0]}), (as_a_whole_drill, as_healing)
    ):
        yield Case(kind="another environment", name=f"{facts}, {attempt.__name__}", drill="az-loss",
                   attempt=attempt, open_before=FAULTS["az-loss"].prepare(scene.staging()),
                   opened_in=facts)  # fmt: skip

    def straight_on(tried: Tried) -> None:
        make_an_acl(tried.staging, "us-east-1", tried.plan.targets[-1].id)

    yield Case(kind="past the guards", name="with another environment's entry", drill="az-loss",
               attempt=straight_on, open_before=FAULTS["az-loss"].prepare(scene.staging()),
               opened_in={"account": ACCOUNTS[0]})  # fmt: skip


def _nothing() -> Iterator[Case]:
    for wrong in ({"vpc": "bnak"}, {"az": "us-east-1z"}, {"tiers": ("ap",)}, {"tiers": ()}, {"az": ""}):
        fault = replace(FAULTS["az-loss"], **wrong)

        def attempt(tried: Tried, fault: Any = fault) -> None:
            activities._inject(
                tried.scene.context(), tried.staging, "faults.subnet_blackhole:SubnetBlackhole", fault
            )

        yield Case(kind="empty selection", name=str(wrong), drill="az-loss", attempt=attempt)
    for drill in ("aurora-failover", "aurora-writer-crash", "backup-restore", "point-in-time"):

        def nowhere(tried: Tried) -> None:
            fault = replace(tried.fault, cluster="leger")
            activities._inject(tried.scene.context(), tried.staging, "faults.x:X", fault)

        yield Case(kind="empty selection", name=f"{drill} leger", drill=drill, attempt=nowhere)


def _by_hand(scene: Scene) -> Iterator[Case]:
    """What needs an approval, or a lease, is not broken without a drill."""
    approver = fingerprint(LocalKey.at(key_of(scene, "approver")).public_pem)
    for drill in FAULTS:
        yield Case(kind="by hand", name=f"{drill} needs an approval", drill=drill, attempt=as_a_fault,
                   rule=replace(OPEN, approvers=(approver,)))  # fmt: skip

        def elsewhere(tried: Tried) -> None:
            name = f"{type(tried.fault).__module__}:{type(tried.fault).__name__}"
            here = replace(tried.scene.context(), staging="some-account.yaml")
            activities._inject(here, tried.staging, name, tried.fault)

        yield Case(kind="by hand", name=f"{drill} needs a lease", drill=drill, attempt=elsewhere)


def _switches(scene: Scene) -> Iterator[Case]:
    for drill, fault in FAULTS.items():
        broken = fault.prepare(scene.staging())
        yield Case(kind="not healed yet", name=drill, drill=drill, attempt=as_a_fault, open_before=broken)

        def stopped(tried: Tried) -> None:
            tried.scene.context().stop_switch.touch()
            as_a_fault(tried)

        yield Case(kind="stop switch", name=drill, drill=drill, attempt=stopped)


def controls(scene: Scene) -> dict[str, str]:
    """The same attempts with nothing wrong: what is said, "" for each that is let through."""
    said = {}
    for drill, fault in FAULTS.items():
        case = Case(kind="allowed", name=drill, drill=drill, attempt=as_a_drill)
        said[drill] = run(scene, case).said
        plan = fault.prepare(scene.staging())
        planning.check(scene.staging(), (planning.Part(name=drill, plan=plan),))
    return said
