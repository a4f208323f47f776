"""Real clusters and their control plane, served over HTTP from a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.core.base_backend import BackendDict

from staging.local.aurora.fleet import Fleet
from staging.local.aurora.state import AuroraEvent, AuroraSettings
from staging.local.control_plane.audit import AuditTrail
from staging.local.control_plane.backup.assembly import assembled
from staging.local.control_plane.bridge import Bridge
from staging.local.control_plane.front import Front
from staging.local.control_plane.platform import arn
from staging.local.control_plane.rds.api import Rds
from staging.local.control_plane.rds.databases import Databases
from staging.local.control_plane.rds_data import RdsData
from staging.local.control_plane.seed import seed
from staging.local.control_plane.server import Server
from staging.local.network.wires import Wires
from staging.local.powers import Door
from staging.local.timings import FAST

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

PASSWORD = "long enough"  # noqa: S105 - of databases that live for seconds
SCHEMA = """
CREATE TABLE transfers (key text PRIMARY KEY, committed_at timestamptz DEFAULT clock_timestamp());
GRANT SELECT, INSERT ON transfers TO bank;
"""
LEDGER = arn("rds", "cluster:ledger")
ROLE = "arn:aws:iam::123456789012:role/service-role/AWSBackupDefaultServiceRole"


class Nowhere:
    """Endpoints that nobody connects to."""

    async def point(self, name: str, host: str, port: int) -> None:
        """Lead nobody anywhere."""

    async def unpoint(self, name: str) -> None:
        """Lead nobody anywhere."""


class Estate:
    """The ledger with two instances, RDS, the Data API and AWS Backup; no tasks, no load balancer."""

    def __init__(self, directory: Path, defects: Sequence[str] = (), hour_s: float = 3600.0) -> None:
        self._directory = directory
        self._defects = defects
        self._hour_s = hour_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._clients: dict[tuple[str, str], Any] = {}
        self.lost: set[str] = set()  # regions that answer nothing

    def start(self) -> None:
        """Start it all."""
        self._thread.start()
        BackendDict.reset()
        seed(
            timings=FAST, desired_count=1, service_subnets=["app-a"], user="bank", password=PASSWORD,
            owner="ledger_owner", owner_password=PASSWORD,
        )  # fmt: skip
        self.run(self._start())
        self._server.start()

    async def _start(self) -> None:
        schema = self._directory / "schema.sql"
        schema.write_text(SCHEMA)
        settings = AuroraSettings(schema=schema, app_password=PASSWORD, owner_password=PASSWORD)
        events: deque[AuroraEvent] = deque()
        self._network = Wires()
        self._network.start()
        (self._directory / "aurora").mkdir(mode=0o755)
        aurora = self._directory / "aurora"
        self.fleet = Fleet(self._network, aurora, settings, Nowhere(), events.append)
        self._elsewhere = Fleet(self._network, aurora, settings, Nowhere(), events.append)
        await self.fleet.start()
        fleets = {"us-east-1": self.fleet, "us-west-2": self._elsewhere}
        self._trail = AuditTrail(self._directory / "audit.jsonl")
        front, bridge = Front(self._trail), Bridge()
        databases = Databases(fleets, events, bridge)
        self.backups = self._directory / "backups"
        self.backups.mkdir(mode=0o755)
        rds = Rds(databases, self.backups)
        backup = assembled(
            rds, databases, bridge, root=self.backups, hour_s=self._hour_s, defects=self._defects,
            lost=self.lost.__contains__,
        )  # fmt: skip
        for part in (rds, RdsData(fleets, bridge), backup.api):
            part.register(front)
        self._plans = asyncio.create_task(backup.plans.run())
        door = socket.create_server(("127.0.0.1", 0))
        host, port = door.getsockname()[:2]
        self.endpoint = f"http://{host}:{port}"
        self._server = Server(front, [door])

    def stop(self) -> None:
        """Stop it all."""
        self._server.stop()
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        BackendDict.reset()

    async def _stop(self) -> None:
        self._plans.cancel()
        await asyncio.gather(self._plans, return_exceptions=True)
        await self.fleet.stop()
        await self._elsewhere.stop()
        self._network.stop()
        self._trail.close()
        # what threads still copy would be written into a folder that is being removed
        await asyncio.get_running_loop().shutdown_default_executor()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    def aws(self, service: str, region: str = "us-east-1") -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.client(
                service, endpoint_url=self.endpoint, region_name=region,
                aws_access_key_id="x", aws_secret_access_key="x",  # noqa: S106 - nobody checks it
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            )  # fmt: skip
        return self._clients[service, region]

    # What tests do again and again.

    def sql(self, statement: str, cluster: str = LEDGER, *, owner: bool = False) -> list[Any]:
        answer = self.aws("rds-data", cluster.split(":")[3]).execute_statement(
            resourceArn=cluster, secretArn="ledger/owner" if owner else "ledger/password",
            database="ledger", sql=statement,
        )  # fmt: skip
        return [[next(iter(field.values())) for field in row] for row in answer["records"]]

    def cluster(self, name: str, region: str = "us-east-1") -> dict[str, Any]:
        found = self.aws("rds", region).describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
        assert len(found) == 1
        described: dict[str, Any] = found[0]
        return described

    def clusters(self, region: str = "us-east-1") -> dict[str, str]:
        found = self.aws("rds", region).describe_db_clusters()["DBClusters"]
        return {cluster["DBClusterIdentifier"]: cluster["Status"] for cluster in found}

    def instances(self, region: str = "us-east-1") -> dict[str, str]:
        found = self.aws("rds", region).describe_db_instances()["DBInstances"]
        return {instance["DBInstanceIdentifier"]: instance["DBInstanceStatus"] for instance in found}

    def add_instance(self, cluster: str, name: str, region: str = "us-east-1") -> None:
        """Add one, and let SQL in, which a restore leaves out."""
        rds = self.aws("rds", region)
        described = rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"][0]
        rds.enable_http_endpoint(ResourceArn=described["DBClusterArn"])
        rds.create_db_instance(
            DBInstanceIdentifier=name, DBClusterIdentifier=cluster, Engine="aurora-postgresql",
            DBInstanceClass="db.r6g.large",
        )  # fmt: skip
        until(lambda: self.instances(region)[name] == "available", f"{name} is available")

    def back_up(self, resource: str = LEDGER, vault: str = "staging", **more: Any) -> dict[str, Any]:
        backup = self.aws("backup")
        job = backup.start_backup_job(BackupVaultName=vault, ResourceArn=resource, IamRoleArn=ROLE, **more)
        return ended(lambda: backup.describe_backup_job(BackupJobId=job["BackupJobId"]), "State")

    def copy(
        self, point: str, vault: str = "staging-dr", region: str = "us-west-2", days: int = 35
    ) -> dict[str, Any]:
        backup = self.aws("backup")
        job = backup.start_copy_job(
            RecoveryPointArn=point, SourceBackupVaultName="staging", IamRoleArn=ROLE,
            DestinationBackupVaultArn=arn("backup", f"backup-vault:{vault}", region),
            Lifecycle={"DeleteAfterDays": days},
        )  # fmt: skip
        return ended(lambda: backup.describe_copy_job(CopyJobId=job["CopyJobId"])["CopyJob"], "State")

    def restore(self, point: str, region: str = "us-east-1", **metadata: str) -> dict[str, Any]:
        backup = self.aws("backup", region)
        job = backup.start_restore_job(
            RecoveryPointArn=point, Metadata=metadata, IamRoleArn=ROLE, CopySourceTagsToRestoredResource=True
        )
        return ended(lambda: backup.describe_restore_job(RestoreJobId=job["RestoreJobId"]), "Status")

    def is_damaged(self, point: str) -> bool:
        return bool(Door(self.endpoint).call("DescribeDamage", recovery_point=point)["damaged"])

    def damage(self, point: str, how: str) -> str:
        return str(Door(self.endpoint).call("DamageRecoveryPoint", recovery_point=point, how=how)["damaged"])

    def drop(self, cluster: str, region: str = "us-east-1") -> None:
        """Delete a cluster with its instances, and wait for the end."""
        rds = self.aws("rds", region)
        for member in self.cluster(cluster, region)["DBClusterMembers"]:
            rds.delete_db_instance(DBInstanceIdentifier=member["DBInstanceIdentifier"])
        rds.delete_db_cluster(DBClusterIdentifier=cluster, SkipFinalSnapshot=True)
        until(lambda: cluster not in self.clusters(region), f"{cluster} is gone")


def ended(describe: Callable[[], dict[str, Any]], state: str) -> dict[str, Any]:
    """Wait for a job to end; return its last description."""
    until(lambda: describe()[state] in ("COMPLETED", "FAILED", "ABORTED"), "the job is over")
    return describe()


def until(condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.05)
