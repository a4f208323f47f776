"""What a drill may change and must put back, as staging's API tells it: taken before, compared afterwards.

Configuration, not roles: which instance is the writer may rightly be another one after a zone was lost, and a
fault that changed that on purpose reads it back itself. No states that pass, like "backing-up". Only what
carries the tags of staging is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart.guards import REQUIRED_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from blackstart.staging import Staging

Snapshot = dict[str, Any]
DATABASES = ("cluster ", "instance ")  # how their names begin
_FILTERS = [{"Name": f"tag:{name}", "Values": [value]} for name, value in REQUIRED_TAGS.items()]
_CLUSTER = (
    "DeletionProtection", "Engine", "EngineVersion", "Port", "DBSubnetGroup", "DBClusterParameterGroup",
    "IAMDatabaseAuthenticationEnabled", "EnabledCloudwatchLogsExports", "HttpEndpointEnabled",
)  # fmt: skip
_INSTANCE = (
    "DBInstanceClass",
    "AvailabilityZone",
    "PromotionTier",
    "DBClusterIdentifier",
)
_SERVICE = ("desiredCount", "capacityProviderStrategy", "taskDefinition", "networkConfiguration")


def snapshot(staging: Staging, but: tuple[str, ...] = ()) -> Snapshot:
    """Return `{resource: JSON value}` of everything in the staging's region that is tagged as its.

    `but` is how the names begin of what is left out.
    """
    kept = [*_network(staging), *_databases(staging), *_services(staging), *_alarms(staging)]
    return {name: value for name, value in sorted(kept) if not name.startswith(but)}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what is not as it was, nothing when all is."""
    gone = [f"{name} is gone" for name in before if name not in now]
    new = [f"{name} was not there before" for name in now if name not in before]
    changed = [
        f"{name} is {now[name]}, was {before[name]}"
        for name in before
        if name in now and now[name] != before[name]
    ]
    return gone + new + changed


def _network(staging: Staging) -> Iterator[tuple[str, Any]]:
    ec2 = staging.aws("ec2")
    ours = {
        subnet["SubnetId"]
        for page in ec2.get_paginator("describe_subnets").paginate(Filters=_FILTERS)
        for subnet in page["Subnets"]
    }
    for page in ec2.get_paginator("describe_network_acls").paginate():
        for acl in page["NetworkAcls"]:
            used = sorted(a["SubnetId"] for a in acl["Associations"] if a["SubnetId"] in ours)
            yield from ((f"network ACL of {subnet}", acl["NetworkAclId"]) for subnet in used)
            if used:
                yield f"rules of {acl['NetworkAclId']}", sorted(map(_plain, acl["Entries"]))
    for page in ec2.get_paginator("describe_security_groups").paginate(Filters=_FILTERS):
        for group in page["SecurityGroups"]:
            rules = [*group["IpPermissions"], *group["IpPermissionsEgress"]]
            yield f"security group {group['GroupId']}", sorted(map(_plain, rules))


def _databases(staging: Staging) -> Iterator[tuple[str, Any]]:
    rds = staging.aws("rds")
    for page in rds.get_paginator("describe_db_clusters").paginate():
        for cluster in filter(_is_ours, page["DBClusters"]):
            members = sorted(member["DBInstanceIdentifier"] for member in cluster["DBClusterMembers"])
            groups = sorted(group["VpcSecurityGroupId"] for group in cluster.get("VpcSecurityGroups", []))
            kept = {"members": members, "security groups": groups}
            kept |= {name: cluster.get(name) for name in _CLUSTER}
            yield f"cluster {cluster['DBClusterIdentifier']}", kept
    for page in rds.get_paginator("describe_db_instances").paginate():
        for instance in filter(_is_ours, page["DBInstances"]):
            groups = [group["DBParameterGroupName"] for group in instance.get("DBParameterGroups", [])]
            kept = {"parameter groups": groups, **{name: instance.get(name) for name in _INSTANCE}}
            yield f"instance {instance['DBInstanceIdentifier']}", kept


def _services(staging: Staging) -> Iterator[tuple[str, Any]]:
    ecs = staging.aws("ecs")
    for clusters in ecs.get_paginator("list_clusters").paginate():
        for cluster in clusters["clusterArns"]:
            for page in ecs.get_paginator("list_services").paginate(
                cluster=cluster, PaginationConfig={"PageSize": 10}
            ):
                yield from _described(ecs, cluster, page["serviceArns"])


def _described(ecs: Any, cluster: str, arns: list[str]) -> Iterator[tuple[str, Any]]:
    if not arns:
        return
    for service in ecs.describe_services(cluster=cluster, services=arns, include=["TAGS"])["services"]:
        tags = {tag["key"]: tag["value"] for tag in service.get("tags", [])}
        if tags.items() >= REQUIRED_TAGS.items():
            kept = {name: service.get(name) for name in _SERVICE}
            yield f"service {service['serviceArn']}", kept


def _alarms(staging: Staging) -> Iterator[tuple[str, Any]]:
    for page in staging.aws("cloudwatch").get_paginator("describe_alarms").paginate():
        for alarm in page["MetricAlarms"]:
            yield f"actions of alarm {alarm['AlarmName']}", alarm["ActionsEnabled"]


def _is_ours(resource: Mapping[str, Any]) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in resource.get("TagList", [])}
    return tags.items() >= REQUIRED_TAGS.items()


def _plain(value: Any) -> str:
    """Return rules as text that does not depend on the order of their members."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_plain(value[name])}' for name in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{', '.join(sorted(map(_plain, value)))}]"
    return str(value)
