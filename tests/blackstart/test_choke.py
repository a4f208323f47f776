"""No change leaves the process unless an open ledger entry names its very target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from blackstart import choke
from blackstart.choke import ChokePoint, Refused, Seen
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
    ChokePoint(ledger=ledger, told=lambda *call: told.append(call)).install(ec2.meta.events)
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
    ChokePoint(ledger=ledger).install(ec2.meta.events)
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
    ChokePoint(ledger=Ledger(tmp_path / "ledger.jsonl")).install(session.events)

    session.client("s3").list_buckets()
    with pytest.raises(Refused):
        session.client("s3").create_bucket(Bucket="b")


@mock_aws
def test_one_named_resource_does_not_let_another_pass(tmp_path: Path) -> None:
    ledger, ec2 = Ledger(tmp_path / "ledger.jsonl"), boto3.client("ec2", region_name="us-east-1")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    acls = [ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"] for _ in range(2)]
    ChokePoint(ledger=ledger).install(ec2.meta.events)
    named = Plan(
        targets=(Target(kind="instance", id="i-1"), Target(kind="ACL", id=acls[0])), before={}, broken={},
        calls=("ec2:StopInstances", "ec2:ReplaceNetworkAclAssociation"),
    )  # fmt: skip
    ledger.open("drill", "faults.x:X", {}, named)

    with pytest.raises(Refused, match="i-2 is not named"):
        ec2.stop_instances(InstanceIds=["i-1", "i-2"])
    with pytest.raises(Refused, match="aclassoc-1 is not named"):
        ec2.replace_network_acl_association(AssociationId="aclassoc-1", NetworkAclId=acls[0])


@mock_aws
def test_an_entry_is_good_for_its_region_only(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    point = ChokePoint(ledger=ledger, region="us-east-1")
    clients = {region: boto3.client("ec2", region_name=region) for region in ("us-east-1", "us-west-2")}
    vpcs = {name: ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for name, ec2 in clients.items()}
    for name, ec2 in clients.items():
        point.install(ec2.meta.events)
        ledger.open("drill", "faults.x:X", {}, plan_for(vpcs[name]))

    clients["us-east-1"].create_network_acl(VpcId=vpcs["us-east-1"])
    with pytest.raises(Refused, match="us-west-2"):
        clients["us-west-2"].create_network_acl(VpcId=vpcs["us-west-2"])

    ledger.open("drill", "faults.x:X", {}, replace(plan_for(vpcs["us-west-2"]), region="us-west-2"))
    clients["us-west-2"].create_network_acl(VpcId=vpcs["us-west-2"])


@mock_aws
def test_every_call_is_seen_with_who_made_it_and_each_change_checked_once_more(tmp_path: Path) -> None:
    ledger, ec2 = Ledger(tmp_path / "ledger.jsonl"), boto3.client("ec2", region_name="us-east-1")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    seen: list[tuple[str, str]] = []
    checked: list[str] = []
    ChokePoint(
        ledger=ledger, seen=lambda call: seen.append((call.name, call.role)),
        before_change=lambda call: checked.append(call.name),
    ).install(ec2.meta.events)  # fmt: skip
    ledger.open("drill", "faults.x:X", {}, plan_for(vpc))

    ec2.describe_vpcs()
    with choke.as_role(choke.HEALER):
        ec2.create_network_acl(VpcId=vpc)
    with pytest.raises(Refused):
        ec2.delete_vpc(VpcId=vpc)

    assert seen == [
        ("ec2:DescribeVpcs", "runner"),
        ("ec2:CreateNetworkAcl", "healer"),
        ("ec2:DeleteVpc", "runner"),
    ]
    assert checked == ["ec2:CreateNetworkAcl"]


@mock_aws
def test_what_belongs_to_no_region_needs_an_entry_and_no_region(tmp_path: Path) -> None:
    ledger, route53 = Ledger(tmp_path / "ledger.jsonl"), boto3.client("route53", region_name="us-west-2")
    zones = [
        route53.create_hosted_zone(Name=f"{name}.example.", CallerReference=name)["HostedZone"]["Id"]
        for name in ("bank", "shop")
    ]
    ids = [zone.rpartition("/")[2] for zone in zones]
    checked: list[str] = []
    ChokePoint(
        ledger=ledger, region="us-east-1", before_change=lambda call: checked.append(call.region)
    ).install(route53.meta.events)
    named = Target(kind="hosted zone", id=ids[0])
    ledger.open(
        "drill", "faults.x:X", {},
        Plan(targets=(named,), before={}, broken={}, calls=("route53:DeleteHostedZone",)),
    )  # fmt: skip

    with pytest.raises(Refused, match="not named"):
        route53.delete_hosted_zone(Id=ids[1])
    route53.delete_hosted_zone(Id=ids[0])

    assert checked == ["aws-global"]


@mock_aws
def test_an_entry_may_be_good_for_a_second_region(tmp_path: Path) -> None:
    ledger, ec2 = Ledger(tmp_path / "ledger.jsonl"), boto3.client("ec2", region_name="us-west-2")
    ChokePoint(ledger=ledger, region="us-east-1").install(ec2.meta.events)
    plan = plan_for("vpc-1")
    ledger.open("drill", "faults.x:X", {}, plan)

    with pytest.raises(Refused, match="us-west-2"):
        ec2.create_network_acl(VpcId="vpc-1")

    ledger.open("drill", "faults.x:X", {}, replace(plan, elsewhere="us-west-2"))
    with pytest.raises(ClientError, match="InvalidVpcID"):
        ec2.create_network_acl(VpcId="vpc-1")


@mock_aws
def test_who_has_a_choke_point_of_his_own_passes_by(tmp_path: Path) -> None:
    ledger, ec2 = Ledger(tmp_path / "ledger.jsonl"), boto3.client("ec2", region_name="us-east-1")
    ChokePoint(ledger=ledger, reaches=lambda _: False).install(ec2.meta.events)
    choke.pass_by(ec2.meta.events)

    with pytest.raises(Refused, match="not of this staging"):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")


def test_whose_identity_it_is_may_always_be_asked(tmp_path: Path) -> None:
    point, role = ChokePoint(ledger=Ledger(tmp_path / "ledger.jsonl")), "arn:aws:iam::1:role/x"

    def asks(service: str) -> Seen:
        return Seen(
            service=service, operation="AssumeRole", region="", params={"RoleArn": role}, role=choke.RUNNER
        )

    point.pass_through(asks("sts"))
    with pytest.raises(Refused):
        point.pass_through(asks("iam"))


ARN = "arn:aws:ecs:us-east-1:123456789012"
SERVICE = Target(kind="ECS service", id="bank-api", arn=f"{ARN}:service/bank/bank-api")
TASK = Target(kind="ECS task", id="t-1", arn=f"{ARN}:task/bank/t-1")
ZONE, RECORD = Target(kind="hosted zone", id="Z1"), "api.bank.example."
POINT = Target(kind="recovery point", id="arn:aws:backup:us-east-1:123456789012:recovery-point:1")
CHANGED = {"Key": "Name", "Value": "x"}


def told(tmp_path: Path, call: str, params: dict[str, Any], plan: Plan) -> str:
    """What the choke point says of a call, "" when it lets it pass, by an entry of its own."""
    service, _, operation = call.partition(":")
    ledger = Ledger(tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl")
    ledger.open("drill", "faults.x:X", {}, replace(plan, calls=(call,)))
    seen = Seen(service=service, operation=operation, region="us-east-1", params=params, role=choke.RUNNER)
    try:
        ChokePoint(ledger=ledger).pass_through(seen)
    except Refused as refusal:
        return str(refusal)
    return ""


def plan_of(*targets: Target, **before: str) -> Plan:
    return Plan(targets=targets, before=before, broken={}, calls=())


def dns(name: str) -> dict[str, Any]:
    led_to = {"HostedZoneId": "Z-of-AWS", "DNSName": "lb.aws", "EvaluateTargetHealth": False}
    record = {"Name": name, "Type": "A", "SetIdentifier": "first", "AliasTarget": led_to}
    change = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    return {"HostedZoneId": "Z1", "ChangeBatch": change}


@pytest.mark.parametrize(
    ("call", "good", "wrong", "says", "plan"),
    [
        ("ecs:UpdateService", {"cluster": "bank", "service": "bank-api"},
         {"cluster": "shop", "service": "bank-api"}, "shop", plan_of(SERVICE)),
        ("ecs:UpdateService", {"cluster": f"{ARN}:cluster/bank", "service": "bank-api"},
         {"service": "bank-api"}, "default", plan_of(SERVICE)),
        ("ecs:UpdateService", {"cluster": "bank", "service": SERVICE.arn},
         {"cluster": f"{ARN[:-1]}3:cluster/bank", "service": SERVICE.arn}, "cluster/bank", plan_of(SERVICE)),
        ("ecs:StopTask", {"cluster": "bank", "task": "t-1"}, {"cluster": "shop", "task": "t-1"}, "shop",
         plan_of(TASK)),
        ("backup:DeleteRecoveryPoint", {"BackupVaultName": "mine", "RecoveryPointArn": POINT.id},
         {"BackupVaultName": "vault-2", "RecoveryPointArn": POINT.id}, "vault-2",
         plan_of(POINT, vault="mine")),
        ("backup:StartRestoreJob",
         {"RecoveryPointArn": POINT.id, "Metadata": {"DBClusterIdentifier": "new", "KmsKeyId": "k"}},
         {"RecoveryPointArn": POINT.id, "Metadata": {"dbClusterIdentifier": "ledger"}}, "ledger",
         plan_of(POINT, new="new")),
        ("rds:RestoreDBClusterToPointInTime", {"DBClusterIdentifier": "new", "DBSubnetGroupName": "data"},
         {"DBClusterIdentifier": "new", "DBSubnetGroupName": "other"}, "other",
         plan_of(Target(kind="DB subnet group", id="data"), new="new")),
        ("rds:AddTagsToResource", {"ResourceName": POINT.id, "Tags": [CHANGED]},
         {"ResourceName": "arn:2", "Tags": [{"Key": "Name", "Value": POINT.id}]}, "arn:2", plan_of(POINT)),
        ("route53:ChangeResourceRecordSets", dns(RECORD), dns("www.bank.example."), "www.bank.example.",
         plan_of(ZONE, record=RECORD)),
        ("s3:PutBucketPolicy", {"Bucket": "receipts", "Policy": "{}"}, {"Bucket": "b", "Policy": "receipts"},
         "b", plan_of(Target(kind="bucket", id="receipts"))),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_whatever_names_a_resource_must_be_named_however_deep(
    tmp_path: Path, *, call: str, good: dict[str, Any], wrong: dict[str, Any], says: str, plan: Plan
) -> None:
    assert not told(tmp_path, call, good, plan)
    assert f"{says} is not named by any open ledger entry" in told(tmp_path, call, wrong, plan)
