"""One bad target refuses all; the wrong account refuses everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from blackstart import guards
from blackstart.choke import Refused
from blackstart.fault import Plan, Target
from blackstart.ledger import Ledger
from blackstart.staging import Facts

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.staging import AnyPower

GOOD = {"Environment": "staging", "blackstart": "allowed"}


class Account:
    def __init__(self, account: str = "123456789012", region: str = "us-east-1") -> None:
        self.facts = Facts(name="test", account=account, region=region, isolation="", timings="", base_url="")

    def aws(self, service: str, region: str = "") -> Any:
        return boto3.client(service, region_name=region or self.facts.region)

    def power(self, kind: type[AnyPower]) -> AnyPower | None:  # noqa: ARG002 - of the protocol
        return None


def plan_of(*targets: Target) -> Plan:
    return Plan(targets=targets, before={}, broken={}, calls=())


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
        guards.check_plan(Account(), plan)


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
