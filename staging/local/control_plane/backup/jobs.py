"""Jobs of AWS Backup: what they are doing, how far they are, and when they should be done."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Mapping

    from staging.local.control_plane.backup.points import RecoveryPoint


@dataclass(kw_only=True, eq=False)
class Job:
    """What all three kinds have. `state` is AWS's word: CREATED or PENDING, RUNNING, COMPLETED, FAILED."""

    region: str
    role_arn: str
    state: str = "CREATED"
    id: str = field(default_factory=lambda: str(uuid4()).upper())
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    completed_at: datetime | None = None
    message: str = ""
    share_done: float = 0.0
    bytes_done: int = 0
    created_by: Mapping[str, Any] | None = None
    _began_s: float = field(default_factory=time.monotonic)

    @property
    def percent_done(self) -> str:
        """As AWS writes it."""
        return f"{100 * self.share_done:.2f}%"

    @property
    def expected_s(self) -> float | None:
        """How long the whole job should take, by how far it is; None when nobody can tell yet."""
        return (time.monotonic() - self._began_s) / self.share_done if self.share_done > 0 else None

    @property
    def expected_minutes(self) -> int | None:
        """The same in whole minutes."""
        return math.ceil(self.expected_s / 60) if self.expected_s else None

    @property
    def expected_at(self) -> datetime | None:
        """When it should be done."""
        return self.created_at + timedelta(seconds=self.expected_s) if self.expected_s else None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.completed_at is not None

    def run(self) -> None:
        """Begin."""
        self.state, self._began_s = "RUNNING", time.monotonic()

    def complete(self, message: str = "") -> None:
        """All of it is done."""
        self._end("COMPLETED", message)
        self.share_done = 1.0

    def fail(self, message: str) -> None:
        """It will not be done."""
        self._end("FAILED", message)

    def _end(self, state: str, message: str) -> None:
        self.message, self.completed_at, self.state = message, datetime.now(UTC), state


@dataclass(kw_only=True, eq=False)
class BackupJob(Job):
    """Makes a recovery point of a resource."""

    point: RecoveryPoint


@dataclass(kw_only=True, eq=False)
class CopyJob(Job):
    """Copies a recovery point into another vault, perhaps in another region."""

    source: RecoveryPoint
    point: RecoveryPoint


@dataclass(kw_only=True, eq=False)
class RestoreJob(Job):
    """Makes a new resource of a recovery point."""

    state: str = "PENDING"
    point: RecoveryPoint
    metadata: Mapping[str, str]
    copy_tags: bool = False
    created_resource_arn: str | None = None
    validation: str | None = None
    validation_message: str | None = None
