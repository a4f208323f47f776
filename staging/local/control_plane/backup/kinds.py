"""What AWS Backup can protect here, and what each kind of resource must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from staging.local.control_plane.backup.points import not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from staging.local.backups import Progress
    from staging.local.control_plane.backup.points import RecoveryPoint

ROLE = "service-role/AWSBackupDefaultServiceRole"


class Damaged(Exception):
    """What lies on disk is not what was put there."""


@dataclass(frozen=True, kw_only=True)
class Captured:
    """What a backup turned out to hold."""

    taken_at: datetime
    size_bytes: int
    content: Any


class Kind(Protocol):
    """One kind of resource: how it is found, backed up and restored."""

    name: str  # as AWS Backup names it

    def resources(self, region: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Return the ARN and the tags of every such resource."""

    def point_arn(self, region: str, job: str) -> str:
        """Name the recovery point that a job ("job-ID", "copyjob-ID") makes."""

    def key_arn(self, resource_arn: str, vault_key: str) -> str:
        """Return the key that a backup of this resource is encrypted with."""

    async def capture(self, point: RecoveryPoint, on_progress: Callable[[Progress], None]) -> Captured:
        """Put the resource as it is now into the recovery point's directory."""

    def adopt(self, point: RecoveryPoint, source: RecoveryPoint) -> None:
        """Let a copy stand on its own."""

    def forget(self, point: RecoveryPoint) -> None:
        """The recovery point is about to be deleted."""

    def metadata(self, point: RecoveryPoint) -> Mapping[str, str]:
        """Return what a restore job may be told, with the values of the source."""

    async def restore(
        self, point: RecoveryPoint, path: Path, metadata: Mapping[str, str],
        tags: Sequence[Mapping[str, str]], on_progress: Callable[[Progress], None],
    ) -> str:  # fmt: skip
        """Make the new resource from the files at `path`; return its ARN."""

    def certify(self, path: Path) -> None:
        """Make the checksums at `path` agree with whatever lies there: the planted lie needs that."""


class Kinds:
    """All of them."""

    def __init__(self, *kinds: Kind) -> None:
        self._kinds = kinds

    def of(self, region: str, resource_arn: str) -> tuple[Kind, Mapping[str, str]]:
        """Return the kind and the tags of an existing resource."""
        for kind in self._kinds:
            for known, tags in kind.resources(region):
                if known == resource_arn:
                    return kind, tags
        raise not_found(f"Resource {resource_arn}")

    def named(self, name: str) -> Kind:
        """Return a kind by AWS Backup's name."""
        return next(kind for kind in self._kinds if kind.name == name)

    def resources(self, region: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Return the ARN and the tags of every resource that can be protected."""
        for kind in self._kinds:
            yield from kind.resources(region)


def tags_of(listed: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return tags as a dictionary."""
    return {tag["Key"]: tag["Value"] for tag in listed}
