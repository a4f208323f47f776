"""Backups of the double of Aurora: snapshots, the archive of write-ahead log, and restores from either."""

from staging.local.backups.points import (
    OnProgress,
    PointInTime,
    Progress,
    RestoreFailedError,
    Snapshot,
)

__all__ = [
    "OnProgress",
    "PointInTime",
    "Progress",
    "RestoreFailedError",
    "Snapshot",
]
