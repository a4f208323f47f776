"""A PostgreSQL cluster that fails over as Aurora does."""

from staging.local.aurora.cluster import Aurora
from staging.local.aurora.state import (
    AuroraError,
    AuroraEvent,
    AuroraSettings,
    ClusterState,
    Endpoints,
    FailoverRefusedError,
    Member,
)

__all__ = [
    "Aurora",
    "AuroraError",
    "AuroraEvent",
    "AuroraSettings",
    "ClusterState",
    "Endpoints",
    "FailoverRefusedError",
    "Member",
]
