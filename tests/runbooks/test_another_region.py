"""The other region: restored, started and sent to without the lost one; nothing is left of half a run."""
# ruff: noqa: N802, N803 - operations and parameters bear the names that AWS gives them

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from blackstart import activities, runbook_run
from blackstart.context import Context
from blackstart.runbook_run import follow, open_run
from runbooks import arrival, aurora
from runbooks.restore_in_another_region import RestoreInAnotherRegion
from tests.runbooks.account import TAGS, Account, Killed

if TYPE_CHECKING:
    from pathlib import Path

PAIR = {"ledger-1", "ledger-2"}
RUNBOOK = RestoreInAnotherRegion(within_s=20.0)
EAST, WEST = "bank-1.us-east-1.elb.amazonaws.com", "bank-1.us-west-2.elb.amazonaws.com"


class Elsewhere(Account):
    """An account in whose other region nothing but a service without tasks is running."""

    def __init__(self, context: Context) -> None:
        super().__init__(context.ledger, destroyed=True)
        self.where = "us-west-2"
        self.wanted = 0
        self.leads_to = EAST

    def ListTagsForResource(self, **_: Any) -> dict[str, Any]:
        return {"TagList": TAGS, "ResourceTagSet": {"Tags": TAGS}}

    def DescribeServices(self, **_: Any) -> dict[str, Any]:
        tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in TAGS]
        arn = "arn:aws:ecs:us-west-2:123456789012:service/bank/bank-api"
        shape = {"serviceName": "bank-api", "serviceArn": arn, "tags": tags}
        return {"services": [{**shape, "desiredCount": self.wanted, "runningCount": self.wanted}]}

    def UpdateService(self, desiredCount: int, **_: Any) -> dict[str, Any]:
        self.wanted = desiredCount
        return {}

    def DescribeTargetGroups(self, **_: Any) -> dict[str, Any]:
        return {"TargetGroups": [{"TargetGroupArn": "arn:of:the:group"}]}

    def DescribeTargetHealth(self, **_: Any) -> dict[str, Any]:
        health = {"Target": {"Id": "10.30.1.1"}, "TargetHealth": {"State": "healthy"}}
        return {"TargetHealthDescriptions": [health] * self.wanted}

    def DescribeLoadBalancers(self, **_: Any) -> dict[str, Any]:
        return {"LoadBalancers": [{"DNSName": WEST, "CanonicalHostedZoneId": "Z2"}]}

    def ListHostedZonesByName(self, **_: Any) -> dict[str, Any]:
        return {"HostedZones": [{"Id": "/hostedzone/Z1", "Name": "bank.example."}]}

    def ListResourceRecordSets(self, **_: Any) -> dict[str, Any]:
        alias = {"HostedZoneId": "Z0", "DNSName": f"{self.leads_to}.", "EvaluateTargetHealth": False}
        return {"ResourceRecordSets": [{"Name": "api.bank.example.", "Type": "A", "AliasTarget": alias}]}

    def ChangeResourceRecordSets(self, ChangeBatch: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.leads_to = ChangeBatch["Changes"][0]["ResourceRecordSet"]["AliasTarget"]["DNSName"]
        return {}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often: nothing here takes time. The bank itself is not part of these tests."""
    monkeypatch.setattr(runbook_run, "_LOOK_EVERY_S_MIN", 0.001)
    monkeypatch.setattr(aurora, "_LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(arrival, "_answers", lambda _: True)


def here(tmp_path: Path, name: str = "home") -> Context:
    return Context(home=str(tmp_path / name))


def test_the_ledger_the_bank_and_then_the_customers_arrive(tmp_path: Path) -> None:
    context = here(tmp_path)
    account = Elsewhere(context)
    follow(context, account, RUNBOOK)

    assert account.shape() == {"ledger": PAIR}
    assert (account.wanted, account.leads_to) == (2, WEST)
    assert account.changes[-2:] == ["UpdateService", "ChangeResourceRecordSets"]
    assert context.ledger.open_entries() == ()


def test_the_lost_region_is_asked_for_nothing(tmp_path: Path) -> None:
    context = here(tmp_path)
    account = Elsewhere(context)
    follow(context, account, RUNBOOK)

    assert {region for _, region in account.clients} == {"us-west-2"}
    assert {service for service, _ in account.clients} == {
        "backup", "rds", "rds-data", "secretsmanager", "sts", "ecs", "elbv2", "route53",
    }  # fmt: skip


def test_a_customer_who_is_not_answered_keeps_it_from_being_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr(arrival, "_answers", lambda _: next(answers))
    context = here(tmp_path)
    follow(context, Elsewhere(context), RUNBOOK)

    assert next(answers, "asked until it was true") == "asked until it was true"


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_killed_at_any_call_it_leaves_nothing_unless_customers_are_there(
    tmp_path: Path, *, before: bool
) -> None:
    for call in count(1):
        context = here(tmp_path, str(call))
        account = Elsewhere(context)
        if not killed_at(call, before, account, context):
            break
        activities.heal_open(context, account)

        assert context.ledger.open_entries() == ()
        assert (account.shape(), account.wanted) == (
            ({"ledger": PAIR}, 2) if account.leads_to == WEST else ({}, 0)
        ), call
    assert call >= 10


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_killed_at_any_call_it_can_be_gone_on_with(tmp_path: Path, *, before: bool) -> None:
    for call in count(1):
        context = here(tmp_path, str(call))
        account = Elsewhere(context)
        if not killed_at(call, before, account, context):
            break
        follow(context, account, RUNBOOK, resume=open_run(context))

        assert (account.shape(), account.wanted, account.leads_to) == ({"ledger": PAIR}, 2, WEST), call
        assert len(account.jobs) == 1
    assert call >= 10


def killed_at(call: int, before: bool, account: Elsewhere, context: Context) -> bool:
    account.die_at, account.dies_before = call, before
    try:
        follow(context, account, RUNBOOK)
    except Killed:
        account.die_at = 0
        return True
    return False
