"""Every job that was ordered, by a caller or by a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from staging.local.control_plane.backup.jobs import BackupJob, CopyJob, RestoreJob
from staging.local.control_plane.backup.kinds import ROLE
from staging.local.control_plane.backup.points import RecoveryPoint, not_found, vault_arn
from staging.local.control_plane.platform import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from staging.local.control_plane.backup.kinds import Kinds
    from staging.local.control_plane.backup.points import Vaults
    from staging.local.control_plane.backup.work import Work

ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"


class Orders:
    """Makes jobs and keeps them; `work` carries them out."""

    def __init__(self, vaults: Vaults, kinds: Kinds, work: Work) -> None:
        self._vaults = vaults
        self._kinds = kinds
        self.work = work
        self.backups: dict[str, BackupJob] = {}
        self.copies: dict[str, CopyJob] = {}
        self.restores: dict[str, RestoreJob] = {}
        self._selections: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    # Backups.

    def backup(
        self, region: str, vault: str, resource: str, role: str, *,
        lifecycle: Mapping[str, Any] | None = None, created_by: Mapping[str, Any] | None = None,
    ) -> BackupJob:  # fmt: skip
        """Order a backup of a resource that exists into a vault that exists."""
        kind, _ = self._kinds.of(region, resource)
        key = kind.key_arn(resource, self._vaults.vault(region, vault).encryption_key_arn)
        number = str(uuid4()).upper()
        point_arn = kind.point_arn(region, f"job-{number}")
        point = RecoveryPoint(
            arn=point_arn, region=region, vault=vault, resource_arn=resource, resource_type=kind.name,
            key_arn=key, role_arn=role, path=self._vaults.place(region, vault, point_arn),
            initiated_at=datetime.now(UTC), lifecycle=lifecycle or {}, created_by=created_by,
        )  # fmt: skip
        job = BackupJob(id=number, region=region, role_arn=role, point=point, created_by=created_by)
        self.backups[job.id] = job
        return job

    def scheduled(self, region: str, plan: Any, rule: Mapping[str, Any], resource: str) -> BackupJob:
        """Order what a rule of a plan wants of one resource."""
        created_by = {
            "BackupPlanId": plan.backup_plan_id,
            "BackupPlanArn": plan.backup_plan_arn,
            "BackupPlanName": plan.backup_plan["BackupPlanName"],
            "BackupPlanVersion": plan.version_id,
            "BackupRuleId": rule["RuleId"],
            "BackupRuleName": rule["RuleName"],
            "BackupRuleCron": rule["ScheduleExpression"],
            "BackupRuleTimezone": rule["ScheduleExpressionTimezone"],
        }
        plan.last_execution_date = datetime.now(UTC).timestamp()
        return self.backup(
            region, rule["TargetBackupVaultName"], resource, ROLE_ARN,
            lifecycle=rule.get("Lifecycle"), created_by=created_by,
        )  # fmt: skip

    # Copies.

    def copy(
        self, source: RecoveryPoint, destination: str, role: str, *,
        lifecycle: Mapping[str, Any] | None = None, created_by: Mapping[str, Any] | None = None,
    ) -> CopyJob:  # fmt: skip
        """Order a copy into the vault with this ARN."""
        region, vault = destination.split(":")[3], destination.rpartition(":")[2]
        kind = self._kinds.named(source.resource_type)
        number = str(uuid4()).upper()
        point_arn = kind.point_arn(region, f"copyjob-{number}")
        point = replace(
            source, arn=point_arn, region=region, vault=vault, role_arn=role, readers=0, content=None,
            key_arn=self._vaults.vault(region, vault).encryption_key_arn, last_restored_at=None,
            path=self._vaults.place(region, vault, point_arn), lifecycle=lifecycle or {},
            created_by=created_by, source_vault_arn=vault_arn(source.region, source.vault),
            completed_at=None,
        )  # fmt: skip
        job = CopyJob(
            id=number, region=source.region, role_arn=role, source=source, point=point, created_by=created_by
        )
        self.copies[job.id] = job
        return job

    def scheduled_copy(self, job: BackupJob, action: Mapping[str, Any]) -> CopyJob:
        """Order what a copy action wants of the recovery point that a job has made."""
        return self.copy(
            job.point, action["DestinationBackupVaultArn"], ROLE_ARN, lifecycle=action.get("Lifecycle"),
            created_by=job.created_by,
        )  # fmt: skip

    # Restores.

    def restore(
        self, point: RecoveryPoint, metadata: Mapping[str, str], role: str, *, copy_tags: bool
    ) -> RestoreJob:
        """Order a restore."""
        job = RestoreJob(
            region=point.region, role_arn=role, point=point, metadata=metadata, copy_tags=copy_tags
        )
        self.restores[job.id] = job
        return job

    # Selections.

    def selections(self, region: str, plan: str) -> list[dict[str, Any]]:
        """Return what a plan shall protect."""
        return [known["BackupSelection"] for known in self._selections.get((region, plan), {}).values()]

    def all_selections(self, region: str, plan: str) -> dict[str, dict[str, Any]]:
        """Return the selections of a plan by their ids, as GetBackupSelection answers."""
        return self._selections.setdefault((region, plan), {})

    def select(
        self, region: str, plan: str, selection: Mapping[str, Any], request: str = ""
    ) -> dict[str, Any]:
        """Let a plan protect what a selection finds."""
        number = str(uuid4())
        known = {
            "BackupSelection": dict(selection),
            "SelectionId": number,
            "BackupPlanId": plan,
            "CreationDate": datetime.now(UTC),
            "CreatorRequestId": request,
        }
        self.all_selections(region, plan)[number] = known
        return known


def job_of(jobs: Mapping[str, Any], region: str, number: str) -> Any:
    """Return a job by its id."""
    job = jobs.get(number)
    if job is None or job.region != region:
        raise not_found(f"Job {number}")
    return job
