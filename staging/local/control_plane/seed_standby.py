"""The other region: everything that costs next to nothing while nobody is there, and who is sent where.

A pilot light: network, load balancer and a service that wants no task; no database, which is restored there,
and no cache: balances then come from the reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import (
    DR_RECEIPTS,
    DR_REGION,
    NAME,
    RECORD,
    TAGS,
    ZONE,
    Platform,
    tag_list,
    zone_of,
)
from staging.local.control_plane.seed_service import (
    ON_DEMAND_ONLY,
    create_load_balancer,
    create_service,
    create_stores,
)

if TYPE_CHECKING:
    from staging.local.timings import Timings

_CIDRS = {
    "west-public-a": "10.30.0.0/25",
    "west-public-b": "10.30.0.128/25",
    "west-app-a": "10.30.1.0/24",
    "west-app-b": "10.30.2.0/24",
    "west-data-a": "10.30.11.0/24",
    "west-data-b": "10.30.12.0/24",
}


def create_standby(timings: Timings) -> Platform:
    """Make the platform of the other region, without a database and without tasks."""
    vpc, subnets = _network()
    group = backend("ec2", DR_REGION).create_security_group("bank-api", "tasks of the bank", vpc, dict(TAGS))
    public = [subnets["west-public-a"], subnets["west-public-b"]]
    balancer, targets = create_load_balancer(DR_REGION, vpc, public, group.id, timings)
    create_stores(DR_REGION, DR_RECEIPTS)
    cluster, service = create_service(
        DR_REGION, [subnets["west-app-a"], subnets["west-app-b"]], group.id, targets,
        desired_count=0, timings=timings, strategy=ON_DEMAND_ONLY,
    )  # fmt: skip
    return Platform(
        region=DR_REGION, subnets=subnets, security_group=group.id, load_balancer=balancer,
        target_group=targets, cluster=cluster, service=service,
    )  # fmt: skip


def create_hosted_zone(load_balancer: str) -> None:
    """Make the name that customers know, and let it lead to this load balancer."""
    dns = backend("route53")
    zone = dns.create_hosted_zone(ZONE, private_zone=False).id.rpartition("/")[2]
    dns.change_tags_for_resource("hostedzone", zone, tag_list({"Name": ZONE}), [])
    balancer = backend("elbv2").load_balancers[load_balancer]
    alias = {
        "HostedZoneId": balancer.canonical_hosted_zone_id,
        "DNSName": balancer.dns_name,
        "EvaluateTargetHealth": False,
    }
    record = {"Name": RECORD, "Type": "A", "AliasTarget": alias}
    dns.change_resource_record_sets(zone, [{"Action": "CREATE", "ResourceRecordSet": record}])


def _network() -> tuple[str, dict[str, str]]:
    """Make the VPC; its subnets keep the default ACL, which allows everything."""
    ec2 = backend("ec2", DR_REGION)
    vpc = ec2.create_vpc("10.30.0.0/16", tags=tag_list({"Name": NAME}))
    subnets = {}
    for name, cidr in _CIDRS.items():
        made = ec2.create_subnet(vpc.id, cidr, availability_zone=zone_of(name))
        tier = name.removeprefix("west-").rpartition("-")[0]
        made.add_tags({**TAGS, "Name": name.removeprefix("west-"), "Tier": tier})
        subnets[name] = made
    data = [subnets["west-data-a"], subnets["west-data-b"]]
    backend("rds", DR_REGION).create_subnet_group("data", "the ledger's", data, tag_list())
    return str(vpc.id), {name: str(made.id) for name, made in subnets.items()}
