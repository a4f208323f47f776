"""One bad target refuses all; the wrong account refuses everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from blackstart import guards
from blackstart.choke import Refused
from blackstart.fault import Plan, Target
from blackstart.ledger import Ledger
from blackstart.rules import Rules
from blackstart.staging import Facts

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.staging import AnyPower

LONG_AGO = "2026-01-01T00:00:00+00:00"
GOOD = {"Environment": "staging", "blackstart": "allowed"}


class Account:
    def __init__(self, account: str = "123456789012", region: str = "us-east-1") -> None:
        self.rules = Rules()
        self.facts = Facts(name="test", account=account, region=region, isolation="", timings="", base_url="")

    def aws(self, service: str, region: str = "") -> Any:
        return boto3.client(service, region_name=region or self.facts.region)

    def power(self, kind: type[AnyPower]) -> AnyPower | None:  # noqa: ARG002 - of the protocol
        return None


def plan_of(*targets: Target) -> Plan:
    return Plan(targets=targets, before={}, broken={}, calls=())


def looked_up_now(plan: Plan) -> Plan:
    """Plans age from when tests are collected; only what is old on purpose stays so."""
    return plan if plan.prepared_at == LONG_AGO else replace(plan, prepared_at=datetime.now(UTC).isoformat())


def target(name: str = "subnet-1", **tags: str) -> Target:
    return Target(kind="subnet", id=name, tags=GOOD | tags)


@mock_aws
def test_good_targets_in_the_right_account_pass() -> None:
    guards.check_plan(Account(), plan_of(target("a"), target("b")))


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (plan_of(), "no target"),
        (plan_of(target("a"), target("b", Environment="production")), "tag Environment='production'"),
        (plan_of(target("a"), Target(kind="subnet", id="b")), "tag blackstart=None"),
        (plan_of(target("ledger-prod-1")), "named like production"),
        (plan_of(target("a", Name="prod")), "named like production"),
        (plan_of(*(target(str(number)) for number in range(13))), "at most 12"),
    ],
)
@mock_aws
def test_one_bad_target_refuses_all(plan: Plan, why: str) -> None:
    with pytest.raises(Refused, match=why):
        guards.check_plan(Account(), looked_up_now(plan))


@mock_aws
def test_another_account_is_refused() -> None:
    with pytest.raises(Refused, match="belong to account 123456789012"):
        guards.check_plan(Account("999999999999"), plan_of(target()))


def test_an_open_entry_refuses_a_new_start(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    guards.check_nothing_open(ledger)
    ledger.open("drill", "faults.x:X", {}, plan_of(target()))

    with pytest.raises(Refused, match="blackstart heal"):
        guards.check_nothing_open(ledger)


@pytest.mark.parametrize(
    "name",
    ["prod", "ledger-prod-1", "ledgerprod", "Prod.Bank", "PRD", "prodbank", "bank production", "live-2"],
)
def test_what_sounds_like_production(name: str) -> None:
    assert guards.looks_like_production(name)


@pytest.mark.parametrize(
    "name", ["product-catalogue", "producer", "reproduce", "deliver", "olive", "prodigy", "staging", ""]
)
def test_what_does_not(name: str) -> None:
    assert not guards.looks_like_production(name)


def zone_plan(*taken: str) -> Plan:
    shares = {"zones of bank": {"taken": list(taken), "of": ["a", "b"]}}
    return replace(plan_of(target()), shares=shares)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (replace(plan_of(target()), region="us-west-2"), "region us-west-2"),
        (replace(plan_of(target()), prepared_at=LONG_AGO), "looked up anew"),
        (plan_of(replace(target(), arn="arn:aws:rds:us-east-1:999999999999:db:x")), "account 999999999999"),
        (plan_of(replace(target(), arn="arn:aws:rds:eu-west-1:123456789012:db:x")), "region eu-west-1"),
        (plan_of(target(env="production")), "as production has"),
        (zone_plan("a", "b"), "2 of 2 zones of bank"),
    ],
)
@mock_aws
def test_what_is_not_allowed_anywhere(plan: Plan, why: str) -> None:
    with pytest.raises(Refused, match=why):
        guards.check_plan(Account(), looked_up_now(plan))


@mock_aws
def test_shares_are_counted_over_all_that_is_broken() -> None:
    guards.check_plan(Account(), zone_plan("a"))
    guards.check_plan(Account(), zone_plan("a"), [zone_plan("a")])

    with pytest.raises(Refused, match="2 of 2 zones"):
        guards.check_plan(Account(), zone_plan("b"), [zone_plan("a")])


@mock_aws
def test_a_whole_region_is_lost_only_where_the_owner_says_so() -> None:
    lost = replace(zone_plan("a", "b"), loses_region=True, elsewhere="us-west-2")
    account = Account()
    with pytest.raises(Refused, match="region us-west-2 is not among"):
        guards.check_plan(account, lost)
    account.rules = Rules(regions=("us-west-2",))
    with pytest.raises(Refused, match="region_loss: true"):
        guards.check_plan(account, lost)

    account.rules = Rules(regions=("us-west-2",), region_loss=True)
    guards.check_plan(account, lost)
    with pytest.raises(Refused, match="2 of 2 zones of bank"):  # for a zone it is no leave
        guards.check_plan(account, zone_plan("a", "b"), [lost])


@mock_aws
def test_a_target_may_be_in_the_second_region_of_its_plan_and_in_no_third() -> None:
    account = Account()
    account.rules = Rules(regions=("us-west-2", "eu-west-1"))

    def plan_in(region: str) -> Plan:
        arn = f"arn:aws:ecs:{region}:123456789012:service/bank/bank-api"
        return replace(plan_of(target("a"), replace(target("b"), arn=arn)), elsewhere="us-west-2")

    guards.check_plan(account, plan_in("us-west-2"))
    with pytest.raises(Refused, match="b is in region eu-west-1, the plan says us-east-1, us-west-2"):
        guards.check_plan(account, plan_in("eu-west-1"))


@mock_aws
def test_the_owners_rules_hold() -> None:
    account = Account()
    account.rules = Rules(regions=("us-west-2",), destruction=False, targets_max=1, seconds_max=60)
    guards.check_plan(account, replace(plan_of(target()), region="us-west-2"))

    with pytest.raises(Refused, match="destruction"):
        guards.check_plan(account, replace(plan_of(target()), destroys=True))
    with pytest.raises(Refused, match="2 targets, at most 1"):
        guards.check_plan(account, plan_of(target("a"), target("b")))
    with pytest.raises(Refused, match="the staging allows 60 s"):
        guards.check_time(account, datetime.now(UTC) + timedelta(seconds=90))
    guards.check_time(account, datetime.now(UTC) + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("code", "says"), [("ExpiredToken", "have expired: log in again"), ("InvalidClientTokenId", "who we are")]
)
def test_credentials_that_are_no_good_are_said_to_be(code: str, says: str) -> None:
    sts = boto3.client("sts", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106 - nobody checks it

    def answer(**_: object) -> tuple[object, dict[str, object]]:
        return SimpleNamespace(status_code=403), {
            "Error": {"Code": code, "Message": ""},
            "ResponseMetadata": {},
        }

    sts.meta.events.register("before-call.sts.GetCallerIdentity", answer)
    account = Account()
    account.aws = lambda *_: sts  # type: ignore[method-assign] # the credentials are what is tested

    with pytest.raises(guards.NoIdentity, match=says):
        guards.check_account(account)
