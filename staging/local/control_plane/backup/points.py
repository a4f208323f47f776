"""Recovery points, and the vaults that keep them: moto has the vaults, we have what lies in them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import arn
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NEVER = datetime.min.replace(tzinfo=UTC)
FOR_EVER_DAYS = 36500  # as AWS Backup counts it


@dataclass(kw_only=True, eq=False)
class RecoveryPoint:
    """One backup in one vault."""

    arn: str
    region: str
    vault: str
    resource_arn: str
    resource_type: str  # "Aurora", "DynamoDB" or "S3"
    key_arn: str
    role_arn: str
    path: Path
    initiated_at: datetime
    lifecycle: Mapping[str, Any] = field(default_factory=dict)
    created_by: Mapping[str, Any] | None = None  # the plan; None for one on demand
    source_vault_arn: str | None = None  # of a copy
    # known when the job is done
    created_at: datetime = NEVER  # the instant that it brings back
    completed_at: datetime | None = None
    size_bytes: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)  # of the resource
    content: Any = None  # what its kind needs to restore it
    last_restored_at: datetime | None = None
    readers: int = 0  # jobs that read its files just now
    damaged: bool = False  # at rest, on purpose; or about to be

    @property
    def delete_at(self) -> datetime | None:
        """When its lifecycle ends."""
        days = self.lifecycle.get("DeleteAfterDays")
        return self.created_at + timedelta(days=days) if days else None


def vault_arn(region: str, name: str) -> str:
    """Return the ARN of a vault."""
    return arn("backup", f"backup-vault:{name}", region)


def not_found(what: str) -> AwsError:
    """Say that AWS Backup does not know it."""
    return AwsError("ResourceNotFoundException", f"{what} not found.")


class Vaults:
    """What lies in the vaults of both regions, below `root`/REGION/VAULT."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._points: dict[str, RecoveryPoint] = {}

    def vault(self, region: str, name: str) -> Any:
        """Return moto's record of a vault."""
        found = backend("backup", region).vaults.get(name)
        if found is None:
            raise not_found(f"Backup vault {name}")
        return found

    def place(self, region: str, vault: str, point_arn: str) -> Path:
        """Return where the files of a new recovery point go."""
        place = self._root / region / vault / point_arn.rpartition(":")[2]
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def add(self, point: RecoveryPoint) -> None:
        """Keep a recovery point that is complete."""
        self._points[point.arn] = point

    def all(self, region: str) -> Iterator[RecoveryPoint]:
        """Return the recovery points of a region, newest first."""
        points = [point for point in list(self._points.values()) if point.region == region]
        return iter(sorted(points, key=lambda point: point.created_at, reverse=True))

    def find(self, region: str, point_arn: str, vault: str | None = None) -> RecoveryPoint:
        """Return one recovery point, from the vault if that is named."""
        point = self._points.get(point_arn)
        if point is None or point.region != region or vault not in (None, point.vault):
            raise not_found(f"Recovery point {point_arn}")
        return point

    def anywhere(self, point_arn: str) -> RecoveryPoint:
        """Return one recovery point of any region."""
        if point_arn not in self._points:
            raise not_found(f"Recovery point {point_arn}")
        return self._points[point_arn]

    def remove(self, point: RecoveryPoint) -> None:
        """Forget a recovery point; `erase` removes its files."""
        del self._points[point.arn]

    def require_deletable(self, point: RecoveryPoint, now: datetime) -> None:
        """Raise when somebody reads it, or its vault is locked and it is not old enough."""
        if point.readers:
            message = f"AWS Backup is already performing an action on recovery point {point.arn}."
            raise AwsError("InvalidResourceStateException", message)
        vault = self.vault(point.region, point.vault)
        if vault.locked and now < point.created_at + timedelta(
            days=vault.min_retention_days or FOR_EVER_DAYS
        ):
            message = (
                f"Recovery point {point.arn} cannot be deleted: backup vault {point.vault} is locked, its "
                f"minimum retention is {vault.min_retention_days} days."
            )
            raise AwsError("InvalidRequestException", message)

    def refusal(self, region: str, name: str, lifecycle: Mapping[str, Any]) -> str | None:
        """Say why a locked vault takes no recovery point of this lifecycle; None when it does."""
        vault = self.vault(region, name)
        days = lifecycle.get("DeleteAfterDays") or FOR_EVER_DAYS
        least, most = vault.min_retention_days or 0, vault.max_retention_days or FOR_EVER_DAYS
        if not vault.locked or least <= days <= most:
            return None
        return (
            f"The retention period of {days} days is not between the {least} and {most} days that the "
            f"lock of backup vault {name} allows."
        )


def erase(point: RecoveryPoint) -> None:
    """Remove the files of a recovery point that is not known any more."""
    if point.path.exists():
        shutil.rmtree(point.path)
