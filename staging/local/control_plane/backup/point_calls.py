"""AWS Backup's calls on recovery points and on the resources that they protect."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from staging.local.control_plane.backup import described
from staging.local.control_plane.backup.points import erase, not_found, vault_arn
from staging.local.control_plane.rds.events import aware

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from staging.local.control_plane.backup.kinds import Kinds
    from staging.local.control_plane.backup.points import RecoveryPoint, Vaults
    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.front import Front

_ERASE_WITHIN_S = 30.0


class PointCalls:
    """Newest first, and all of them: no list here is long enough for pages."""

    def __init__(self, vaults: Vaults, kinds: Kinds, bridge: Bridge) -> None:
        self._vaults = vaults
        self._kinds = kinds
        self._bridge = bridge

    def register(self, front: Front) -> None:
        """Answer for recovery points."""
        calls: dict[str, Callable[[str, Mapping[str, Any]], Any]] = {
            "ListRecoveryPointsByBackupVault": self._of_vault,
            "ListRecoveryPointsByResource": self._of_resource,
            "DescribeRecoveryPoint": self._describe,
            "GetRecoveryPointRestoreMetadata": self._restore_metadata,
            "DeleteRecoveryPoint": self._delete,
            "ListProtectedResources": self._protected,
            "DescribeProtectedResource": self._describe_protected,
        }
        for action, call in calls.items():
            front.regional("backup", action)(call)

    def _of_vault(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        name = params["BackupVaultName"]
        self._vaults.vault(region, name)
        after, before = aware(params.get("ByCreatedAfter")), aware(params.get("ByCreatedBefore"))
        found = [
            described.point(point)
            for point in self._vaults.all(region)
            if point.vault == name
            and params.get("ByResourceArn") in (None, point.resource_arn)
            and params.get("ByResourceType") in (None, point.resource_type)
            and params.get("ByBackupPlanId") in (None, (point.created_by or {}).get("BackupPlanId"))
            and (after is None or point.created_at > after)
            and (before is None or point.created_at < before)
        ]
        return {"RecoveryPoints": found}

    def _of_resource(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        points = self._protecting(region, params["ResourceArn"])
        return {"RecoveryPoints": [described.point_of_resource(point) for point in points]}

    def _protecting(self, region: str, resource: str) -> list[RecoveryPoint]:
        return [point for point in self._vaults.all(region) if point.resource_arn == resource]

    def _describe(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return described.point(self._named(region, params))

    def _named(self, region: str, params: Mapping[str, Any]) -> RecoveryPoint:
        self._vaults.vault(region, params["BackupVaultName"])
        return self._vaults.find(region, params["RecoveryPointArn"], params["BackupVaultName"])

    def _restore_metadata(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        point = self._named(region, params)
        return {
            "BackupVaultArn": vault_arn(region, point.vault),
            "RecoveryPointArn": point.arn,
            "RestoreMetadata": self._kinds.named(point.resource_type).metadata(point),
            "ResourceType": point.resource_type,
        }

    def _delete(self, region: str, params: Mapping[str, Any]) -> None:
        point = self._named(region, params)
        self._vaults.require_deletable(point, datetime.now(UTC))
        self._vaults.remove(point)
        self._kinds.named(point.resource_type).forget(point)
        self._bridge.run(asyncio.to_thread(erase, point), within_s=_ERASE_WITHIN_S)

    def _protected(self, region: str, _: Mapping[str, Any]) -> dict[str, Any]:
        newest: dict[str, RecoveryPoint] = {}
        for point in self._vaults.all(region):
            newest.setdefault(point.resource_arn, point)
        return {"Results": [_resource(point) for point in newest.values()]}

    def _describe_protected(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        points = self._protecting(region, params["ResourceArn"])
        if not points:
            raise not_found(f"Resource {params['ResourceArn']}")
        return _resource(points[0])


def _resource(newest: RecoveryPoint) -> dict[str, Any]:
    whole = described.point(newest)
    return {
        **{key: whole[key] for key in ("ResourceArn", "ResourceType", "ResourceName")},
        "LastBackupTime": newest.created_at,
        "LastBackupVaultArn": whole["BackupVaultArn"],
        "LastRecoveryPointArn": newest.arn,
    }
