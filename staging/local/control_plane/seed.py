"""The platform as AWS state, before the first request: what its Terraform would have made.

Written straight into moto's state, because the same through boto3 takes several seconds.
"""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING

from staging.local.control_plane import moto_fixes
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import (
    CACHE,
    DR_REGION,
    INSTANCES,
    LEDGER,
    NAME,
    OWNER_SECRET,
    RECEIPTS,
    REGION,
    SAFEGUARDS,
    SECRET,
    TAGS,
    ZONES,
    TwoRegions,
    tag_list,
    zone_of,
)
from staging.local.control_plane.rds.records import let_sql_in
from staging.local.control_plane.seed_alarms import create_alarms, create_outside_alarm
from staging.local.control_plane.seed_backup import BACKED_UP, create_key, create_vaults
from staging.local.control_plane.seed_rules import create_rules
from staging.local.control_plane.seed_safeguards import create_safeguards
from staging.local.control_plane.seed_service import (
    SPOT_ONLY,
    STRATEGY,
    create_load_balancer,
    create_service,
    create_stores,
)
from staging.local.control_plane.seed_standby import create_hosted_zone, create_standby

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from staging.local.timings import Timings

_CIDRS = {
    "public-a": "10.20.0.0/25",
    "public-b": "10.20.0.128/25",
    "app-a": "10.20.1.0/24",
    "app-b": "10.20.2.0/24",
    "data-a": "10.20.11.0/24",
    "data-b": "10.20.12.0/24",
    "cache-a": "10.20.21.0/24",
    "cache-b": "10.20.22.0/24",
}


def seed(
    *,
    timings: Timings,
    desired_count: int,
    service_subnets: Sequence[str],
    user: str,
    password: str,
    owner: str,
    owner_password: str,
    on_demand_base: bool = True,
    falls_back: bool = True,
) -> TwoRegions:
    """Make everything; `service_subnets` are the names of the subnets that tasks may run in.

    Tasks have a base on demand, and are all placed on demand when there is no Spot capacity, unless told
    otherwise.
    """
    moto_fixes.apply()
    vpc, subnets = _network()
    group = backend("ec2").create_security_group("bank-api", "tasks of the bank", vpc, dict(TAGS))
    public = [subnets["public-a"], subnets["public-b"]]
    balancer, targets = create_load_balancer(REGION, vpc, public, group.id, timings)
    _ledger(subnets, user, password)
    _cache(subnets)
    create_stores(REGION, RECEIPTS)
    _secret(SECRET, "the ledger's application user", user, password)
    _secret(OWNER_SECRET, "the owner of the ledger's tables", owner, owner_password)
    create_vaults()
    create_safeguards(SAFEGUARDS)
    topic = _notifications(REGION)
    create_rules(falls_back=falls_back)
    zones = sorted({zone_of(name) for name in service_subnets})
    create_alarms(balancer, targets, topic, timings, zones)
    create_outside_alarm(_notifications(DR_REGION), timings)
    allowed = [subnets[name] for name in service_subnets]
    strategy = STRATEGY if on_demand_base else SPOT_ONLY
    cluster, service = create_service(
        REGION, allowed, group.id, targets, desired_count=desired_count, timings=timings, strategy=strategy
    )
    create_hosted_zone(balancer)
    return TwoRegions(
        standby=create_standby(timings), subnets=subnets, security_group=group.id,
        load_balancer=balancer, target_group=targets,
        cluster=cluster, service=service, topic=topic,
    )  # fmt: skip


def _network() -> tuple[str, dict[str, str]]:
    ec2 = backend("ec2")
    vpc = ec2.create_vpc("10.20.0.0/16", tags=tag_list({"Name": NAME}))
    ec2.modify_vpc_attribute(vpc.id, "enable_dns_hostnames", "true")
    subnets = {name: _subnet(vpc.id, name, cidr) for name, cidr in _CIDRS.items()}
    for tier in sorted({name.rpartition("-")[0] for name in subnets}):
        _acl(vpc.id, tier, [subnets[f"{tier}-a"], subnets[f"{tier}-b"]])
    return vpc.id, subnets


def _subnet(vpc: str, name: str, cidr: str) -> str:
    subnet = backend("ec2").create_subnet(vpc, cidr, availability_zone=zone_of(name))
    tier = name.rpartition("-")[0]
    subnet.add_tags({**TAGS, "Name": name, "Tier": tier})
    return str(subnet.id)


def _acl(vpc: str, tier: str, subnets: Sequence[str]) -> None:
    """Give a tier an ACL of its own that allows everything, as the default one does."""
    ec2 = backend("ec2")
    acl = ec2.create_network_acl(vpc, tags=tag_list({"Name": tier}))
    ec2.add_default_entries(acl.id)
    for subnet in subnets:
        ec2.replace_network_acl_association(_association(subnet), acl.id)


def _association(subnet: str) -> str:
    return next(
        str(association.id)
        for acl in backend("ec2").network_acls.values()
        for association in acl.associations
        if association.subnet_id == subnet
    )


def _ledger(subnets: Mapping[str, str], user: str, password: str) -> None:
    rds, ec2 = backend("rds"), backend("ec2")
    data = [ec2.get_subnet(subnets["data-a"]), ec2.get_subnet(subnets["data-b"])]
    rds.create_subnet_group("data", "the ledger's", data, tag_list())
    cluster = rds.create_db_cluster({
        "db_cluster_identifier": LEDGER, "engine": "aurora-postgresql", "engine_version": "18.6",
        "database_name": LEDGER, "master_username": user, "master_user_password": password,
        "db_subnet_group_name": "data", "availability_zones": list(ZONES), "storage_encrypted": True,
        "kms_key_id": create_key(REGION, "ledger"), "backup_retention_period": 7, "tags": tag_list(BACKED_UP),
    })  # fmt: skip
    cluster.status = "available"
    let_sql_in(cluster, lets=True)
    for tier, (name, subnet) in enumerate(INSTANCES.items()):
        rds.create_db_instance({
            "db_instance_identifier": name, "db_cluster_identifier": LEDGER, "engine": "aurora-postgresql",
            "db_instance_class": "db.r6g.large", "availability_zone": zone_of(subnet), "promotion_tier": tier,
            "db_subnet_group_name": "data", "tags": tag_list(),
        })  # fmt: skip


def _cache(subnets: Mapping[str, str]) -> None:
    cache = backend("elasticache")
    within = [subnets["cache-a"], subnets["cache-b"]]
    cache.create_cache_subnet_group("cache", "the balances'", within, tag_list())
    chosen = {
        "replication_group_id": CACHE, "replication_group_description": "balances, cache-aside",
        "replicas_per_node_group": 1, "preferred_cache_cluster_azs": list(ZONES), "engine": "valkey",
        "cache_node_type": "cache.r7g.large", "automatic_failover_enabled": True, "multi_az_enabled": True,
        "cache_subnet_group_name": "cache", "tags": tag_list(),
    }  # fmt: skip
    unset = dict.fromkeys(inspect.signature(cache.create_replication_group).parameters)
    cache.create_replication_group(**{**unset, **chosen})


def _secret(name: str, what: str, user: str, password: str) -> None:
    credentials = json.dumps({"username": user, "password": password})
    backend("secretsmanager").create_secret(
        name,
        credentials,
        None,
        what,
        tag_list(),
        None,
        None,
        [{"Region": DR_REGION}],
        False,  # noqa: FBT003 - moto's
    )


def _notifications(region: str) -> str:
    topic = backend("sns", region).create_topic("ops", tags=dict(TAGS))
    queue = backend("sqs", region).create_queue("ops-inbox", tags=dict(TAGS))
    backend("sns", region).subscribe(topic.arn, queue.queue_arn, "sqs")
    return str(topic.arn)
