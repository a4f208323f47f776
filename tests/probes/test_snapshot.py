"""Whatever a drill may change shows in the comparison with the snapshot; what moves by itself does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from probes.snapshot import differences, snapshot
from staging.local.client import LocalStaging
from tests.blackstart.account import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLUSTER, SERVICE = "bank", "bank-api"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account")) as account:
        yield account


@pytest.fixture(scope="module")
def staging(account: Account) -> LocalStaging:
    return LocalStaging(account.facts, account.endpoint)


def move_a_subnet(staging: LocalStaging) -> None:
    ec2 = staging.aws("ec2")
    acl = ec2.describe_network_acls(Filters=[{"Name": "tag:Name", "Values": ["app"]}])["NetworkAcls"][0]
    new = ec2.create_network_acl(VpcId=acl["VpcId"])["NetworkAcl"]["NetworkAclId"]
    association = acl["Associations"][0]["NetworkAclAssociationId"]
    ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=new)


def add_a_rule(staging: LocalStaging) -> None:
    ec2 = staging.aws("ec2")
    acl = ec2.describe_network_acls(Filters=[{"Name": "tag:Name", "Values": ["app"]}])["NetworkAcls"][0]
    ec2.create_network_acl_entry(
        NetworkAclId=acl["NetworkAclId"], RuleNumber=1, Protocol="-1", RuleAction="deny", Egress=True,
        CidrBlock="0.0.0.0/0",
    )  # fmt: skip


def close_a_group(staging: LocalStaging) -> None:
    ec2 = staging.aws("ec2")
    group = ec2.describe_security_groups(GroupNames=["bank-api"])["SecurityGroups"][0]
    ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=group["IpPermissionsEgress"])


CHANGES: dict[str, Callable[[LocalStaging], Any]] = {
    "network ACL of subnet-": move_a_subnet,
    "rules of acl-": add_a_rule,
    "security group sg-": close_a_group,
    "cluster ledger": lambda staging: staging.aws("rds").modify_db_cluster(
        DBClusterIdentifier="ledger", DeletionProtection=True, ApplyImmediately=True
    ),
    "service arn:": lambda staging: staging.aws("ecs").update_service(
        cluster=CLUSTER, service=SERVICE, desiredCount=3
    ),
    "actions of alarm": lambda staging: staging.aws("cloudwatch").disable_alarm_actions(
        AlarmNames=[staging.aws("cloudwatch").describe_alarms()["MetricAlarms"][0]["AlarmName"]]
    ),
    "instance ledger-2 is gone": lambda staging: staging.aws("rds").delete_db_instance(
        DBInstanceIdentifier="ledger-2"
    ),
}


@pytest.mark.parametrize("named", CHANGES)
def test_what_a_drill_may_change_shows(staging: LocalStaging, named: str) -> None:
    before = json.loads(json.dumps(snapshot(staging), default=str))

    assert differences(before, json.loads(json.dumps(snapshot(staging), default=str))) == []

    CHANGES[named](staging)
    found = differences(before, snapshot(staging))

    assert any(difference.startswith(named) for difference in found), found


def test_it_names_what_is_gone_new_and_changed() -> None:
    assert differences({"a": 1, "b": 2}, {"b": 3, "c": 4}) == [
        "a is gone", "c was not there before", "b is 3, was 2",
    ]  # fmt: skip
