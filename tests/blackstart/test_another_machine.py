"""Machines that share an account: one drills at a time, and one can heal what another has left."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from blackstart import account_ledger, dead_man_function, holding
from blackstart.account_ledger import AccountLedger, NotCopied
from blackstart.choke import Refused
from blackstart.context import account_ledger as copy_of
from blackstart.dead_man import DeadMan
from blackstart.exit_code import ExitCode
from blackstart.fault import Plan, Target
from blackstart.holding import Unheld, check_account, held
from blackstart.lease import RENEW_EVERY_S, Lease, Leased, holder_of
from blackstart.ledger import Ledger
from blackstart.waiting import wait_until
from staging.local.control_plane.platform import DR_REGION
from tests.blackstart.account import Account
from tests.blackstart.test_watchdog import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blackstart.context import Context
    from blackstart.own import Own

BLACKSTART = str(Path(sys.executable).with_name("blackstart"))
PATIENCE_S = 60.0
PLAN = Plan(targets=(Target(kind="VPC", id="vpc-1"),), before={}, broken={}, calls=("ec2:CreateNetworkAcl",))


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account")) as account:
        yield account


def own_of(here: Context) -> Own:
    own = here.own()
    assert own is not None
    return own


def let_the_lease_end(account: Account, here: Context) -> None:
    """As if its minute had passed."""
    account.aws("dynamodb", DR_REGION).update_item(
        TableName="blackstart", Key=Lease(own_of(here), "").key, UpdateExpression="SET held_until = :past",
        ExpressionAttributeValues={":past": {"N": str(time.time() - 1)}},
    )  # fmt: skip


def heal(here: Context, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [BLACKSTART, "--home", here.home, "heal", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def lose(machine: Runner) -> None:
    """End it, with everything on it."""
    for dog in machine.dogs:
        dog.kill()
    machine.process.kill()
    machine.process.communicate()


def schedules(account: Account) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = account.aws("scheduler", DR_REGION).list_schedules()["Schedules"]
    return found


def test_a_lost_machine_is_healed_by_another_one_and_only_one_drills_at_a_time(account: Account) -> None:
    before = account.acls()
    lost, other = Runner(account.home("lost"), "waits"), account.home("other")
    assert lost.said == "broken"
    armed = schedules(account)

    second = Runner(account.home("second"), "waits")
    refused = heal(other, "--from-account")
    lose(lost)
    let_the_lease_end(account, other)
    third = Runner(account.home("third"), "waits")
    still_armed = schedules(account)
    healed = heal(other, "--from-account")

    assert second.said == third.said == ""
    assert refused.returncode == ExitCode.REFUSED
    assert "is leased to" in refused.stderr
    assert healed.returncode == ExitCode.PASSED, healed.stderr
    assert account.acls() == before
    assert [schedule["Name"] for schedule in armed] == ["blackstart-123456789012-us-east-1"]
    assert len(still_armed) == 1
    assert schedules(account) == []

    # the lost machine comes back, and learns that it is healed
    assert len(lost.here.ledger.open_entries()) == 1
    assert heal(lost.here).stdout.splitlines()[-1] == "nothing to heal"
    assert lost.here.ledger.open_entries() == ()
    assert second.leaves_nothing()
    assert third.leaves_nothing()


def test_whoever_lost_the_lease_opens_nothing(account: Account) -> None:
    slow, quick = account.home("slow"), account.home("quick")
    with held(slow, slow.own(), "slow") as (late, _):
        let_the_lease_end(account, quick)
        with held(quick, quick.own(), "quick") as (inside, _):
            with pytest.raises(NotCopied, match="no longer ours"):
                late.ledger.open("slow", "faults.x:X", {}, PLAN)
            entry = inside.ledger.open("quick", "faults.x:X", {}, PLAN)
            with pytest.raises(Refused, match="another machine left open: X"):
                check_account(replace(late, token=inside.token))
            inside.ledger.healed(entry.id, "read back")

            assert copy_of(inside).open_entries() == ()
            assert inside.token > late.token


def test_whoever_slept_while_another_machine_healed_breaks_nothing(account: Account) -> None:
    slow, quick = account.home("sleeps"), account.home("heals")
    with held(slow, slow.own(), "slow") as (late, _):
        entry = late.ledger.open("slow", "faults.x:X", {}, PLAN)
        late.ledger.confirm(entry)
        let_the_lease_end(account, quick)
        with held(quick, quick.own(), "quick") as (inside, _):
            with pytest.raises(NotCopied, match="no longer ours"):
                late.ledger.confirm(entry)
            account_ledger.fetch(copy_of(inside), inside.ledger)
            inside.ledger.confirm(entry)
            inside.ledger.healed(entry.id, "read back")
            with pytest.raises(NotCopied, match="or it is healed"):
                inside.ledger.confirm(entry)


def test_a_lease_whose_renewal_hangs_is_lost_before_it_ends(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = account.home("hangs")
    with held(here, here.own(), "hangs") as (_, hold):
        assert hold is not None
        kept = hold.lost
        monkeypatch.setattr(holding, "LEASE_S", RENEW_EVERY_S - 1)

        assert (kept, hold.lost) == (None, "the lease could not be renewed")


def test_a_dead_man_that_cannot_be_armed_leaves_no_lease_behind(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = account.home("unarmed")

    def refused(_: DeadMan) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "CreateSchedule")

    monkeypatch.setattr(DeadMan, "arm", refused)
    with pytest.raises(Unheld, match="AccessDenied"), held(here, own_of(here), "a drill"):
        pass

    monkeypatch.undo()
    other = account.home("armed")  # another machine need not wait until that lease has ended
    with held(other, own_of(other), "a drill") as (_, hold):
        assert hold is not None
        assert hold.lost is None


def test_a_lease_that_is_lost_or_cannot_be_renewed_is_told(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "RENEW_EVERY_S", 0.05)
    mine = account.home("mine")
    with held(mine, mine.own(), "mine") as (_, hold):
        assert hold is not None
        hand_over(account, mine)
        wait_until(lambda: hold.lost, within_s=PATIENCE_S, what="the loss is noticed")

        assert hold.lost == "another machine has taken the lease"

    let_the_lease_end(account, mine)
    again = Lease(own_of(mine), holder_of(mine.place))

    assert again.take("goes on") > 0

    again.release()


def hand_over(account: Account, here: Context) -> None:
    """As if its minute had passed and another machine had taken it; in one step, for its holder renews it."""
    account.aws("dynamodb", DR_REGION).update_item(
        TableName="blackstart", Key=Lease(own_of(here), "").key,
        UpdateExpression="SET holder = :other, held_until = :until ADD fence :one",
        ExpressionAttributeValues={
            ":other": {"S": "another machine"}, ":until": {"N": str(time.time() + 60)}, ":one": {"N": "1"},
        },
    )  # fmt: skip


def test_an_entry_comes_back_from_the_account_as_it_was(account: Account) -> None:
    here, other = account.home("here"), account.home("there")
    with held(here, here.own(), "drill") as (inside, _):
        entry = inside.ledger.open("drill", "faults.x:X", {"az": "a"}, PLAN, account.facts)
        inside.ledger.created(entry.id, "acl-1")
        inside.ledger.note(entry.id, {"seed": 4})
        own = own_of(other)
        account_ledger.fetch(AccountLedger(own, Lease(own, "anybody")), other.ledger)
        inside.ledger.close(entry.id, "healed, and the account was away")
        check_account(inside)

        assert copy_of(inside).open_entries() == ()

    fetched = other.ledger.open_entries()

    assert fetched == (replace(entry, created=("acl-1",), notes={"seed": 4}),)


def test_without_the_account_nothing_is_injected_but_everything_healed(account: Account) -> None:
    here = account.home("cut off")
    with held(here, here.own(), "drill") as (inside, _):
        entry = inside.ledger.open("drill", "faults.x:X", {}, PLAN)
        gone = replace(own_of(here), safeguards=replace(own_of(here).safeguards, table="gone"))
        nowhere = AccountLedger(gone, Lease(gone, "x", inside.token))
        ledger = Ledger(inside.ledger.path, lambda: nowhere)
        with pytest.raises(NotCopied):
            ledger.open("drill", "faults.x:Y", {}, PLAN)
        for left in ledger.open_entries():
            ledger.healed(left.id, "read back")

        assert copy_of(inside).state(entry.id) == "open"
        assert ledger.open_entries() == ()

        check_account(inside)

        assert copy_of(inside).state(entry.id) == "healed"


def test_the_clients_of_the_harness_change_nothing_else(account: Account) -> None:
    own = own_of(account.home("own"))
    item = {"environment": {"S": "e"}, "item": {"S": "i"}}

    with pytest.raises(Refused, match="not for the harness's own"):
        own.dynamodb.put_item(TableName="blackstart", Item=item)
    with pytest.raises(Refused, match="sessions"):
        own.dynamodb.update_item(TableName="sessions", Key=item)
    with pytest.raises(Refused, match="sessions"):
        own.dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": name, "Item": item}} for name in ("blackstart", "sessions")]
        )
    with pytest.raises(Refused, match="nightly"):
        own.scheduler.delete_schedule(Name="nightly")


def test_the_dead_mans_function_heals_from_an_empty_home(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = account.acls()
    lost, function = Runner(account.home("gone"), "waits"), account.home("function")
    assert lost.said == "broken"
    lose(lost)
    monkeypatch.setenv("BLACKSTART_CONTEXT", json.dumps({"home": function.home}))
    with pytest.raises(Leased):
        dead_man_function.handle({}, None)

    assert len(schedules(account)) == 1

    let_the_lease_end(account, function)
    done = dead_man_function.handle({"environment": "e"}, None)

    assert done == {"environment": "e", "done": "healed: faults.subnet_blackhole:SubnetBlackhole"}
    assert account.acls() == before
    assert schedules(account) == []
