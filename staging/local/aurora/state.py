"""What the double of Aurora is told, what it says of itself, and what it announces."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from staging.local.network import Address

Role = Literal["writer", "reader"]
MemberStatus = Literal["available", "failing-over", "rebooting", "unreachable", "starting"]
ClusterStatus = Literal["creating", "available", "failing-over", "deleting", "stopped"]
ExecuteRole = Literal["app", "owner"]
SourceType = Literal["db-cluster", "db-instance", "db-cluster-snapshot"]

WRITER_ENDPOINT = "ledger-writer"
READER_ENDPOINT = "ledger-reader"
SUPERUSER = "rdsadmin"


class AuroraError(Exception):
    """Something that was asked of the cluster cannot be done, or was not done in time."""


class FailoverRefusedError(AuroraError):
    """This failover would lose acknowledged writes, or makes no sense."""


@dataclass(frozen=True, kw_only=True)
class AuroraSettings:
    """Timings, names and planted defects of one cluster."""

    schema: Path
    app_password: str = field(repr=False)
    app_user: str = "bank"
    database: str = "ledger"
    owner_user: str = "ledger_owner"
    owner_password: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(18))
    # the superuser's is the same everywhere: backups bring it along
    superuser_password: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(24))
    cluster: str = "ledger"  # whoever bears this name, the endpoints lead to
    archive_timeout_s: float = 5.0  # the most that restoring to the latest instant can lack
    probe_interval_s: float = 0.1
    probe_timeout_s: float = 0.3
    misses: int = 3
    # Planted defects, all off on a healthy staging.
    synchronous_commit_off: bool = False
    async_standby: bool = False
    failover_never_triggered: bool = False
    wal_archiving_stopped: bool = False
    backup_misses_a_table: bool = False
    restores_wrong_instant: bool = False
    restore_misses_a_table: bool = False
    endpoint_not_following: bool = False
    failover_delay_s: float = 0.0
    schema_defects: str = ""  # SQL that is loaded after the schema
    replication_delay_s: float = 3.0  # of the asynchronous standby
    unattended_restart_s: float = 60.0  # without automatic failover, somebody restarts a dead writer at last


@dataclass(frozen=True)
class AuroraEvent:
    """One line of `describe_events`, in the words of RDS."""

    source_id: str
    source_type: SourceType
    message: str
    category: str  # empty where RDS has none
    at: datetime  # UTC
    at_ns: int  # monotonic


@dataclass(frozen=True)
class Member:
    """One instance as the controller last saw it."""

    id: str
    subnet: str
    role: Role
    status: MemberStatus
    in_sync: bool  # holds every acknowledged commit
    address: Address


@dataclass(frozen=True)
class ClusterState:
    """The cluster as the controller last saw it; the writer comes first, where it has instances."""

    status: ClusterStatus
    members: tuple[Member, ...]
    resource: str = ""  # its resource id, which outlives every name

    @property
    def writer(self) -> Member:
        """The member that takes writes."""
        if not self.members:
            raise AuroraError("a cluster without instances has no writer")
        return self.members[0]


class Endpoints(Protocol):
    """Names that clients connect to, and the servers behind them."""

    async def point(self, name: str, host: str, port: int) -> None:
        """Send everybody who asks for `name` to this server, and nowhere else."""

    async def unpoint(self, name: str) -> None:
        """Let nobody through under `name`."""
