"""What the Aurora faults share: who is the writer, who could be, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from blackstart.fault import Conflict, NothingToBreak, Plan, Target
from blackstart.waiting import wait_until

if TYPE_CHECKING:
    from blackstart.staging import Staging

_REJOIN_WITHIN_S = 300.0
_SWITCH_WITHIN_S = 120.0
_DOWN: Final = ("DatabaseErrorException", "DatabaseUnavailableException")


def describe(staging: Staging, cluster: str, region: str = "") -> dict[str, Any]:
    """Return the cluster as the RDS API describes it. Raises NothingToBreak when there is none."""
    try:
        found = staging.aws("rds", region).describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "DBClusterNotFoundFault":
            raise
        raise NothingToBreak(f"no Aurora cluster is called {cluster!r}") from error
    description: dict[str, Any] = found[0]
    return description


def writer(cluster: dict[str, Any]) -> str | None:
    """Return the id of the writer, None while there is none."""
    return next(
        (m["DBInstanceIdentifier"] for m in cluster["DBClusterMembers"] if m["IsClusterWriter"]), None
    )


def writer_now(staging: Staging, cluster: str) -> str | None:
    """Ask the API who the writer is; None while the cluster is not settled."""
    description = describe(staging, cluster)
    return writer(description) if description["Status"] == "available" else None


def reader(cluster: dict[str, Any]) -> str:
    """Return the reader that Aurora prefers: the lowest promotion tier."""
    readers = [m for m in cluster["DBClusterMembers"] if not m["IsClusterWriter"]]
    if not readers:
        raise NothingToBreak(f"cluster {cluster['DBClusterIdentifier']!r} has no reader to promote")
    chosen: str = min(readers, key=lambda member: member.get("PromotionTier", 1))["DBInstanceIdentifier"]
    return chosen


def targets(staging: Staging, cluster: dict[str, Any]) -> tuple[Target, ...]:
    """Return the cluster and its instances, each with the tags that it carries now."""
    ids = [member["DBInstanceIdentifier"] for member in cluster["DBClusterMembers"]]
    rds = staging.aws("rds")
    instances = [rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0] for name in ids]
    return (
        Target(
            kind="Aurora cluster",
            id=cluster["DBClusterIdentifier"],
            arn=cluster["DBClusterArn"],
            tags=_tags(cluster),
        ),
        *(
            Target(
                kind="Aurora instance",
                id=instance["DBInstanceIdentifier"],
                arn=instance["DBInstanceArn"],
                tags=_tags(instance),
            )
            for instance in instances
        ),
    )


def plan(staging: Staging, name: str) -> Plan:
    """Plan to take the writer away: it is brought back, whichever way the reader took its place."""
    cluster = describe(staging, name)
    return Plan(
        targets=targets(staging, cluster),
        before={"writer": writer(cluster)},
        broken={"writer": reader(cluster)},
        shares={f"instances of {name}": {"taken": [str(writer(cluster))], "of": _members(cluster)}},
        calls=("rds:FailoverDBCluster", "rds-data:ExecuteStatement"),
        heals=("rds:FailoverDBCluster",),
    )


def promote(staging: Staging, cluster: str, instance: str) -> None:
    """Ask Aurora to make this instance the writer."""
    staging.aws("rds").failover_db_cluster(DBClusterIdentifier=cluster, TargetDBInstanceIdentifier=instance)


def fail_back(staging: Staging, cluster: str, plan: Plan) -> None:
    """Make the writer of before the writer again. Raises Conflict when a third one is."""
    first = plan.before["writer"]
    now = wait_until(
        lambda: writer_now(staging, cluster), within_s=_SWITCH_WITHIN_S, what=f"{cluster} is settled"
    )
    if now == first:
        return
    if now != plan.broken["writer"]:
        raise Conflict(f"the writer of {cluster} is {now}, neither {first} nor {plan.broken['writer']}")
    wait_until(lambda: _available(staging, first), within_s=_REJOIN_WITHIN_S, what=f"{first} has rejoined")
    promote(staging, cluster, first)
    wait_until(
        lambda: writer_now(staging, cluster) == first,
        within_s=_SWITCH_WITHIN_S,
        what=f"{first} is the writer again",
    )


def ask_writer(staging: Staging, cluster: str, secret: str, sql: str) -> str | None:
    """Return the first column that the writer itself answers, None while it does not answer."""
    return said(staging, cluster, secret, sql).answer


class Said(NamedTuple):
    """What the writer answered, or the code of the error that came instead; neither when nobody answered."""

    answer: str | None = None
    error: str = ""

    @property
    def is_down(self) -> bool:
        """Whether the Data API says that the database does not answer; other errors say nothing of it."""
        return self.error in _DOWN


def said(staging: Staging, cluster: str, secret: str, sql: str) -> Said:
    """Return what came of asking the writer for the first column of a statement."""
    try:
        records = execute(staging, cluster, secret, sql)["records"]
    except ClientError as error:
        return Said(error=str(error.response["Error"]["Code"]))
    except BotoCoreError:
        return Said()
    return Said(str(next(iter(records[0][0].values())))) if records else Said()


def execute(staging: Staging, cluster: str, secret: str, sql: str) -> dict[str, Any]:
    """Run one statement on the writer through the RDS Data API."""
    arn = describe(staging, cluster)["DBClusterArn"]
    secret_arn = staging.aws("secretsmanager").describe_secret(SecretId=secret)["ARN"]
    answer: dict[str, Any] = staging.aws("rds-data").execute_statement(
        resourceArn=arn, secretArn=secret_arn, database="ledger", sql=sql
    )
    return answer


def _members(cluster: dict[str, Any]) -> list[str]:
    return sorted(member["DBInstanceIdentifier"] for member in cluster["DBClusterMembers"])


def _available(staging: Staging, instance: str) -> bool:
    found = staging.aws("rds").describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"]
    return bool(found) and found[0]["DBInstanceStatus"] == "available"


def _tags(resource: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("TagList", [])}
