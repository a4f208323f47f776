"""What normal looks like: questions that experiments ask of a staging before they break it."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

from blackstart import context

if TYPE_CHECKING:
    from blackstart.staging import Staging

_ENDED = ("COMPLETED", "ABORTED", "FAILED")


def bank_answers() -> bool:
    """The bank's deep health check says that database and cache answer it."""
    url = f"{context.attached().facts.base_url}/health/ready"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - the staging's own address
            return bool(answer.status == http.client.OK)
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False


def healthy_targets(target_group: str) -> int:
    """How many tasks the load balancer finds healthy."""
    return len(_healthy_zones(context.attached(), target_group))


def writers(cluster: str) -> int:
    """How many writers the Aurora cluster has; one is right."""
    members = _members(context.attached(), cluster)
    return sum(member["IsClusterWriter"] for member in members)


def writer(staging: Staging, cluster: str, region: str = "") -> str | None:
    """Return the id of the cluster's writer as the API names it, None while there is none."""
    members = _members(staging, cluster, region)
    return next((m["DBInstanceIdentifier"] for m in members if m["IsClusterWriter"]), None)


def costly(staging: Staging, region: str) -> set[str]:
    """Return what costs money in a region for as long as it is there, and may be left by a restore."""
    pages = staging.aws("backup", region).get_paginator("list_restore_jobs").paginate()
    jobs = (job for page in pages for job in page["RestoreJobs"])
    under_way = {f"restore job {job['RestoreJobId']}" for job in jobs if job["Status"] not in _ENDED}
    return databases(staging, region) | under_way


def databases(staging: Staging, region: str = "") -> set[str]:
    """Return every Aurora cluster and instance, and every snapshot that somebody made: each costs money."""
    rds = staging.aws("rds", region)
    asked: tuple[tuple[str, str, str, dict[str, str]], ...] = (
        ("describe_db_clusters", "DBClusters", "DBClusterIdentifier", {}),
        ("describe_db_instances", "DBInstances", "DBInstanceIdentifier", {}),
        (
            "describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshotIdentifier",
            {"SnapshotType": "manual"},
        ),
    )  # fmt: skip
    return {
        f"{kind.removeprefix('DB')[:-1]} {one[name]}"
        for call, kind, name, arguments in asked
        for page in rds.get_paginator(call).paginate(**arguments)
        for one in page[kind]
    }


def healthy_by_zone(staging: Staging, target_group: str, region: str = "") -> dict[str, int]:
    """Return how many healthy tasks each zone has."""
    return dict(sorted(Counter(_healthy_zones(staging, target_group, region)).items()))


def unwhole(
    staging: Staging, cluster: str, service: tuple[str, str], target_group: str, cache: str
) -> list[str]:
    """Name everything that keeps the staging from being whole, nothing when it is.

    `service` is ECS cluster and service. Whole: every instance of the database available, the service's
    desired tasks running and healthy, the cache available. In which zones is what the drills find out.
    """
    return [
        *_database_faults(staging, cluster),
        *_service_faults(staging, *service, target_group),
        *_cache_faults(staging, cache),
    ]


def _cluster(staging: Staging, cluster: str, region: str = "") -> dict[str, Any] | None:
    rds = staging.aws("rds", region)
    try:
        found = rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]
    except rds.exceptions.DBClusterNotFoundFault:
        return None
    description: dict[str, Any] = found[0]
    return description


def _members(staging: Staging, cluster: str, region: str = "") -> list[dict[str, Any]]:
    description = _cluster(staging, cluster, region)
    return description["DBClusterMembers"] if description else []


def _database_faults(staging: Staging, cluster: str) -> list[str]:
    description = _cluster(staging, cluster)
    if description is None:
        return [f"there is no cluster {cluster}"]
    instances = staging.aws("rds").describe_db_instances(
        Filters=[{"Name": "db-cluster-id", "Values": [cluster]}]
    )["DBInstances"]
    faults = [
        f"{instance['DBInstanceIdentifier']} is {instance['DBInstanceStatus']}"
        for instance in instances
        if instance["DBInstanceStatus"] != "available"
    ]
    if description["Status"] != "available":
        faults.append(f"cluster {cluster} is {description['Status']}")
    return faults


def _service_faults(staging: Staging, cluster: str, service: str, target_group: str) -> list[str]:
    found = staging.aws("ecs").describe_services(cluster=cluster, services=[service])["services"][0]
    zones = _healthy_zones(staging, target_group)
    faults = []
    if found["runningCount"] != found["desiredCount"] or len(zones) != found["desiredCount"]:
        faults.append(
            f"{found['desiredCount']} tasks desired, {found['runningCount']} running, {len(zones)} healthy"
        )
    return faults


def _healthy_zones(staging: Staging, target_group: str, region: str = "") -> list[str]:
    elb = staging.aws("elbv2", region)
    arn = elb.describe_target_groups(Names=[target_group])["TargetGroups"][0]["TargetGroupArn"]
    health = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return [
        target["Target"].get("AvailabilityZone", "")
        for target in health
        if target["TargetHealth"]["State"] == "healthy"
    ]


def _cache_faults(staging: Staging, cache: str) -> list[str]:
    group = staging.aws("elasticache").describe_replication_groups(ReplicationGroupId=cache)[
        "ReplicationGroups"
    ][0]
    return [] if group["Status"] == "available" else [f"cache {cache} is {group['Status']}"]
