"""Healing from outside a drill: each entry gets its turn, and what was healed is as it was, and serves."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from blackstart import activities
from blackstart.fault import Conflict, NotHealed
from blackstart.ledger import Handle
from faults.subnet_blackhole import SubnetBlackhole
from tests.blackstart.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blackstart.context import Context

NAME = "faults.subnet_blackhole:SubnetBlackhole"


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(activities, "_IN_FLIGHT_S", 0.0)
    with Account(tmp_path) as account:
        yield account


def darken(here: Context, tier: str) -> str:
    """Make the subnet of one tier dark, and return which it is."""
    staging = here.attach()
    fault = SubnetBlackhole(vpc="bank", az="us-east-1a", tiers=(tier,), target_group="bank-api")
    plan = fault.prepare(staging)
    entry = here.ledger.open(here.drill, NAME, asdict(fault), plan, staging.facts.generation)
    fault.inject(staging, plan, Handle(entry.id, here.ledger))
    here.ledger.injected(entry.id)
    return str(next(iter(plan.before)))


def meddle(account: Account, subnet: str) -> None:
    """Give a subnet an ACL of somebody else's."""
    ec2 = account.aws("ec2")
    theirs = ec2.create_network_acl(VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"])["NetworkAcl"]
    wrong = next(
        association["NetworkAclAssociationId"]
        for acl in ec2.describe_network_acls()["NetworkAcls"]
        for association in acl["Associations"]
        if association["SubnetId"] == subnet
    )
    ec2.replace_network_acl_association(AssociationId=wrong, NetworkAclId=theirs["NetworkAclId"])


def test_an_entry_that_does_not_heal_keeps_no_other_from_it(account: Account) -> None:
    before, here = account.acls(), account.home("two")
    first, last = darken(here, "data"), darken(here, "cache")
    meddle(account, last)

    with pytest.raises(Conflict):
        activities.heal_open(here, here.attach())

    assert account.acls()[first] == before[first]
    assert [entry.plan.before.keys() for entry in here.ledger.open_entries()] == [{last: ""}.keys()]


def test_all_that_keeps_entries_from_being_healed_is_said(account: Account) -> None:
    here = account.home("three")
    spoilt = [darken(here, "data"), darken(here, "cache")]
    for subnet in spoilt:
        meddle(account, subnet)
    entry = here.ledger.open(here.drill, "nobody:Knows", {}, here.ledger.open_entries()[0].plan, "g1")

    with pytest.raises(NotHealed) as error:
        activities.heal_open(here, here.attach())

    assert str(error.value).count("Conflict: ") == len(spoilt)
    assert "'nobody:Knows'" in str(error.value)
    assert entry.id in {one.id for one in here.ledger.open_entries()}
