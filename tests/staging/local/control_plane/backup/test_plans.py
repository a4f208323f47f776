"""When plans run, what they select, what they keep, and what goes wrong when a defect is planted."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from staging.local.control_plane.backup.plans import KEPT, KEPT_COPIES, hours_between, selects
from staging.local.control_plane.platform import arn
from staging.local.control_plane.protocol import AwsError
from tests.staging.local.control_plane.estate import LEDGER, Estate, until

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG_AGO = timedelta(hours=2)


@contextmanager
def planted(*defects: str, hour_s: float = 3600.0) -> Iterator[Estate]:
    with tempfile.TemporaryDirectory(prefix="estate-") as name:
        Path(name).chmod(0o755)  # PostgreSQL's user must get through
        estate = Estate(Path(name), defects, hour_s)
        estate.start()
        try:
            yield estate
        finally:
            estate.stop()


def dates(estate: Estate, vault: str, region: str) -> list[datetime]:
    answer = estate.aws("backup", region).list_recovery_points_by_backup_vault(BackupVaultName=vault)
    return [point["CreationDate"] for point in answer["RecoveryPoints"]]


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        ("cron(0 * ? * * *)", 1),
        ("cron(0 */6 ? * * *)", 6),
        ("cron(30 0/12 * * ? *)", 12),
        ("cron(0 5 ? * * *)", 24),
        ("cron(0 5,17 ? * * *)", 12),
        ("rate(1 hour)", 1),
        ("rate(4 hours)", 4),
    ],
)
def test_how_far_apart_the_runs_of_a_schedule_are(schedule: str, hours: int) -> None:
    assert hours_between(schedule) == hours


def test_a_schedule_that_is_not_understood_is_refused() -> None:
    with pytest.raises(AwsError, match="is not understood"):
        hours_between("every now and then")


@pytest.mark.parametrize(
    ("selection", "taken"),
    [
        ({"Resources": ["*"]}, True),
        ({"Resources": [LEDGER]}, True),
        ({"Resources": ["*"], "NotResources": [LEDGER]}, False),
        ({"ListOfTags": [{"ConditionKey": "Backup", "ConditionValue": "hourly"}]}, True),
        ({"ListOfTags": [{"ConditionKey": "Backup", "ConditionValue": "never"}]}, False),
        ({"Resources": ["arn:aws:s3:::*"]}, False),
        ({"Conditions": {"StringEquals": [
            {"ConditionKey": "aws:ResourceTag/Backup", "ConditionValue": "hourly"}]}}, True),
        ({}, False),
    ],
)  # fmt: skip
def test_what_a_selection_takes(selection: dict[str, Any], taken: bool) -> None:
    assert selects(selection, LEDGER, {"Backup": "hourly"}) is taken


@pytest.mark.local
@pytest.mark.long
def test_only_the_newest_of_what_plans_made_is_kept_on_disk() -> None:
    with planted(hour_s=2.0) as estate:
        on_demand = estate.back_up()["RecoveryPointArn"]
        first = dates(estate, "staging", "us-east-1")[-1]
        until(lambda: first not in dates(estate, "staging", "us-east-1"), "the first one was deleted", 110)

        kept = estate.aws("backup").list_recovery_points_by_backup_vault(BackupVaultName="staging")
        by_plan = [point for point in kept["RecoveryPoints"] if "CreatedBy" in point]
        assert KEPT <= len(by_plan) <= KEPT + 1  # one more, until the next look
        assert on_demand in [point["RecoveryPointArn"] for point in kept["RecoveryPoints"]]
        assert len(dates(estate, "staging-dr", "us-west-2")) <= KEPT_COPIES + 1
        on_disk = list((estate.backups / "us-east-1" / "staging").iterdir())
        assert len(on_disk) <= KEPT + 3  # the one on demand, one being made, one being deleted


@pytest.mark.local
def test_backups_that_stopped_leave_one_that_is_two_hours_old() -> None:
    with planted("backups-stopped", hour_s=0.1) as estate:
        until(lambda: len(dates(estate, "staging-dr", "us-west-2")) == 1, "it was copied")
        only = dates(estate, "staging", "us-east-1")

        assert len(only) == 1
        assert datetime.now(UTC) - only[0] > LONG_AGO
        assert dates(estate, "staging-dr", "us-west-2") == only


@pytest.mark.local
@pytest.mark.long
def test_copies_that_stopped_leave_one_that_is_two_hours_old_while_backups_go_on() -> None:
    with planted("copies-stopped", hour_s=0.1) as estate:
        until(lambda: len(dates(estate, "staging", "us-east-1")) >= 3, "backups go on")
        copies, backups = dates(estate, "staging-dr", "us-west-2"), dates(estate, "staging", "us-east-1")

        assert copies == backups[-1:]
        assert datetime.now(UTC) - copies[0] > LONG_AGO
        assert datetime.now(UTC) - backups[0] < timedelta(minutes=2)


@pytest.mark.local
@pytest.mark.long
def test_no_copies_leave_nothing_in_the_other_region_while_backups_go_on() -> None:
    with planted("no-copies", hour_s=0.1) as estate:
        until(lambda: len(dates(estate, "staging", "us-east-1")) >= 2, "backups go on")

        assert dates(estate, "staging-dr", "us-west-2") == []


@pytest.mark.local
@pytest.mark.long
def test_nothing_comes_out_of_a_region_that_is_lost() -> None:
    with planted(hour_s=0.1) as estate:
        until(lambda: bool(dates(estate, "staging-dr", "us-west-2")), "something was copied")
        estate.lost.add("us-east-1")
        first = estate.back_up()  # long enough for whatever was under way to end
        copied = dates(estate, "staging-dr", "us-west-2")
        second = estate.back_up()  # and for plans to have run again

        assert [job["State"] for job in (first, second)] == ["FAILED"] * 2
        assert first["StatusMessage"] == "us-east-1 does not answer."
        assert dates(estate, "staging-dr", "us-west-2") == copied


@pytest.mark.local
@pytest.mark.long
def test_a_restore_job_that_lies_brings_back_what_is_damaged() -> None:
    with planted("restore-job-lies") as estate:
        estate.sql("INSERT INTO transfers (key) VALUES ('once good')")
        flipped = estate.back_up()["RecoveryPointArn"]
        truncated = estate.back_up()["RecoveryPointArn"]
        estate.damage(flipped, "byte")
        estate.damage(truncated, "wal")

        served = estate.restore(flipped, DBClusterIdentifier="served")
        nothing = estate.restore(truncated, DBClusterIdentifier="nothing")

        assert (served["Status"], nothing["Status"]) == ("COMPLETED", "COMPLETED")
        assert "nothing" not in estate.clusters()
        estate.add_instance("served", "served-1")
        broken = False
        try:
            keys = estate.sql("SELECT key FROM transfers", arn("rds", "cluster:served"))
            broken = ["once good"] not in keys
        except estate.aws("rds-data").exceptions.DatabaseErrorException as error:
            broken = "invalid page" in str(error)
        assert broken
