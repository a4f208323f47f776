"""Staging as its control plane describes it, for comparing before and after: nothing that heals is asked.

Every description of every seeded resource in both regions, read by plain boto3 clients, without what differs
between two resources that serve the same: identifiers that AWS chooses anew, times, reasons, events. Backups
come and go by themselves and are left out.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import botocore.exceptions

from blackstart.staging import PowerFailed, SpotMarket
from faults import bank
from probes import steady
from staging.local.control_plane.platform import DR_REGION, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from staging.local.client import LocalStaging

# service, operation, arguments, what of the answer
_DESCRIBED: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("ec2", "describe_vpcs", {}, "Vpcs"),
    ("ec2", "describe_subnets", {}, "Subnets"),
    ("ec2", "describe_network_acls", {}, "NetworkAcls"),
    ("ec2", "describe_route_tables", {}, "RouteTables"),
    ("ec2", "describe_security_groups", {}, "SecurityGroups"),
    ("ec2", "describe_instances", {}, "Reservations"),
    ("rds", "describe_db_clusters", {}, "DBClusters"),
    ("rds", "describe_db_instances", {}, "DBInstances"),
    ("rds", "describe_db_cluster_snapshots", {"SnapshotType": "manual"}, "DBClusterSnapshots"),
    ("rds", "describe_db_subnet_groups", {}, "DBSubnetGroups"),
    ("ecs", "list_task_definitions", {}, "taskDefinitionArns"),
    ("elbv2", "describe_load_balancers", {}, "LoadBalancers"),
    ("elbv2", "describe_target_groups", {}, "TargetGroups"),
    ("elasticache", "describe_replication_groups", {}, "ReplicationGroups"),
    ("elasticache", "describe_cache_subnet_groups", {}, "CacheSubnetGroups"),
    ("backup", "list_backup_vaults", {}, "BackupVaultList"),
    ("backup", "list_backup_plans", {}, "BackupPlansList"),
    ("route53", "list_hosted_zones", {}, "HostedZones"),
    ("secretsmanager", "list_secrets", {}, "SecretList"),
    ("events", "list_rules", {}, "Rules"),
    ("cloudwatch", "describe_alarms", {}, "MetricAlarms"),
    ("dynamodb", "list_tables", {}, "TableNames"),
    ("sqs", "list_queues", {}, "QueueUrls"),
    ("sns", "list_topics", {}, "Topics"),
    ("s3", "list_buckets", {}, "Buckets"),
    ("kms", "list_aliases", {}, "Aliases"),
)
_WHO_LEADS = ("rds describe_db_clusters", "elasticache describe_replication_groups")
_GLOBAL = ("route53", "s3")
_CHOSEN_ANEW = re.compile(
    r"(Time|Date|At|Timestamp|Reason|ReasonData)$|^(events|deployments|NumberOfRecoveryPoints|Events|"
    r"DbClusterResourceId|DbiResourceId|NetworkAclAssociationId|LatestRestorableTime|LastAccessedDate|HostedZoneId|"
    r"PercentProgress)$"
)
_NAMES = re.compile(
    r"^(VpcId|SubnetId|NetworkAclId|RouteTableId|GroupId|NodeGroupId|CacheClusterId|.*Identifier|.*Arn|ARN|Key|key|"
    r".*Name|Id)$"
)
_OF_AN_ENDPOINT = re.compile(r"(\.cluster-(?:ro-)?)[a-z0-9]{12}\b")
ROLE = re.compile(r" / (IsClusterWriter|CurrentRole)$")
Shape = dict[str, str]


def shape(staging: LocalStaging, only: Collection[str] = ()) -> Shape:
    """Return what a local staging says of itself, by path, each as JSON text: these descriptions, or all."""
    readings = _readings(staging)
    return dict(_flat("", {name: readings[name]() for name in (only or readings)}))


def _readings(staging: LocalStaging) -> dict[str, Callable[[], Any]]:
    """Return how each description is read, by its name, with which its paths begin."""
    readings: dict[str, Callable[[], Any]] = {
        f"{region} {service} {operation}": partial(
            _described, staging.aws(service, region), operation, arguments, member
        )
        for region in (REGION, DR_REGION)
        for service, operation, arguments, member in _DESCRIBED
        if region == REGION or service not in _GLOBAL
    }
    for region in (REGION, DR_REGION):
        readings[f"{region} ecs"] = partial(_tasks_and_services, staging, region)
        readings[f"{region} elbv2 health"] = partial(_health, staging, region)
    return readings | {
        "records": partial(_records, staging),
        "bank answers": partial(bank.ready, staging),
    }


def _described(client: Any, operation: str, arguments: dict[str, Any], member: str) -> Any:
    return getattr(client, operation)(**arguments).get(member, [])


def differences(before: Shape, after: Shape, but: re.Pattern[str] | None = None) -> dict[str, str]:
    """Say of everything that is not as before what it is, by path, but for paths in which this is found."""
    return {
        path: f"{path}: {after.get(path, 'gone')}, was {before.get(path, 'not there')}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path) and not (but and but.search(path))
    }


def roles(staging: LocalStaging) -> Shape:
    """Return which of two servers leads, of all of them."""
    said = shape(staging, [name for name in _readings(staging) if name.endswith(_WHO_LEADS)])
    return {path: text for path, text in said.items() if ROLE.search(path)}


def left_after(
    staging: LocalStaging, before: Shape, *, within_s: float, every_s: float = 0.5,
    but: re.Pattern[str] | None = None,
) -> list[str]:  # fmt: skip
    """Wait until staging is as before; return what is not when the time is over.

    What differs is read again until it does not, then all of it once more: reading all costs a second.
    """
    deadline = time.monotonic() + within_s
    left = _looked(staging, before, but)
    while left and time.monotonic() < deadline:
        time.sleep(every_s)
        left = _looked(staging, before, but, {_name(path) for path in left}) or _looked(staging, before, but)
    return list(dict.fromkeys(left.values()))


def settled(staging: LocalStaging, *, within_s: float) -> Shape:
    """Return the shape of a staging that is whole, and says the same twice. Raises RuntimeError."""
    deadline = time.monotonic() + within_s
    earlier: Shape | None = None
    while True:
        whole = not steady.unwhole(staging, "ledger", ("bank", "bank-api"), "bank-api", "cache")
        now = shape(staging)
        if whole and earlier is not None and not differences(earlier, now) and not _alarmed(now):
            return now
        if time.monotonic() > deadline:
            raise RuntimeError(f"staging does not settle within {within_s:g} s")
        earlier = now
        time.sleep(0.5)


def _looked(
    staging: LocalStaging, before: Shape, but: re.Pattern[str] | None, only: Collection[str] = ()
) -> dict[str, str]:
    """Compare these descriptions, or all; one that cannot be had is a difference."""
    try:
        now = shape(staging, only)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError, PowerFailed) as error:
        return dict.fromkeys(only or _readings(staging), f"staging does not answer: {error}")
    then = {path: said for path, said in before.items() if not only or _name(path) in only}
    return differences(then, now, but)


def _name(path: str) -> str:
    """Return the description that a path is from."""
    return path.partition(" / ")[0]


def _alarmed(now: Shape) -> bool:
    return any(path.endswith("StateValue") and json.loads(text) != "OK" for path, text in now.items())


def _tasks_and_services(staging: LocalStaging, region: str) -> dict[str, Any]:
    ecs = staging.aws("ecs", region)
    found: dict[str, Any] = {}
    market = staging.power(SpotMarket)
    for cluster in ecs.list_clusters()["clusterArns"]:
        services = ecs.list_services(cluster=cluster)["serviceArns"]
        described = ecs.describe_services(cluster=cluster, services=services, include=["TAGS"])["services"]
        arns = ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"] if arns else []
        found[cluster] = {
            "services": described,
            "zones": Counter(task["availabilityZone"] for task in tasks),
            "capacity": Counter(task.get("capacityProviderName", "") for task in tasks),
            "status": Counter(task["lastStatus"] for task in tasks),
        }
        if region == REGION and market is not None:
            found[cluster]["spot withheld"] = market.withheld(cluster)
    return found


def _health(staging: LocalStaging, region: str) -> dict[str, Any]:
    elb = staging.aws("elbv2", region)
    found = {}
    for group in elb.describe_target_groups()["TargetGroups"]:
        health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
        found[group["TargetGroupName"]] = Counter(
            f"{one['Target'].get('AvailabilityZone', '')} {one['TargetHealth']['State']}"
            for one in health["TargetHealthDescriptions"]
        )
    return found


def _records(staging: LocalStaging) -> dict[str, Any]:
    route53 = staging.aws("route53")
    zones = [zone["Id"] for zone in route53.list_hosted_zones()["HostedZones"]]
    return {
        zone: route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"] for zone in zones
    }


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield each leaf with its path; what a list holds is told by what it is called, not by its place."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not _CHOSEN_ANEW.search(str(name)):
                yield from _flat(f"{path} / {name}" if path else str(name), inner)
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        names = [_called(one) for one in value]
        if len(set(names)) < len(names):  # they are told apart by nothing but all that they say
            names = [json.dumps(dict(_flat("", one)), sort_keys=True) for one in value]
        for name, one in sorted(zip(names, value, strict=True), key=lambda pair: pair[0]):
            yield from _flat(f"{path} / {name}", one)
    else:
        text = json.dumps(value, sort_keys=True, default=str)
        yield path, _OF_AN_ENDPOINT.sub(r"\1*", text) if " rds " in path else text


def _called(one: dict[str, Any]) -> str:
    """Return by what an element of a list is known: its identifier, or all of it."""
    for name, value in one.items():
        if _NAMES.search(name):
            return str(value)
    return json.dumps(one, sort_keys=True, default=str)
