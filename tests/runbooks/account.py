"""An AWS account in memory behind real boto3 clients, for stopping a runbook at each of its calls.

botocore validates every parameter; the answers are the least that RDS and AWS Backup say. Whatever is made or
renamed takes two looks to become available, as nothing on AWS is done when the call returns.
"""

# ruff: noqa: N802, N803 - operations and parameters bear the names that AWS gives them

from __future__ import annotations

import copy
import itertools
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3

from blackstart.choke import ChokePoint
from blackstart.rules import Rules
from blackstart.staging import Facts

if TYPE_CHECKING:
    from blackstart.ledger import Ledger
    from blackstart.staging import AnyPower

ACCOUNT, REGION = "123456789012", "us-east-1"
TAGS = [{"Key": "Environment", "Value": "staging"}, {"Key": "blackstart", "Value": "allowed"}]
LOOKS = 2


class Killed(BaseException):
    """The runner died here."""


class AwsError(Exception):
    """An error as AWS answers it."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class Account:
    """The account, and the staging that reaches it."""

    def __init__(self, ledger: Ledger, *, destroyed: bool = False) -> None:
        self.facts = Facts(
            name="t", account=ACCOUNT, region=REGION, isolation="", timings="", base_url="http://bank"
        )
        self.where = REGION  # of what is there now
        self.rules = Rules(regions=("us-west-2",))
        self.clusters: dict[str, dict[str, Any]] = {}
        self.instances: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.damaged: set[str] = set()  # recovery points that restore into a ledger that is not sound
        self.failing: set[str] = set()  # recovery points whose restore job fails
        self.unservable: set[str] = set()  # no instance can be made on what these restore
        self.changes: list[str] = []
        self.die_at = 0  # the number of the change that kills the runner
        self.dies_before = False  # the call, or after it
        self._number = itertools.count(1)
        self._ledger = ledger
        self.clients: dict[tuple[str, str], Any] = {}
        now = datetime.now(UTC)
        self.points: list[dict[str, Any]] = [
            {"RecoveryPointArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster-snapshot:awsbackup:job-{age}",
             "CreationDate": now - timedelta(minutes=age), "Status": "COMPLETED", "ResourceType": "Aurora",
             "ResourceArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:ledger"}
            for age in (1, 30, 60)
        ]  # fmt: skip
        if not destroyed:
            self._make_cluster("ledger", status="available")
            for name in ("ledger-1", "ledger-2"):
                self._make_instance(name, "ledger", status="available")
            self.settle()

    def aws(self, service: str, region: str = "") -> Any:
        key = (service, region or REGION)
        if key not in self.clients:
            client = boto3.client(
                service,
                region_name=key[1],
                aws_access_key_id="a",
                aws_secret_access_key="b",  # noqa: S106 - nobody asks for it
            )
            point = ChokePoint(ledger=self._ledger, region=REGION, environment=self.facts.environment)
            point.install(client.meta.events)
            client.meta.events.register("provide-client-params.*.*", self._remember)
            client.meta.events.register("before-call.*.*", self._answer)
            self.clients[key] = client
        return self.clients[key]

    def power(self, kind: type[AnyPower]) -> AnyPower | None:  # noqa: ARG002 - of the protocol
        return None

    def settle(self) -> None:
        """Let everything become what it is becoming."""
        for thing in (*self.clusters.values(), *self.instances.values(), *self.jobs.values()):
            thing["looks"] = LOOKS

    def shape(self) -> dict[str, set[str]]:
        """Which clusters there are, with their instances."""
        return {
            name: {i for i, one in self.instances.items() if one["cluster"] == cluster["resource"]}
            for name, cluster in self.clusters.items()
        }

    def content(self, name: str) -> str:
        """What a cluster holds: "first", or the recovery point or instant it was restored from."""
        return str(self.clusters[name]["content"])

    def _remember(self, params: dict[str, Any], **_: Any) -> None:
        self._params = copy.deepcopy(params)

    def _answer(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        operation, params = model.name, self._params
        changing = not operation.startswith(("Describe", "List", "Get"))
        sql = operation == "ExecuteStatement"
        if changing and not sql:
            self.changes.append(operation)
        deadly = changing and not sql and len(self.changes) == self.die_at
        if deadly and self.dies_before:
            raise Killed(operation)
        try:
            answer = getattr(self, operation)(**params)
        except AwsError as error:
            parsed = {"Error": {"Code": error.code, "Message": error.code}, "ResponseMetadata": {}}
            return SimpleNamespace(status_code=error.status), parsed
        if deadly:
            raise Killed(operation)
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {}}

    # RDS

    def _make_cluster(self, name: str, *, status: str = "creating", content: str = "first") -> None:
        if name in self.clusters:
            raise AwsError("DBClusterAlreadyExistsFault")
        self.clusters[name] = {
            "resource": f"cluster-{next(self._number)}", "becoming": status, "looks": 0, "content": content,
            "lets sql in": status == "available",
        }  # fmt: skip

    def _make_instance(self, name: str, cluster: str, *, status: str = "creating") -> None:
        if name in self.instances:
            raise AwsError("DBInstanceAlreadyExists")
        resource = self._cluster(cluster)["resource"]
        first = not any(one["cluster"] == resource for one in self.instances.values())
        self.instances[name] = {"cluster": resource, "becoming": status, "looks": 0, "writer": first}

    def _cluster(self, name: str) -> dict[str, Any]:
        if name not in self.clusters:
            raise AwsError("DBClusterNotFoundFault", 404)
        return self.clusters[name]

    def _status(self, thing: dict[str, Any]) -> str:
        return "available" if thing["looks"] >= LOOKS else str(thing["becoming"])

    def _require_settled(self, thing: dict[str, Any], code: str) -> None:
        if self._status(thing) != "available":
            raise AwsError(code)

    def _cluster_shape(self, name: str) -> dict[str, Any]:
        cluster = self.clusters[name]
        cluster["looks"] += 1
        members = [(i, one) for i, one in self.instances.items() if one["cluster"] == cluster["resource"]]
        return {
            "DBClusterIdentifier": name, "Status": self._status(cluster), "Engine": "aurora-postgresql",
            "DbClusterResourceId": cluster["resource"], "TagList": TAGS,
            "DBClusterArn": f"arn:aws:rds:{self.where}:{ACCOUNT}:cluster:{name}",
            "LatestRestorableTime": datetime.now(UTC), "HttpEndpointEnabled": cluster["lets sql in"],
            "DBClusterMembers": [
                {"DBInstanceIdentifier": i, "IsClusterWriter": one["writer"]} for i, one in members
            ],
        }  # fmt: skip

    def DescribeDBClusters(self, DBClusterIdentifier: str | None = None, **_: Any) -> dict[str, Any]:
        names = [DBClusterIdentifier] if DBClusterIdentifier else list(self.clusters)
        for name in names:
            self._cluster(name)
        return {"DBClusters": [self._cluster_shape(name) for name in names]}

    def EnableHttpEndpoint(self, ResourceArn: str) -> dict[str, Any]:
        self._cluster(ResourceArn.rpartition(":")[2])["lets sql in"] = True
        return {}

    def DescribeDBInstances(self, DBInstanceIdentifier: str) -> dict[str, Any]:
        one = self.instances.get(DBInstanceIdentifier)
        if one is None:
            raise AwsError("DBInstanceNotFound", 404)
        one["looks"] += 1
        arn = f"arn:aws:rds:{self.where}:{ACCOUNT}:db:{DBInstanceIdentifier}"
        status = "failed" if one.get("fails") else self._status(one)
        shape = {"DBInstanceIdentifier": DBInstanceIdentifier, "DBInstanceStatus": status}
        return {"DBInstances": [{**shape, "DBInstanceArn": arn, "TagList": TAGS}]}

    def DescribeDBSubnetGroups(self, DBSubnetGroupName: str) -> dict[str, Any]:
        arn = f"arn:aws:rds:{self.where}:{ACCOUNT}:subgrp:{DBSubnetGroupName}"
        subnets = [{"SubnetAvailabilityZone": {"Name": f"{REGION}{zone}"}} for zone in "ab"]
        return {"DBSubnetGroups": [{"DBSubnetGroupArn": arn, "Subnets": subnets}]}

    def DescribeDBClusterAutomatedBackups(self, **_: Any) -> dict[str, Any]:
        return {"DBClusterAutomatedBackups": []}

    def ListTagsForResource(self, **_: Any) -> dict[str, Any]:
        return {"TagList": TAGS}

    def AddTagsToResource(self, **_: Any) -> dict[str, Any]:
        return {}

    def CreateDBInstance(self, **given: Any) -> dict[str, Any]:
        self._require_settled(self._cluster(given["DBClusterIdentifier"]), "InvalidDBClusterStateFault")
        self._make_instance(given["DBInstanceIdentifier"], given["DBClusterIdentifier"])
        fails = self.content(given["DBClusterIdentifier"]) in self.unservable
        self.instances[given["DBInstanceIdentifier"]]["fails"] = fails
        return {}

    def DeleteDBInstance(self, DBInstanceIdentifier: str, **_: Any) -> dict[str, Any]:
        self._require_settled(self.instances[DBInstanceIdentifier], "InvalidDBInstanceState")
        del self.instances[DBInstanceIdentifier]
        return {}

    def DeleteDBCluster(self, DBClusterIdentifier: str, **_: Any) -> dict[str, Any]:
        self._require_settled(self._cluster(DBClusterIdentifier), "InvalidDBClusterStateFault")
        if self.shape()[DBClusterIdentifier]:
            raise AwsError("InvalidDBClusterStateFault")
        del self.clusters[DBClusterIdentifier]
        return {}

    def ModifyDBCluster(
        self, DBClusterIdentifier: str, NewDBClusterIdentifier: str, **_: Any
    ) -> dict[str, Any]:
        self._require_settled(self._cluster(DBClusterIdentifier), "InvalidDBClusterStateFault")
        if NewDBClusterIdentifier in self.clusters:
            raise AwsError("DBClusterAlreadyExistsFault")
        self.clusters[NewDBClusterIdentifier] = self.clusters.pop(DBClusterIdentifier)
        self.clusters[NewDBClusterIdentifier].update(looks=0, becoming="renaming")
        return {}

    def ModifyDBInstance(
        self, DBInstanceIdentifier: str, NewDBInstanceIdentifier: str, **_: Any
    ) -> dict[str, Any]:
        self._require_settled(self.instances[DBInstanceIdentifier], "InvalidDBInstanceState")
        if NewDBInstanceIdentifier in self.instances:
            raise AwsError("DBInstanceAlreadyExists")
        self.instances[NewDBInstanceIdentifier] = self.instances.pop(DBInstanceIdentifier)
        self.instances[NewDBInstanceIdentifier].update(looks=0, becoming="renaming")
        return {}

    def RestoreDBClusterToPointInTime(self, **given: Any) -> dict[str, Any]:
        self._cluster(given["SourceDBClusterIdentifier"])
        self._make_cluster(given["DBClusterIdentifier"], content=str(given.get("RestoreToTime", "latest")))
        return {}

    # AWS Backup

    def DescribeBackupVault(self, BackupVaultName: str) -> dict[str, Any]:
        return {"BackupVaultArn": f"arn:aws:backup:{self.where}:{ACCOUNT}:backup-vault:{BackupVaultName}"}

    def ListTags(self, **_: Any) -> dict[str, Any]:
        return {"Tags": {tag["Key"]: tag["Value"] for tag in TAGS}}

    def ListRecoveryPointsByBackupVault(self, **_: Any) -> dict[str, Any]:
        return {"RecoveryPoints": self.points}

    def GetRecoveryPointRestoreMetadata(self, **_: Any) -> dict[str, Any]:
        return {"RestoreMetadata": {"dbClusterIdentifier": "ledger", "Engine": "aurora-postgresql"}}

    def StartRestoreJob(self, RecoveryPointArn: str, Metadata: dict[str, str], **_: Any) -> dict[str, Any]:
        job = f"job-{next(self._number)}"
        self.jobs[job] = {"point": RecoveryPointArn, "looks": 0, "at": datetime.now(UTC)}
        if RecoveryPointArn not in self.failing:
            self._make_cluster(Metadata["DBClusterIdentifier"], content=RecoveryPointArn)
        return {"RestoreJobId": job}

    def _job_shape(self, name: str) -> dict[str, Any]:
        job = self.jobs[name]
        job["looks"] += 1
        over = "FAILED" if job["point"] in self.failing else "COMPLETED"
        status = over if job["looks"] > LOOKS else "RUNNING"
        return {
            "RestoreJobId": name, "RecoveryPointArn": job["point"], "Status": status, "PercentDone": "50.0%",
            "StatusMessage": "base/1/2 is damaged" if status == "FAILED" else "",
        }  # fmt: skip

    def DescribeRestoreJob(self, RestoreJobId: str) -> dict[str, Any]:
        return self._job_shape(RestoreJobId)

    def ListRestoreJobs(self, ByCreatedAfter: datetime) -> dict[str, Any]:
        return {
            "RestoreJobs": [
                self._job_shape(name) for name, job in self.jobs.items() if job["at"] > ByCreatedAfter
            ]
        }

    def PutRestoreValidationResult(
        self, RestoreJobId: str, ValidationStatus: str, **_: Any
    ) -> dict[str, Any]:
        self.jobs[RestoreJobId]["validation"] = ValidationStatus
        return {}

    # what else is asked

    def GetCallerIdentity(self) -> dict[str, Any]:
        return {"Account": ACCOUNT}

    def DescribeSecret(self, **_: Any) -> dict[str, Any]:
        return {"ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:ledger/password"}

    def ListObjectsV2(self, **_: Any) -> dict[str, Any]:
        return {"Contents": []}

    def ExecuteStatement(self, resourceArn: str, sql: str, **_: Any) -> dict[str, Any]:
        name = resourceArn.rpartition(":")[2]
        if not self.clusters[name]["lets sql in"]:
            raise AwsError("HttpEndpointNotEnabledException")
        writer = next(i for i in self.shape()[name] if self.instances[i]["writer"])
        return {"records": [[self._told(name, writer, sql)]] if "DO $$" not in sql else []}

    def _told(self, name: str, writer: str, sql: str) -> dict[str, Any]:
        if "aurora_db_instance_identifier" in sql:
            return {"stringValue": writer}
        if "sum(balance)" in sql:
            return {"booleanValue": self.content(name) not in self.damaged}
        if "pg_tables" in sql:
            return {"longValue": 3}
        if "lag(" in sql:
            return {"stringValue": "2026-11-23T09:00:00.123456Z"}
        if " > 0 FROM" in sql or "hashtext" in sql:
            return {"booleanValue": True}
        return {"longValue": 0}
