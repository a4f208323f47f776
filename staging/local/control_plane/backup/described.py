"""Jobs and recovery points in the words of the AWS Backup API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from staging.local.control_plane.backup.points import vault_arn
from staging.local.control_plane.platform import ACCOUNT

if TYPE_CHECKING:
    from staging.local.control_plane.backup.jobs import BackupJob, CopyJob, Job, RestoreJob
    from staging.local.control_plane.backup.points import RecoveryPoint


def point(found: RecoveryPoint) -> dict[str, Any]:
    """Describe a recovery point."""
    return present({
        "RecoveryPointArn": found.arn,
        "BackupVaultName": found.vault,
        "BackupVaultArn": vault_arn(found.region, found.vault),
        "SourceBackupVaultArn": found.source_vault_arn,
        "ResourceArn": found.resource_arn,
        "ResourceType": found.resource_type,
        "ResourceName": found.resource_arn.rpartition(":")[2].rpartition("/")[2],
        "CreatedBy": found.created_by,
        "IamRoleArn": found.role_arn,
        "Status": "COMPLETED",
        "CreationDate": found.created_at,
        "InitiationDate": found.initiated_at,
        "CompletionDate": found.completed_at,
        "BackupSizeInBytes": found.size_bytes,
        "CalculatedLifecycle": present({"DeleteAt": found.delete_at}),
        "Lifecycle": found.lifecycle,
        "EncryptionKeyArn": found.key_arn,
        "EncryptionKeyType": "CUSTOMER_MANAGED_KMS_KEY",
        "IsEncrypted": True,
        "StorageClass": "WARM",
        "LastRestoreTime": found.last_restored_at,
        "IsParent": False,
        "VaultType": "BACKUP_VAULT",
    })  # fmt: skip


def point_of_resource(found: RecoveryPoint) -> dict[str, Any]:
    """Describe a recovery point as ListRecoveryPointsByResource does."""
    whole = point(found)
    kept = (
        "RecoveryPointArn", "CreationDate", "Status", "EncryptionKeyArn", "BackupVaultName", "IsParent",
        "ResourceName", "VaultType", "EncryptionKeyType",
    )  # fmt: skip
    return {"BackupSizeBytes": found.size_bytes, **{key: whole[key] for key in kept}}


def backup_job(job: BackupJob) -> dict[str, Any]:
    """Describe a backup job."""
    found = job.point
    return present({
        **_job(job),
        "BackupJobId": job.id,
        "BackupVaultName": found.vault,
        "BackupVaultArn": vault_arn(found.region, found.vault),
        "RecoveryPointArn": found.arn,
        "RecoveryPointLifecycle": found.lifecycle,
        "EncryptionKeyArn": found.key_arn,
        "IsEncrypted": True,
        "ResourceArn": found.resource_arn,
        "ResourceType": found.resource_type,
        "State": job.state,
        "PercentDone": job.percent_done,
        "BackupSizeInBytes": found.size_bytes,
        "BytesTransferred": job.bytes_done,
        "ExpectedCompletionDate": None if job.over else job.expected_at,
        "InitiationDate": found.initiated_at,
        "IsParent": False,
    })  # fmt: skip


def copy_job(job: CopyJob) -> dict[str, Any]:
    """Describe a copy job."""
    source, made = job.source, job.point
    return present({
        **_job(job),
        "CopyJobId": job.id,
        "SourceBackupVaultArn": vault_arn(source.region, source.vault),
        "SourceRecoveryPointArn": source.arn,
        "DestinationBackupVaultArn": vault_arn(made.region, made.vault),
        "DestinationRecoveryPointArn": made.arn,
        "DestinationEncryptionKeyArn": made.key_arn,
        "DestinationRecoveryPointLifecycle": made.lifecycle,
        "ResourceArn": source.resource_arn,
        "ResourceType": source.resource_type,
        "State": job.state,
        "BackupSizeInBytes": source.size_bytes,
        "IsParent": False,
    })  # fmt: skip


def restore_job(job: RestoreJob) -> dict[str, Any]:
    """Describe a restore job."""
    found = job.point
    return present({
        **_job(job),
        "RestoreJobId": job.id,
        "RecoveryPointArn": found.arn,
        "RecoveryPointCreationDate": found.created_at,
        "SourceResourceArn": found.resource_arn,
        "BackupVaultArn": vault_arn(found.region, found.vault),
        "ResourceType": found.resource_type,
        "Status": job.state,
        "PercentDone": job.percent_done,
        "BackupSizeInBytes": found.size_bytes,
        "ExpectedCompletionTimeMinutes": job.expected_minutes,
        "CreatedResourceArn": job.created_resource_arn,
        "ValidationStatus": job.validation,
        "ValidationStatusMessage": job.validation_message,
        "IsParent": False,
    })  # fmt: skip


def _job(job: Job) -> dict[str, Any]:
    return {
        "AccountId": ACCOUNT,
        "CreationDate": job.created_at,
        "CompletionDate": job.completed_at,
        "StatusMessage": job.message or None,
        "IamRoleArn": job.role_arn,
        "CreatedBy": job.created_by,
    }


def present(members: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not there."""
    return {name: value for name, value in members.items() if value not in (None, {})}
