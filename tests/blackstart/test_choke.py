"""No change leaves the process unless an open ledger entry names its very target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from blackstart import choke
from blackstart.choke import Refused
from blackstart.fault import Plan, Target
from blackstart.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path


def plan_for(vpc: str) -> Plan:
    return Plan(targets=(Target(kind="VPC", id=vpc),), before={}, broken={}, calls=("ec2:CreateNetworkAcl",))


@mock_aws
def test_each_change_that_was_answered_is_told_with_its_request_id(tmp_path: Path) -> None:
    told: list[tuple[str, str, int]] = []
    ledger, ec2 = Ledger(tmp_path / "ledger.jsonl"), boto3.client("ec2", region_name="us-east-1")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    choke.install(ec2.meta.events, ledger, lambda *call: told.append(call))
    ledger.open("drill", "faults.x:X", {}, plan_for(vpc))

    ec2.describe_vpcs()
    answer = ec2.create_network_acl(VpcId=vpc)["ResponseMetadata"]
    with pytest.raises(Refused):
        ec2.delete_vpc(VpcId=vpc)

    assert told == [("ec2:CreateNetworkAcl", answer["RequestId"], 200)]


@mock_aws
def test_a_change_needs_an_open_entry_that_names_target_and_call(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ec2 = boto3.client("ec2", region_name="us-east-1")
    vpcs = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(2)]
    choke.install(ec2.meta.events, ledger)
    before = len(ec2.describe_network_acls()["NetworkAcls"])

    with pytest.raises(Refused, match="not named"):
        ec2.create_network_acl(VpcId=vpcs[0])

    entry = ledger.open("drill", "faults.x:X", {}, plan_for(vpcs[0]))
    with pytest.raises(Refused, match="not named"):
        ec2.create_network_acl(VpcId=vpcs[1])
    with pytest.raises(Refused, match="not named"):
        ec2.delete_vpc(VpcId=vpcs[0])
    ec2.create_network_acl(VpcId=vpcs[0])
    ledger.healed(entry.id, "read back")
    with pytest.raises(Refused, match="not named"):
        ec2.create_network_acl(VpcId=vpcs[0])

    assert len(ec2.describe_network_acls()["NetworkAcls"]) == before + 1


@mock_aws
def test_a_session_passes_the_choke_point_on_to_its_clients(tmp_path: Path) -> None:
    session = boto3.Session(region_name="us-east-1")
    choke.install(session.events, Ledger(tmp_path / "ledger.jsonl"))

    session.client("s3").list_buckets()
    with pytest.raises(Refused):
        session.client("s3").create_bucket(Bucket="b")
