"""The region where people recover a lost one: what stands by there, and the way back from what they made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from blackstart.fault import Conflict, NothingToBreak, Target
from blackstart.guards import REQUIRED_TAGS
from blackstart.waiting import wait_until
from faults import aurora_safety

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

_WITHIN_S = 1800.0
_LOOK_EVERY_S = 0.3


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """A ledger that may be restored there, a service that stands by, and the name that customers know."""

    region: str
    cluster: str
    service: str  # CLUSTER/SERVICE
    load_balancer: str
    hosted_zone: str
    record: str

    CALLS: ClassVar[tuple[str, ...]] = (
        "ecs:UpdateService",
        "route53:ChangeResourceRecordSets",
        "rds:ModifyDBCluster",
        "rds:DeleteDBInstance",
        "rds:DeleteDBCluster",
    )

    def targets(self, staging: Staging) -> tuple[Target, ...]:
        """Return the service and the hosted zone with their tags."""
        service, zone = self._service(staging), self._zone(staging)
        listed = staging.aws("route53", self.region).list_tags_for_resource(
            ResourceType="hostedzone", ResourceId=zone
        )["ResourceTagSet"]["Tags"]
        tags = {tag["key"]: tag["value"] for tag in service.get("tags", [])}
        return (
            Target(kind="ECS service", id=service["serviceName"], arn=service["serviceArn"], tags=tags),
            Target(kind="hosted zone", id=zone, tags={tag["Key"]: tag["Value"] for tag in listed}),
        )

    def before(self, staging: Staging) -> dict[str, Any]:
        """Return the absolute state. Raises NothingToBreak when people seem to have moved there already."""
        alias = self._record(staging)["AliasTarget"]
        if self._is_there(staging, alias):
            raise NothingToBreak(f"customers are led to {self.region} already")
        if aurora_safety.find(staging, self.cluster, self.region) is not None:
            raise NothingToBreak(f"{self.region} has a cluster {self.cluster} already")
        tasks = self._service(staging)["desiredCount"]
        return {"customers": alias, "record": self.record, "tasks": tasks}

    def send_home(self, staging: Staging, before: Mapping[str, Any]) -> None:
        """Lead customers where they were led before. Raises Conflict when they are led to a third place."""
        record = self._record(staging)
        if record["AliasTarget"] == before["customers"]:
            return
        if not self._is_there(staging, record["AliasTarget"]):
            raise Conflict(
                f"{self.record} leads to {record['AliasTarget']}: neither home nor to {self.region}"
            )
        change = {"Action": "UPSERT", "ResourceRecordSet": {**record, "AliasTarget": before["customers"]}}
        staging.aws("route53", self.region).change_resource_record_sets(
            HostedZoneId=self._zone(staging), ChangeBatch={"Changes": [change]}
        )

    def remove(self, staging: Staging, before: Mapping[str, Any], entry: OpenEntry) -> None:
        """Let the service want as many tasks as before, and delete the ledger that was restored there."""
        if self._service(staging)["desiredCount"] != before["tasks"]:
            cluster, service = self.service.split("/")
            staging.aws("ecs", self.region).update_service(
                cluster=cluster, service=service, desiredCount=before["tasks"]
            )
        self._delete_ledger(staging, entry)
        wait_until(
            lambda: self._service(staging)["runningCount"] == before["tasks"], within_s=_WITHIN_S,
            what=f"{self.service} in {self.region} runs {before['tasks']} tasks", every_s=_LOOK_EVERY_S,
        )  # fmt: skip

    def read_back(self, staging: Staging, before: Mapping[str, Any]) -> None:
        """Raise Conflict unless all is as it was before."""
        now = {
            "customers": self._record(staging)["AliasTarget"],
            "tasks": self._service(staging)["desiredCount"],
        }
        wanted = {name: before[name] for name in now}
        left = aurora_safety.find(staging, self.cluster, self.region)
        if now != wanted or left is not None:
            raise Conflict(f"read back: {now}, should be {wanted}; {self.cluster} is {left and 'left'}")

    def _delete_ledger(self, staging: Staging, entry: OpenEntry) -> None:
        """Delete it, but only if it bears the tags that whatever was restored here bears."""
        found = aurora_safety.find(staging, self.cluster, self.region)
        if found is None:
            return
        tags = {tag["Key"]: tag["Value"] for tag in found.get("TagList", [])}
        if any(tags.get(name) != wanted for name, wanted in REQUIRED_TAGS.items()):
            raise Conflict(f"{self.cluster} in {self.region} has tags {tags}: it is not ours to delete")
        entry.created(self.cluster)
        for member in found["DBClusterMembers"]:
            entry.created(member["DBInstanceIdentifier"])
        if found["Status"] != "deleting":
            aurora_safety.destroy(staging, self.cluster, final_snapshot=None, region=self.region)
        wait_until(
            lambda: aurora_safety.find(staging, self.cluster, self.region) is None, within_s=_WITHIN_S,
            what=f"{self.cluster} in {self.region} is gone", every_s=_LOOK_EVERY_S,
        )  # fmt: skip

    def _is_there(self, staging: Staging, alias: Mapping[str, Any]) -> bool:
        found = staging.aws("elbv2", self.region).describe_load_balancers(Names=[self.load_balancer])
        name = str(found["LoadBalancers"][0]["DNSName"])
        # an alias of a load balancer may bear this prefix, and end like any name
        return str(alias["DNSName"]).rstrip(".").removeprefix("dualstack.") == name

    def _service(self, staging: Staging) -> dict[str, Any]:
        cluster, service = self.service.split("/")
        found = staging.aws("ecs", self.region).describe_services(
            cluster=cluster, services=[service], include=["TAGS"]
        )["services"]
        if not found:
            raise NothingToBreak(f"{self.region} has no service {self.service}")
        return dict(found[0])

    def _zone(self, staging: Staging) -> str:
        zones = staging.aws("route53", self.region).list_hosted_zones_by_name(DNSName=self.hosted_zone)
        found = [zone["Id"] for zone in zones["HostedZones"] if zone["Name"] == self.hosted_zone]
        if not found:
            raise NothingToBreak(f"no hosted zone is called {self.hosted_zone}")
        return str(found[0]).rpartition("/")[2]

    def _record(self, staging: Staging) -> dict[str, Any]:
        listed = staging.aws("route53", self.region).list_resource_record_sets(
            HostedZoneId=self._zone(staging), StartRecordName=self.record, StartRecordType="A"
        )["ResourceRecordSets"]
        found = [one for one in listed if (one["Name"], one["Type"]) == (self.record, "A")]
        if not found or "AliasTarget" not in found[0]:
            raise NothingToBreak(f"{self.hosted_zone} has no alias record {self.record}")
        return dict(found[0])
