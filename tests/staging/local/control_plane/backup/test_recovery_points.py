"""Recovery points of the ledger: made, copied, locked, damaged, and restored in both regions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from blackstart.context import Context
from blackstart.fault import Plan
from blackstart.wiring import Leavings
from staging.local.control_plane.platform import arn
from tests.reports.drilled import FACTS
from tests.staging.local.control_plane.estate import LEDGER, ROLE, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

from tests.staging.local.control_plane.estate import Estate

pytestmark = pytest.mark.local


@pytest.fixture(autouse=True)
def _as_it_was(estate: Estate) -> Iterator[None]:
    yield
    for region in ("us-east-1", "us-west-2"):
        for name in estate.clusters(region):
            if name != "ledger":
                estate.drop(name, region)


def points(estate: Estate, vault: str = "staging", region: str = "us-east-1") -> list[dict[str, Any]]:
    answer = estate.aws("backup", region).list_recovery_points_by_backup_vault(BackupVaultName=vault)
    found: list[dict[str, Any]] = answer["RecoveryPoints"]
    return found


def test_the_plan_backs_the_ledger_up_at_once_and_copies_that_to_the_other_region(estate: Estate) -> None:
    until(lambda: bool(points(estate, "staging-dr", "us-west-2")), "the first copy is there")

    first, copied = points(estate)[-1], points(estate, "staging-dr", "us-west-2")[-1]
    assert first["ResourceArn"] == copied["ResourceArn"] == LEDGER
    assert first["CreatedBy"]["BackupRuleName"] == "hourly"
    assert first["CreationDate"] == copied["CreationDate"]
    assert first["EncryptionKeyArn"] == estate.cluster("ledger")["KmsKeyId"] != copied["EncryptionKeyArn"]
    assert copied["SourceBackupVaultArn"] == arn("backup", "backup-vault:staging")
    vault = estate.aws("backup", "us-west-2").describe_backup_vault(BackupVaultName="staging-dr")
    assert (vault["Locked"], vault["MinRetentionDays"], vault["NumberOfRecoveryPoints"]) == (True, 7, 1)
    with pytest.raises(ClientError, match="is locked") as error:
        estate.aws("backup", "us-west-2").delete_recovery_point(
            BackupVaultName="staging-dr", RecoveryPointArn=copied["RecoveryPointArn"]
        )
    assert error.value.response["Error"]["Code"] == "InvalidRequestException"


def test_a_backup_on_demand_is_a_snapshot_that_holds_what_was_there_at_its_date(estate: Estate) -> None:
    backup = estate.aws("backup")
    estate.sql("INSERT INTO transfers (key) VALUES ('kept')")
    job = estate.back_up(RecoveryPointTags={"blackstart": "allowed"})
    estate.sql("INSERT INTO transfers (key) VALUES ('too late')")

    point = job["RecoveryPointArn"]
    assert (job["State"], job["PercentDone"]) == ("COMPLETED", "100.00%")
    assert job["BytesTransferred"] == job["BackupSizeInBytes"] > 10 << 20
    described = backup.describe_recovery_point(BackupVaultName="staging", RecoveryPointArn=point)
    committed = estate.sql(
        "SELECT extract(epoch FROM committed_at)::float8 FROM transfers WHERE key = 'kept'"
    )
    assert committed[0][0] <= described["CreationDate"].timestamp() <= datetime.now(UTC).timestamp()
    assert estate.aws("rds").describe_db_cluster_snapshots(
        SnapshotType="awsbackup", DBClusterSnapshotIdentifier=point.partition(":cluster-snapshot:")[2]
    )["DBClusterSnapshots"][0]["Status"] == "available"  # fmt: skip
    wanted = backup.get_recovery_point_restore_metadata(BackupVaultName="staging", RecoveryPointArn=point)
    metadata = {**wanted["RestoreMetadata"], "DBClusterIdentifier": "restored"}

    restore = estate.restore(point, **metadata)
    backup.put_restore_validation_result(RestoreJobId=restore["RestoreJobId"], ValidationStatus="SUCCESSFUL")
    again = backup.describe_restore_job(RestoreJobId=restore["RestoreJobId"])

    assert (restore["Status"], restore["CreatedResourceArn"]) == ("COMPLETED", arn("rds", "cluster:restored"))
    assert restore["ExpectedCompletionTimeMinutes"] == 1
    assert again["ValidationStatus"] == "SUCCESSFUL"
    restored = estate.cluster("restored")
    assert restored["DBClusterMembers"] == []
    assert {tag["Key"]: tag["Value"] for tag in restored["TagList"]}["Backup"] == "hourly"
    estate.add_instance("restored", "restored-1")
    keys = {key for (key,) in estate.sql("SELECT key FROM transfers", restored["DBClusterArn"])}
    assert "kept" in keys
    assert "too late" not in keys
    backup.delete_recovery_point(BackupVaultName="staging", RecoveryPointArn=point)
    assert point not in [found["RecoveryPointArn"] for found in points(estate)]


def test_a_copy_is_restored_in_its_own_region(estate: Estate) -> None:
    estate.sql("INSERT INTO transfers (key) VALUES ('far away')")
    copy = estate.copy(estate.back_up()["RecoveryPointArn"])

    restore = estate.restore(copy["DestinationRecoveryPointArn"], "us-west-2", DBClusterIdentifier="dr")

    assert (copy["State"], restore["Status"]) == ("COMPLETED", "COMPLETED")
    assert restore["CreatedResourceArn"] == arn("rds", "cluster:dr", "us-west-2")
    estate.add_instance("dr", "dr-1", "us-west-2")
    assert ["far away"] in estate.sql("SELECT key FROM transfers", restore["CreatedResourceArn"])
    assert "dr" not in estate.clusters()


def test_what_a_drill_leaves_that_costs_money_is_found(estate: Estate, tmp_path: Path) -> None:
    context = Context(home=str(tmp_path), drill="d-1")
    elsewhere = Plan(targets=(), before={}, broken={}, calls=(), region="us-west-2")
    leavings = Leavings(context, Account(estate))
    at_first = leavings()
    entry = context.ledger.open("d-1", "runbooks.x:X", {}, elsewhere)
    context.ledger.created(entry.id, "made-there")

    assert (at_first.found, at_first.regions) == ((), ("us-east-1",))
    assert at_first.looked_at == 3

    estate.aws("rds").create_db_cluster_snapshot(
        DBClusterIdentifier="ledger", DBClusterSnapshotIdentifier="forgotten"
    )
    copy = estate.copy(estate.back_up()["RecoveryPointArn"])["DestinationRecoveryPointArn"]
    for name in ("made-there", "somebody-else's"):
        estate.restore(copy, "us-west-2", DBClusterIdentifier=name)
    left = leavings()

    assert left.found == ("Cluster made-there in us-west-2", "ClusterSnapshot forgotten")
    assert (left.looked_at, left.regions) == (6, ("us-east-1", "us-west-2"))


class Account:
    """The estate as a drill sees it."""

    facts = FACTS

    def __init__(self, estate: Estate) -> None:
        self.aws = estate.aws

    def power(self, kind: Any) -> None:
        """It has none."""


def test_a_locked_vault_takes_only_what_stays_long_enough(estate: Estate) -> None:
    copy = estate.copy(estate.back_up()["RecoveryPointArn"], days=1)

    assert copy["State"] == "FAILED"
    assert "retention period of 1 days is not between the 7 and 365 days" in copy["StatusMessage"]


@pytest.mark.parametrize(
    ("how", "said"),
    [("byte", "checksum mismatch for file"), ("wal", "damaged"), ("key", "does not exist, is not enabled")],
)
def test_a_damaged_recovery_point_is_not_restored_and_leaves_no_cluster(
    estate: Estate, how: str, said: str
) -> None:
    estate.sql("INSERT INTO transfers (key) SELECT 'so many: ' || count(*) FROM transfers")
    point = estate.back_up()["RecoveryPointArn"]
    whole = estate.is_damaged(point)
    estate.damage(point, how)

    restore = estate.restore(point, DBClusterIdentifier="broken")

    assert (whole, estate.is_damaged(point)) == (False, True)
    assert restore["Status"] == "FAILED"
    assert said in restore["StatusMessage"]
    assert "broken" not in estate.clusters()
    assert list(estate.fleet.describe()) == ["ledger"]


def test_the_segment_that_is_lost_is_one_that_a_restore_needs(estate: Estate) -> None:
    point = estate.back_up()["RecoveryPointArn"]
    folder = estate.backups / "us-east-1" / "staging" / point.rpartition(":")[2]
    segment = max(path for path in (folder / "pg_wal").iterdir() if len(path.name) == 24)
    spare = segment.with_name(f"{int(segment.name, 16) + 1:024X}")  # as PostgreSQL makes them in advance
    spare.write_bytes(bytes(segment.stat().st_size))

    estate.damage(point, "wal")

    assert spare.exists()
    assert not segment.exists()


def test_a_recovery_point_that_lacks_a_table_is_restored_without_a_word(estate: Estate) -> None:
    estate.sql("INSERT INTO transfers (key) VALUES ('missed')")
    point = estate.back_up()["RecoveryPointArn"]
    estate.damage(point, "table")

    restore = estate.restore(point, DBClusterIdentifier="lacking")

    assert restore["Status"] == "COMPLETED"
    estate.add_instance("lacking", "lacking-1")
    assert estate.sql("SELECT count(*) FROM transfers", restore["CreatedResourceArn"]) == [[0]]


def test_nothing_is_restored_without_its_key(estate: Estate) -> None:
    kms, backup = estate.aws("kms"), estate.aws("backup")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    backup.create_backup_vault(BackupVaultName="apart", EncryptionKeyArn=key)
    copy = estate.copy(estate.back_up()["RecoveryPointArn"], "apart", "us-east-1")[
        "DestinationRecoveryPointArn"
    ]
    kms.disable_key(KeyId=key)

    restore = estate.restore(copy, DBClusterIdentifier="keyless")
    with pytest.raises(ClientError) as error:
        estate.aws("rds").restore_db_cluster_from_snapshot(
            DBClusterIdentifier="keyless", SnapshotIdentifier=copy, Engine="aurora-postgresql"
        )

    assert restore["Status"] == "FAILED"
    assert f"The specified KMS key [{key}] does not exist, is not enabled" in restore["StatusMessage"]
    assert error.value.response["Error"]["Code"] == "KMSKeyNotAccessibleFault"
    kms.enable_key(KeyId=key)
    assert estate.restore(copy, DBClusterIdentifier="keyless")["Status"] == "COMPLETED"


def test_a_call_that_is_repeated_with_its_token_starts_nothing_new(estate: Estate) -> None:
    backup = estate.aws("backup")
    call = {
        "BackupVaultName": "staging",
        "ResourceArn": LEDGER,
        "IamRoleArn": ROLE,
    }

    first, second = (backup.start_backup_job(**call, IdempotencyToken="once") for _ in range(2))

    assert first["BackupJobId"] == second["BackupJobId"]
    until(
        lambda: backup.describe_backup_job(BackupJobId=first["BackupJobId"])["State"] == "COMPLETED",
        "the job is over",
    )


def test_what_does_not_exist_is_not_found(estate: Estate) -> None:
    backup = estate.aws("backup")
    with pytest.raises(backup.exceptions.ResourceNotFoundException):
        backup.list_recovery_points_by_backup_vault(BackupVaultName="nowhere")
    with pytest.raises(backup.exceptions.ResourceNotFoundException):
        backup.describe_restore_job(RestoreJobId="nobody")
    with pytest.raises(backup.exceptions.ResourceNotFoundException):
        backup.start_backup_job(BackupVaultName="staging", ResourceArn=f"{LEDGER}-not", IamRoleArn=ROLE)
