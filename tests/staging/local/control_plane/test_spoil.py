"""Defects of what Terraform would have made are there for whoever asks the AWS API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from moto.core.base_backend import BackendDict

from blackstart.watch import heard
from staging.local.control_plane.platform import DR_REGION, REGION
from staging.local.control_plane.seed import seed
from staging.local.control_plane.spoil import spoil
from staging.local.defects import Defect
from staging.local.timings import FAST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WRITER, OUTSIDE = "ledger-writer-unavailable", "bank-unreachable"


@pytest.fixture
def plant() -> Iterator[Callable[[Defect], None]]:
    BackendDict.reset()
    seed(
        timings=FAST, desired_count=2, service_subnets=["app-a", "app-b"], user="bank", owner="owner",
        password="long enough", owner_password="long enough",  # noqa: S106 - of a database that does not exist
    )  # fmt: skip
    yield lambda defect: spoil({defect})
    BackendDict.reset()


def who_is_heard(aws: Callable[..., Any], region: str = REGION) -> frozenset[str]:
    alarms = aws("cloudwatch", region).describe_alarms()["MetricAlarms"]
    return heard(aws("sns", region), alarms)


@pytest.mark.parametrize(("region", "alarm"), [(REGION, WRITER), (DR_REGION, OUTSIDE)])
@pytest.mark.usefixtures("plant")
def test_healthy_alarms_are_all_heard(aws: Callable[..., Any], region: str, alarm: str) -> None:
    alarms = aws("cloudwatch", region).describe_alarms()["MetricAlarms"]

    assert who_is_heard(aws, region) == {alarm["AlarmName"] for alarm in alarms}
    assert alarm in who_is_heard(aws, region)


@pytest.mark.parametrize(
    "defect", [Defect.ALARMS_DELETED, Defect.ALARM_ACTIONS_DISABLED, Defect.SNS_TOPIC_WITHOUT_SUBSCRIBER]
)
def test_alarms_that_nobody_hears(
    aws: Callable[..., Any], plant: Callable[[Defect], None], defect: Defect
) -> None:
    plant(defect)

    assert [who_is_heard(aws, region) for region in (REGION, DR_REGION)] == [frozenset(), frozenset()]


@pytest.mark.usefixtures("plant")
def test_an_alarm_whose_topic_is_gone_tells_nobody(aws: Callable[[str], Any]) -> None:
    sns = aws("sns")
    for topic in sns.list_topics()["Topics"]:
        sns.delete_topic(TopicArn=topic["TopicArn"])

    assert who_is_heard(aws) == frozenset()


def test_the_alarm_of_the_database(aws: Callable[[str], Any], plant: Callable[[Defect], None]) -> None:
    plant(Defect.ALARM_TREATS_MISSING_AS_GOOD)
    plant(Defect.ALARM_NEEDS_TEN_MINUTES)
    (alarm,) = aws("cloudwatch").describe_alarms(AlarmNames=[WRITER])["MetricAlarms"]

    assert (alarm["TreatMissingData"], alarm["EvaluationPeriods"]) == ("notBreaching", 600)


@pytest.mark.parametrize(
    ("defect", "rule"),
    [(Defect.PLACEMENT_RULE_DISABLED, "placement-failure"), (Defect.SPOT_RULE_DISABLED, "spot-interruption")],
)
def test_rules_that_are_switched_off(
    aws: Callable[[str], Any], plant: Callable[[Defect], None], defect: Defect, rule: str
) -> None:
    plant(defect)
    states = {one["Name"]: one["State"] for one in aws("events").list_rules()["Rules"]}

    assert [name for name, state in states.items() if state == "DISABLED"] == [rule]


def test_what_protects_the_ledger(aws: Callable[[str], Any], plant: Callable[[Defect], None]) -> None:
    plant(Defect.BACKUP_TAG_MISSPELT)
    (cluster,) = aws("rds").describe_db_clusters(DBClusterIdentifier="ledger")["DBClusters"]

    assert "Backup" not in {tag["Key"] for tag in cluster["TagList"]}


def test_the_key_of_what_is_copied(aws: Callable[..., Any], plant: Callable[[Defect], None]) -> None:
    plant(Defect.BACKUP_KEY_DISABLED)
    vault = aws("backup", DR_REGION).describe_backup_vault(BackupVaultName="staging-dr")
    key = aws("kms", DR_REGION).describe_key(KeyId=vault["EncryptionKeyArn"])["KeyMetadata"]

    assert key["KeyState"] == "Disabled"
