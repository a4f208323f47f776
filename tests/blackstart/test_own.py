"""Whatever the harness keeps for itself is changed only in the account that the staging declares."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from blackstart.choke import Refused
from blackstart.holding import held
from blackstart.own import Own
from staging.local.client import LocalStaging
from staging.local.control_plane.platform import DR_REGION
from tests.blackstart.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

ITEM = {"environment": {"S": "e"}, "item": {"S": "i"}}
WRONG = "the credentials belong to account 123456789012, the staging says 999999999999"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account")) as account:
        yield account


def of_another_account(account: Account) -> Own:
    staging = LocalStaging(replace(account.facts, account="999999999999"), account.endpoint)
    return Own(staging, staging.safeguards)


def test_with_credentials_of_another_account_nothing_of_it_is_changed(account: Account) -> None:
    own = of_another_account(account)
    parameter, table = own.safeguards.stop_parameter, own.safeguards.table
    ssm = account.aws("ssm", own.region)
    before = ssm.get_parameter(Name=parameter)["Parameter"]

    with pytest.raises(Refused, match=WRONG):
        own.ssm.put_parameter(Name=parameter, Value="stop", Overwrite=True)
    with pytest.raises(Refused, match=WRONG):
        own.dynamodb.update_item(TableName=table, Key=ITEM)
    with pytest.raises(Refused, match=WRONG):
        own.scheduler.delete_schedule(Name=own.schedule)

    assert ssm.get_parameter(Name=parameter)["Parameter"] == before
    assert account.aws("dynamodb", DR_REGION).get_item(TableName=table, Key=ITEM).get("Item") is None


def test_nothing_is_held_with_credentials_of_another_account(account: Account) -> None:
    here, own = account.home("here"), of_another_account(account)

    with pytest.raises(Refused, match=WRONG), held(here, own, "drill"):
        pass

    kept = account.aws("dynamodb", DR_REGION).scan(TableName=own.safeguards.table)["Items"]

    assert [item for item in kept if item["environment"]["S"] == own.environment] == []
