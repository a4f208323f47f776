"""Healing from outside a drill: each entry gets its turn, and what was healed is as it was, and serves."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from blackstart import activities, as_before, watchdog
from blackstart.fault import Conflict, NotHealed
from blackstart.history import History
from blackstart.ledger import Handle
from faults.subnet_blackhole import SubnetBlackhole
from probes import snapshot
from tests.blackstart.account import Account
from tests.faults.ledger_on_moto import Bank

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
    entry = here.ledger.open(here.drill, NAME, asdict(fault), plan, staging.facts)
    fault.inject(staging, plan, Handle(entry.id, here.ledger))
    here.ledger.injected(entry.id)
    return str(next(iter(plan.before)))


def test_an_entry_that_does_not_heal_keeps_no_other_from_it(account: Account) -> None:
    before, here = account.acls(), account.home("two")
    first, last = darken(here, "data"), darken(here, "cache")
    account.give_acl(last)

    with pytest.raises(Conflict):
        activities.heal_open(here, here.attach())

    assert account.acls()[first] == before[first]
    assert [entry.plan.before.keys() for entry in here.ledger.open_entries()] == [{last: ""}.keys()]


def test_all_that_keeps_entries_from_being_healed_is_said(account: Account) -> None:
    here = account.home("three")
    spoilt = [darken(here, "data"), darken(here, "cache")]
    for subnet in spoilt:
        account.give_acl(subnet)
    entry = here.ledger.open(
        here.drill, "nobody:Knows", {}, here.ledger.open_entries()[0].plan, account.facts
    )

    with pytest.raises(NotHealed) as error:
        activities.heal_open(here, here.attach())

    assert str(error.value).count("Conflict: ") == len(spoilt)
    assert "'nobody:Knows'" in str(error.value)
    assert entry.id in {one.id for one in here.ledger.open_entries()}


def test_what_differs_from_the_snapshot_is_named(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_before, "WITHIN_S", 0.5)
    here = account.home("changed")
    staging = here.attach()
    events = here.events()
    events.write("snapshot", state=snapshot.snapshot(staging))
    events.close()
    subnet = darken(here, "data")
    before = as_before.found_by(here, here.drill)

    assert before is not None
    with pytest.raises(as_before.NotAsBefore, match=f"network ACL of {subnet} is acl-"):
        as_before.await_as_before(staging, before)

    activities.heal_open(here, staging)

    # all is as it was, and nobody answers
    with pytest.raises(as_before.NotAsBefore, match="the bank answers well"):
        as_before.await_as_before(staging, before)
    assert as_before.found_by(here, "by hand") is None


def test_a_watchdog_says_when_staging_is_not_what_the_drill_had_found(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_before, "WITHIN_S", 0.5)
    here = account.home("watched")
    staging = here.attach()
    events = here.events()
    events.write("snapshot", state={**snapshot.snapshot(staging), "alarm of old": "OK"})
    events.close()
    before = account.acls()
    darken(here, "data")

    assert not watchdog.heal(here, staging, "the runner is gone")

    ended = History(here.history).event("watchdog.end")
    assert ended is not None
    assert "but staging is NOT AS BEFORE" in ended.detail["outcome"]
    assert "alarm of old" in ended.detail["outcome"]
    assert (account.acls(), here.ledger.open_entries()) == (before, ())


def test_databases_that_a_runbook_may_replace_are_not_compared(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = account.home("replaced").attach()
    kept = snapshot.snapshot(staging, snapshot.DATABASES)

    bank = Bank()
    bank.pages["/health/ready"] = {}
    account.facts = replace(account.facts, base_url=bank.url)
    monkeypatch.setattr(as_before, "STEADY_S", 0.0)
    try:
        as_before.await_as_before(account.home("serves").attach(), kept)
    finally:
        bank.close()
