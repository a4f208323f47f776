"""The platform as boto3 sees it: seeded, tagged, and with subnets that follow their network ACLs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from moto.core.base_backend import BackendDict

from staging.local.control_plane.nacl import Darkness
from staging.local.control_plane.platform import TAGS
from staging.local.control_plane.seed import seed
from staging.local.timings import FAST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from staging.local.control_plane.front import Front
    from staging.local.control_plane.platform import Platform

APP_A = [{"Name": "tag:Name", "Values": ["app-a"]}]


class Lamp:
    """The one thing of a network that the ACLs concern."""

    def __init__(self) -> None:
        self.dark: list[frozenset[str]] = []

    def darken(self, subnets: frozenset[str]) -> None:
        self.dark.append(subnets)


@pytest.fixture
def platform() -> Iterator[Platform]:
    BackendDict.reset()
    yield seed(
        timings=FAST, desired_count=4, service_subnets=["app-a", "app-b"], user="bank", owner="owner",
        password="long enough", owner_password="long enough",  # noqa: S106 - of a database that does not exist
    )  # fmt: skip
    BackendDict.reset()


@pytest.fixture
def lamp(front: Front, platform: Platform) -> Lamp:
    lamp = Lamp()
    Darkness(lamp, platform).register(front)  # type: ignore[arg-type]
    return lamp


def tags(listed: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in listed if tag["Key"] in TAGS}


@pytest.mark.usefixtures("platform")
def test_every_resource_that_a_drill_may_touch_says_so(aws: Callable[[str], Any]) -> None:
    rds = aws("rds")
    cluster = rds.describe_db_clusters(DBClusterIdentifier="ledger")["DBClusters"][0]
    instances = rds.describe_db_instances()["DBInstances"]
    subnets = aws("ec2").describe_subnets(Filters=[{"Name": "tag:Project", "Values": ["bank"]}])["Subnets"]
    service = aws("ecs").describe_services(cluster="bank", services=["bank-api"], include=["TAGS"])
    queue = aws("sqs").get_queue_url(QueueName="ops-inbox")["QueueUrl"]

    assert [tags(found["TagList"]) for found in (cluster, *instances)] == [TAGS] * 3
    assert [tags(subnet["Tags"]) for subnet in subnets] == [TAGS] * 8
    assert {tag["key"]: tag["value"] for tag in service["services"][0]["tags"]} == TAGS
    assert tags(aws("s3").get_bucket_tagging(Bucket="receipts-123456789012")["TagSet"]) == TAGS
    assert tags(aws("secretsmanager").describe_secret(SecretId="ledger/password")["Tags"]) == TAGS
    assert aws("sqs").list_queue_tags(QueueUrl=queue)["Tags"] == TAGS


@pytest.mark.usefixtures("platform")
def test_the_writer_lies_in_one_zone_and_the_reader_in_the_other(aws: Callable[[str], Any]) -> None:
    instances = aws("rds").describe_db_instances()["DBInstances"]

    assert {i["DBInstanceIdentifier"]: i["AvailabilityZone"] for i in instances} == {
        "ledger-1": "us-east-1a",
        "ledger-2": "us-east-1b",
    }


def test_a_subnet_goes_dark_with_an_empty_acl_and_light_again_with_its_own(
    aws: Callable[[str], Any], lamp: Lamp
) -> None:
    ec2 = aws("ec2")
    subnet = ec2.describe_subnets(Filters=APP_A)["Subnets"][0]
    association, first = of_subnet(ec2, subnet["SubnetId"])
    empty = ec2.create_network_acl(VpcId=subnet["VpcId"])["NetworkAcl"]["NetworkAclId"]

    ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=empty)
    association, _ = of_subnet(ec2, subnet["SubnetId"])
    ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=first)

    assert lamp.dark == [{"app-a"}, frozenset()]


@pytest.mark.parametrize("egress", [True, False])
def test_a_denying_entry_of_a_lower_number_darkens_both_subnets_of_its_tier(
    aws: Callable[[str], Any],
    lamp: Lamp,
    egress: bool,
) -> None:
    ec2 = aws("ec2")
    subnet = ec2.describe_subnets(Filters=APP_A)["Subnets"][0]
    _, acl = of_subnet(ec2, subnet["SubnetId"])
    rule = {"NetworkAclId": acl, "RuleNumber": 50, "Egress": egress}

    ec2.create_network_acl_entry(**rule, Protocol="-1", RuleAction="deny", CidrBlock="0.0.0.0/0")
    ec2.delete_network_acl_entry(**rule)

    assert lamp.dark == [{"app-a", "app-b"}, frozenset()]


def test_a_denying_entry_for_one_port_leaves_the_subnet_light(aws: Callable[[str], Any], lamp: Lamp) -> None:
    ec2 = aws("ec2")
    subnet = ec2.describe_subnets(Filters=APP_A)["Subnets"][0]
    _, acl = of_subnet(ec2, subnet["SubnetId"])

    ec2.create_network_acl_entry(
        NetworkAclId=acl, RuleNumber=50, Egress=True, Protocol="6", RuleAction="deny",
        CidrBlock="0.0.0.0/0", PortRange={"From": 22, "To": 22},
    )  # fmt: skip

    assert lamp.dark == []


def of_subnet(ec2: Any, subnet: str) -> tuple[str, str]:
    """Return the association of a subnet and its ACL."""
    wanted = [{"Name": "association.subnet-id", "Values": [subnet, "subnet-of-nobody"]}]
    acl = ec2.describe_network_acls(Filters=wanted)["NetworkAcls"][0]
    association = next(found for found in acl["Associations"] if found["SubnetId"] == subnet)
    return association["NetworkAclAssociationId"], acl["NetworkAclId"]
