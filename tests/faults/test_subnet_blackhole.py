"""The blackhole finds its subnets, moves them to a denying ACL, and gives each its own back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from blackstart.fault import Conflict, NothingToBreak, Plan
from blackstart.ledger import Handle, Ledger
from blackstart.staging import Facts
from faults.subnet_blackhole import SubnetBlackhole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blackstart.staging import AnyPower

FAULT = SubnetBlackhole(vpc="bank", az="us-east-1a", tiers=("app", "data"), target_group="bank-api")
TAGS = [{"Key": "Environment", "Value": "staging"}, {"Key": "blackstart", "Value": "allowed"}]


class Vpc:
    """A VPC on moto: two zones, three tiers, an own ACL for the data tier."""

    def __init__(self) -> None:
        self.facts = Facts(
            name="t", account="123456789012", region="us-east-1", isolation="", timings="", base_url=""
        )
        self.ec2 = boto3.client("ec2", region_name="us-east-1")
        self.id = self._tagged("vpc", Name="bank", call=self.ec2.create_vpc, CidrBlock="10.0.0.0/16")
        for number, (tier, zone) in enumerate((t, z) for t in ("app", "data", "public") for z in "ab"):
            self._tagged(
                "subnet", Name=f"{tier}-{zone}", Tier=tier, call=self.ec2.create_subnet, VpcId=self.id,
                CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}",
            )  # fmt: skip

    def aws(self, service: str, region: str = "us-east-1") -> Any:
        return boto3.client(service, region_name=region)

    def power(self, kind: type[AnyPower]) -> AnyPower | None:  # noqa: ARG002 - of the protocol
        return None

    def acls(self) -> dict[str, str]:
        """Which ACL each subnet has, by the subnet's name."""
        subnets = self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.id]}])["Subnets"]
        names = {s["SubnetId"]: t["Value"] for s in subnets for t in s["Tags"] if t["Key"] == "Name"}
        return {
            names[a["SubnetId"]]: a["NetworkAclId"]
            for acl in self.ec2.describe_network_acls()["NetworkAcls"]
            for a in acl["Associations"]
            if a["SubnetId"] in names
        }

    def _tagged(self, kind: str, *, call: Any, Name: str, Tier: str = "", **arguments: str) -> str:  # noqa: N803 - tags
        tags = [*TAGS, {"Key": "Name", "Value": Name}, {"Key": "Tier", "Value": Tier}]
        made = call(**arguments, TagSpecifications=[{"ResourceType": kind, "Tags": tags}])
        name: str = made[kind.capitalize()][f"{kind.capitalize()}Id"]
        return name


@pytest.fixture
def vpc() -> Iterator[Vpc]:
    with mock_aws():
        yield Vpc()


def opened(tmp_path: Path, plan: Plan) -> Handle:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    return Handle(ledger.open("drill", "faults.subnet_blackhole:SubnetBlackhole", {}, plan).id, ledger)


def test_it_looks_without_touching(vpc: Vpc) -> None:
    before = vpc.acls()
    plan = FAULT.prepare(vpc)

    assert vpc.acls() == before
    assert [t.kind for t in plan.targets] == ["subnet", "subnet", "VPC"]
    assert set(plan.before.values()) == {before["app-a"]}


def test_only_the_zones_named_tiers_go_dark_and_come_back(vpc: Vpc, tmp_path: Path) -> None:
    before = vpc.acls()
    plan = FAULT.prepare(vpc)
    entry = opened(tmp_path, plan)
    FAULT.inject(vpc, plan, entry)
    broken = vpc.acls()

    assert {name for name in broken if broken[name] != before[name]} == {"app-a", "data-a"}

    FAULT.heal(vpc, plan, entry)
    FAULT.heal(vpc, plan, entry)

    assert vpc.acls() == before
    assert len(vpc.ec2.describe_network_acls()["NetworkAcls"]) == 2  # moto's default VPC has one too


def test_an_acl_made_but_never_written_down_is_found_and_removed(vpc: Vpc, tmp_path: Path) -> None:
    plan = FAULT.prepare(vpc)
    entry = opened(tmp_path, plan)
    tags = [{"Key": "blackstart:entry", "Value": entry.id}]
    vpc.ec2.create_network_acl(
        VpcId=vpc.id, TagSpecifications=[{"ResourceType": "network-acl", "Tags": tags}]
    )
    FAULT.heal(vpc, plan, entry)

    assert len(vpc.ec2.describe_network_acls()["NetworkAcls"]) == 2


def test_a_subnet_that_somebody_else_moved_is_left_alone(vpc: Vpc, tmp_path: Path) -> None:
    plan = FAULT.prepare(vpc)
    entry = opened(tmp_path, plan)
    theirs = vpc.ec2.create_network_acl(VpcId=vpc.id)["NetworkAcl"]["NetworkAclId"]
    association = next(
        a["NetworkAclAssociationId"]
        for acl in vpc.ec2.describe_network_acls()["NetworkAcls"]
        for a in acl["Associations"]
        if a["SubnetId"] == plan.targets[0].id
    )
    vpc.ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=theirs)

    with pytest.raises(Conflict, match=theirs):
        FAULT.heal(vpc, plan, entry)

    assert theirs in vpc.acls().values()


@pytest.mark.parametrize("wrong", [{"vpc": "bnak"}, {"az": "us-east-1z"}, {"tiers": ("ap",)}])
def test_nothing_found_is_an_error(vpc: Vpc, wrong: dict[str, Any]) -> None:
    fault = SubnetBlackhole(
        **{**{name: getattr(FAULT, name) for name in FAULT.__dataclass_fields__}, **wrong}
    )

    with pytest.raises(NothingToBreak):
        fault.prepare(vpc)
