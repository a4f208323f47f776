"""AWS Backup's calls on jobs: start them, look at them, say what a restored resource is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from staging.local.control_plane.backup import described
from staging.local.control_plane.backup.orders import ROLE_ARN, job_of
from staging.local.control_plane.protocol import AwsError
from staging.local.control_plane.rds.events import aware

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from staging.local.control_plane.backup.orders import Orders
    from staging.local.control_plane.backup.points import Vaults
    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.front import Front


# what a restore job cannot do without, by the type of its resource
_NEEDED = {
    "Aurora": "DBClusterIdentifier",
    "DynamoDB": "targetTableName",
    "S3": "DestinationBucketName",
}


class JobCalls:
    """Starts jobs in the event loop; the caller gets the id at once."""

    def __init__(self, orders: Orders, vaults: Vaults, bridge: Bridge) -> None:
        self._orders = orders
        self._vaults = vaults
        self._bridge = bridge
        self._answered: dict[tuple[str, str], dict[str, Any]] = {}  # by operation and idempotency token

    def register(self, front: Front) -> None:
        """Answer for jobs."""
        calls: dict[str, Callable[[str, Mapping[str, Any]], Any]] = {
            "StartBackupJob": self._start_backup,
            "DescribeBackupJob": self._describe_backup,
            "ListBackupJobs": self._list_backups,
            "StartCopyJob": self._start_copy,
            "DescribeCopyJob": self._describe_copy,
            "ListCopyJobs": self._list_copies,
            "StartRestoreJob": self._start_restore,
            "DescribeRestoreJob": self._describe_restore,
            "ListRestoreJobs": self._list_restores,
            "ListRestoreJobsByProtectedResource": self._list_restores_of,
            "GetRestoreJobMetadata": self._restore_metadata,
            "PutRestoreValidationResult": self._validate,
        }
        for action, call in calls.items():
            front.regional("backup", action)(call)

    def _once(
        self, action: str, params: Mapping[str, Any], order: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Order something, or answer as the first time when the caller repeats itself."""
        token = params.get("IdempotencyToken")
        if not token:
            return order()
        if (action, token) not in self._answered:
            self._answered[action, token] = order()
        return self._answered[action, token]

    # Backups.

    def _start_backup(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        def order() -> dict[str, Any]:
            job = self._orders.backup(
                region, params["BackupVaultName"], params["ResourceArn"], params["IamRoleArn"],
                lifecycle=params.get("Lifecycle"),
            )  # fmt: skip
            self._bridge.begin(self._orders.work.back_up(job), lambda: True)
            return {
                "BackupJobId": job.id,
                "RecoveryPointArn": job.point.arn,
                "CreationDate": job.created_at,
                "IsParent": False,
            }

        return self._once("StartBackupJob", params, order)

    def _describe_backup(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return described.backup_job(job_of(self._orders.backups, region, params["BackupJobId"]))

    def _list_backups(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        jobs = _listed(self._orders.backups, region, params, described.backup_job)
        return {"BackupJobs": jobs}

    # Copies.

    def _start_copy(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        def order() -> dict[str, Any]:
            source = self._vaults.find(region, params["RecoveryPointArn"], params["SourceBackupVaultName"])
            job = self._orders.copy(
                source, params["DestinationBackupVaultArn"], params["IamRoleArn"],
                lifecycle=params.get("Lifecycle"),
            )  # fmt: skip
            self._bridge.begin(self._orders.work.copy(job), lambda: True)
            return {"CopyJobId": job.id, "CreationDate": job.created_at, "IsParent": False}

        return self._once("StartCopyJob", params, order)

    def _describe_copy(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"CopyJob": described.copy_job(job_of(self._orders.copies, region, params["CopyJobId"]))}

    def _list_copies(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"CopyJobs": _listed(self._orders.copies, region, params, described.copy_job)}

    # Restores.

    def _start_restore(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        def order() -> dict[str, Any]:
            point = self._vaults.find(region, params["RecoveryPointArn"])
            metadata = params["Metadata"]
            needed = _NEEDED[point.resource_type]
            if params.get("ResourceType") not in (None, point.resource_type):
                message = f"The recovery point is of {point.resource_type}, not of {params['ResourceType']}."
                raise AwsError("InvalidParameterValueException", message)
            if not metadata.get(needed):
                raise AwsError("InvalidParameterValueException", f"Metadata lacks {needed}.")
            job = self._orders.restore(
                point, metadata, params.get("IamRoleArn") or ROLE_ARN,
                copy_tags=bool(params.get("CopySourceTagsToRestoredResource")),
            )  # fmt: skip
            self._bridge.begin(self._orders.work.restore(job), lambda: True)
            return {"RestoreJobId": job.id}

        return self._once("StartRestoreJob", params, order)

    def _describe_restore(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return described.restore_job(job_of(self._orders.restores, region, params["RestoreJobId"]))

    def _list_restores(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"RestoreJobs": _listed(self._orders.restores, region, params, described.restore_job)}

    def _list_restores_of(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        listed = self._list_restores(region, {"ByStatus": params.get("ByStatus")})["RestoreJobs"]
        return {"RestoreJobs": [job for job in listed if job["SourceResourceArn"] == params["ResourceArn"]]}

    def _restore_metadata(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        job = job_of(self._orders.restores, region, params["RestoreJobId"])
        return {"RestoreJobId": job.id, "Metadata": job.metadata}

    def _validate(self, region: str, params: Mapping[str, Any]) -> None:
        job = job_of(self._orders.restores, region, params["RestoreJobId"])
        if job.state != "COMPLETED":
            raise AwsError("InvalidRequestException", f"Restore job {job.id} is {job.state}.")
        job.validation = params["ValidationStatus"]
        job.validation_message = params.get("ValidationStatusMessage")


_BY = {
    "ByState": "State",
    "ByStatus": "Status",
    "ByResourceArn": "ResourceArn",
    "ByResourceType": "ResourceType",
    "ByBackupVaultName": "BackupVaultName",
    "ByDestinationVaultArn": "DestinationBackupVaultArn",
    "BySourceRecoveryPointArn": "SourceRecoveryPointArn",
}


def _listed(
    jobs: Mapping[str, Any], region: str, params: Mapping[str, Any], describe: Callable[[Any], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the jobs that a call asks for, newest first."""
    after, before = aware(params.get("ByCreatedAfter")), aware(params.get("ByCreatedBefore"))
    wanted = {ours: params[theirs] for theirs, ours in _BY.items() if params.get(theirs)}
    chosen = [
        describe(job)
        for job in sorted(jobs.values(), key=lambda job: job.created_at, reverse=True)
        if job.region == region
        and (after is None or job.created_at > after)
        and (before is None or job.created_at < before)
    ]
    return [job for job in chosen if all(job.get(key) == value for key, value in wanted.items())]
