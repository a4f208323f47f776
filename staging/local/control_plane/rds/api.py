"""The RDS API, assembled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staging.local.control_plane.protocol import refuse
from staging.local.control_plane.rds.automated import AutomatedBackups
from staging.local.control_plane.rds.clusters import ClusterCalls
from staging.local.control_plane.rds.instances import InstanceCalls
from staging.local.control_plane.rds.restores import Restores
from staging.local.control_plane.rds.snapshots import Snapshots

if TYPE_CHECKING:
    from pathlib import Path

    from staging.local.control_plane.front import Front
    from staging.local.control_plane.protocol import Call
    from staging.local.control_plane.rds.databases import Databases

# moto would only note these down; nothing would happen to the servers.
_BOOKKEEPING_ONLY = (
    "StopDBCluster", "StartDBCluster", "StopDBInstance", "StartDBInstance", "CreateDBCluster",
    "CopyDBClusterSnapshot", "CreateDBSnapshot", "PromoteReadReplica", "CreateDBInstanceReadReplica",
)  # fmt: skip


class Rds:
    """Reflects the fleet into moto's state whenever somebody looks, and carries out what is asked."""

    def __init__(self, databases: Databases, root: Path) -> None:
        self._databases = databases
        self.snapshots = Snapshots(databases, root)
        self._automated = AutomatedBackups(databases)
        self.restores = Restores(databases, self.snapshots, self._automated)

    def register(self, front: Front) -> None:
        """Answer for RDS."""
        front.before("rds", "DescribeDBClusters", "DescribeDBInstances")(self._before)
        front.before("rds", *_BOOKKEEPING_ONLY)(refuse)
        calls = ClusterCalls(self._databases, self.snapshots, self._automated)
        for part in (calls, InstanceCalls(self._databases), self.snapshots, self._automated, self.restores):
            part.register(front)

    def _before(self, _: Call) -> None:
        self._databases.reflect()
