"""One ECS task: a process in a subnet, and what the API says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

if TYPE_CHECKING:
    from subprocess import Popen

    from staging.local.network import Address

Status = Literal["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "STOPPED"]
StopCode = Literal[
    "TaskFailedToStart", "EssentialContainerExited", "UserInitiated", "ServiceSchedulerInitiated",
    "SpotInterruption",
]  # fmt: skip


def now() -> datetime:
    """UTC, as all of the API's times."""
    return datetime.now(UTC)


@dataclass
class Task:
    """Changed by the scheduler only, in its loop; read from anywhere."""

    subnet: str
    provider: str
    ip: str = ""  # of its network interface, as the API shows it
    id: str = field(default_factory=lambda: uuid4().hex)
    interface: str = field(default_factory=lambda: f"eni-{uuid4().hex[:17]}")
    attachment: str = field(default_factory=lambda: str(uuid4()))
    status: Status = "PROVISIONING"
    desired: Literal["RUNNING", "STOPPED"] = "RUNNING"
    address: Address | None = None  # where it really listens
    process: Popen[bytes] | None = None
    created_at: datetime = field(default_factory=now)
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: StopCode | None = None
    stopped_reason: str = ""
    exit_code: int | None = None
    registered: bool = False  # with the load balancer
    ever_healthy: bool = False
    ill_since: datetime | None = None  # when the load balancer began to call it unhealthy

    @property
    def age_s(self) -> float:
        """Seconds since it began to run; 0 before."""
        return (now() - self.started_at).total_seconds() if self.started_at else 0.0

    @property
    def reclaimed(self) -> bool:
        """Whether its capacity was taken back."""
        return self.stop_code == "SpotInterruption"

    @property
    def ill_for_s(self) -> float:
        """Seconds since the load balancer began to call it unhealthy; 0 when it does not."""
        return (now() - self.ill_since).total_seconds() if self.ill_since else 0.0

    def note_ill(self, *, ill: bool) -> None:
        """Note what the load balancer says now."""
        self.ill_since = (self.ill_since or now()) if ill else None

    def stop(self, code: StopCode, reason: str) -> bool:
        """Want it stopped; tell whether that is new. The first reason stays."""
        if self.desired == "STOPPED":
            return False
        self.desired, self.stop_code, self.stopped_reason = "STOPPED", code, reason
        return True
