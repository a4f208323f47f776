"""The bank's load balancer, ECS service and stores, in whichever region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import (
    NAME,
    REGION,
    SERVICE,
    SESSIONS,
    TAGS,
    TARGET_GROUP,
    TASK_PORT,
    arn,
    tag_list,
)

if TYPE_CHECKING:
    from staging.local.timings import Timings

# "Base: 2 Fargate, Weight: 1 Spot": two tasks are never interrupted, all others are cheap
STRATEGY = [
    {"capacityProvider": "FARGATE", "base": 2, "weight": 0},
    {"capacityProvider": "FARGATE_SPOT", "base": 0, "weight": 1},
]
ON_DEMAND_ONLY = [{"capacityProvider": "FARGATE", "base": 0, "weight": 1}]
SPOT_ONLY = [{"capacityProvider": "FARGATE_SPOT", "base": 0, "weight": 1}]
_ECS_TAGS = [{"key": key, "value": value} for key, value in TAGS.items()]


def create_load_balancer(
    region: str, vpc: str, public: list[str], group: str, timings: Timings
) -> tuple[str, str]:
    """Make the ALB and its target group; return their ARNs."""
    elb = backend("elbv2", region)
    balancer = elb.create_load_balancer(
        NAME, [group], public, tags=tag_list(), loadbalancer_type="application"
    )
    balancer.state = "active"
    targets = elb.create_target_group(
        TARGET_GROUP, vpc_id=vpc, protocol="HTTP", port=TASK_PORT, target_type="ip", tags=tag_list(),
        healthcheck_protocol="HTTP", healthcheck_path="/health/live",
        # the API knows whole seconds only, and a timeout shorter than the interval
        healthcheck_interval_seconds=max(5, round(timings.check_every_s)),
        healthcheck_timeout_seconds=max(2, round(timings.check_timeout_s)),
        healthy_threshold_count=timings.checks_to_healthy,
        unhealthy_threshold_count=timings.checks_to_unhealthy,
    )  # fmt: skip
    elb.modify_target_group_attributes(
        targets.arn, {"deregistration_delay.timeout_seconds": str(max(1, round(timings.drain_s)))}
    )
    forward = [{"Type": "forward", "TargetGroupArn": targets.arn}]
    elb.create_listener(balancer.arn, "HTTP", "80", "", None, forward, tags=tag_list())
    return str(balancer.arn), str(targets.arn)


def create_service(
    region: str,
    subnets: list[str],
    group: str,
    targets: str,
    *,
    desired_count: int,
    timings: Timings,
    strategy: list[dict[str, Any]],
) -> tuple[str, str]:
    """Make the ECS cluster and the service; return their ARNs."""
    ecs = backend("ecs", region)
    cluster = ecs.create_cluster(
        NAME, _ECS_TAGS, capacity_providers=["FARGATE", "FARGATE_SPOT"],
        default_capacity_provider_strategy=strategy,
    )  # fmt: skip
    ecs.register_task_definition(
        SERVICE, [_container(timings)], network_mode="awsvpc", tags=_ECS_TAGS,
        requires_compatibilities=["FARGATE"], cpu="256", memory="512",
        task_role_arn=arn("iam", "role/bank-api").replace(f":{REGION}:", "::"),
    )  # fmt: skip
    service = ecs.create_service(
        NAME, SERVICE, desired_count, SERVICE, launch_type="FARGATE", tags=_ECS_TAGS,
        load_balancers=[{"targetGroupArn": targets, "containerName": SERVICE, "containerPort": TASK_PORT}],
        network_configuration={"awsvpcConfiguration": {
            "subnets": subnets, "securityGroups": [group], "assignPublicIp": "DISABLED"}},
    )  # fmt: skip
    # moto does not keep these, the scheduler needs them
    service.capacity_provider_strategy = strategy
    service.health_check_grace_period_seconds = round(timings.grace_s)
    service.availability_zone_rebalancing = "ENABLED"
    service.deployment_configuration = {"maximumPercent": 200, "minimumHealthyPercent": 100}
    return str(cluster.arn), str(service.arn)


def _container(timings: Timings) -> dict[str, Any]:
    return {
        "name": SERVICE,
        "image": "bank-api:local",
        "essential": True,
        "stopTimeout": round(timings.stop_timeout_s),
        "portMappings": [{"containerPort": TASK_PORT, "hostPort": TASK_PORT, "protocol": "tcp"}],
    }


def create_stores(region: str, receipts: str) -> None:
    """Make the table of the sessions and the bucket of the receipts."""
    dynamodb, s3 = backend("dynamodb", region), backend("s3")
    dynamodb.create_table(
        SESSIONS, schema=[{"AttributeName": "token", "KeyType": "HASH"}], throughput=None,
        attr=[{"AttributeName": "token", "AttributeType": "S"}],
        global_indexes=None, indexes=None, streams=None,
        billing_mode="PAY_PER_REQUEST", sse_specification=None, tags=tag_list(),
        deletion_protection_enabled=False, warm_throughput=None,
    )  # fmt: skip
    s3.create_bucket(receipts, region)
    s3.put_bucket_versioning(receipts, "Enabled")
    s3.put_bucket_tagging(receipts, dict(TAGS))
