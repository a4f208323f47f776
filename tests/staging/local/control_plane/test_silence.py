"""A region whose API answers nothing keeps its callers waiting; the other one, and DNS, answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError
from moto.core.base_backend import BackendDict

from blackstart.staging import PowerFailed
from staging.local.control_plane import silence
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.seed import seed
from staging.local.powers import Door, LocalRegionOutage
from staging.local.timings import FAST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from staging.local.control_plane.front import Front


@pytest.fixture
def vpc(front: Front, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(silence, "_HELD_S", 0.05)
    BackendDict.reset()
    platform = seed(
        timings=FAST, desired_count=2, service_subnets=["app-a"], user="bank", owner="owner",
        password="long enough", owner_password="long enough",  # noqa: S106 - of a database that does not exist
    )  # fmt: skip
    silence.Silence(platform).register(front)
    yield str(backend("ec2").get_subnet(platform.subnets["app-a"]).vpc_id)
    BackendDict.reset()


@pytest.fixture
def outage(aws: Callable[..., Any]) -> LocalRegionOutage:
    return LocalRegionOutage(Door(aws("sts").meta.endpoint_url))


def test_nothing_of_it_answers_until_it_wakes(
    aws: Callable[..., Any], outage: LocalRegionOutage, vpc: str
) -> None:
    outage.silence(vpc)

    assert outage.silent(vpc)
    for service, call in (("sts", "get_caller_identity"), ("ec2", "describe_vpcs"), ("s3", "list_buckets")):
        with pytest.raises(BotoCoreError):
            getattr(aws(service), call)()

    outage.wake(vpc)
    outage.wake(vpc)

    assert not outage.silent(vpc)
    assert aws("ec2").describe_vpcs()["Vpcs"]


def test_a_change_that_got_no_answer_was_not_made(
    aws: Callable[..., Any], outage: LocalRegionOutage, vpc: str
) -> None:
    outage.silence(vpc)
    with pytest.raises(BotoCoreError):
        aws("sqs").create_queue(QueueName="never")
    outage.wake(vpc)

    assert not [url for url in aws("sqs").list_queues()["QueueUrls"] if url.endswith("never")]


def test_the_other_region_and_dns_answer(
    aws: Callable[..., Any], outage: LocalRegionOutage, vpc: str
) -> None:
    outage.silence(vpc)
    found = aws("ec2", "us-west-2").describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["bank"]}])

    assert len(found["Vpcs"]) == 1
    assert aws("route53").list_hosted_zones()["HostedZones"]


@pytest.mark.usefixtures("vpc")
def test_a_vpc_of_another_region_is_refused(aws: Callable[..., Any], outage: LocalRegionOutage) -> None:
    theirs = aws("ec2", "us-west-2").describe_vpcs()["Vpcs"][0]["VpcId"]

    with pytest.raises(PowerFailed, match="does not exist in us-east-1"):
        outage.silence(theirs)
