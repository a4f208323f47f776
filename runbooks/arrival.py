"""The steps after the ledger is there: the bank runs in the other region, and customers are sent to it."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackstart.fault import NothingToBreak, Target
from blackstart.runbook import Progress, Step

if TYPE_CHECKING:
    from blackstart.runbook import State
    from blackstart.staging import Staging

HEALS = ("ecs:UpdateService",)
CALLS = (*HEALS, "route53:ChangeResourceRecordSets")
_TASKS_WITHIN_S = 900.0
_CUSTOMERS_WITHIN_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """The bank's service and load balancer in the other region, and the name that customers know."""

    region: str
    service: str  # CLUSTER/SERVICE
    tasks: int
    load_balancer: str
    target_group: str
    hosted_zone: str
    record: str

    def targets(self, staging: Staging) -> tuple[Target, ...]:
        """Return the service and the hosted zone with their tags."""
        found = self._service(staging)
        zone = self._zone(staging)
        listed = staging.aws("route53", self.region).list_tags_for_resource(
            ResourceType="hostedzone", ResourceId=zone
        )["ResourceTagSet"]["Tags"]
        tags = {tag["key"]: tag["value"] for tag in found["tags"]}
        return (
            Target(kind="ECS service", id=found["serviceName"], arn=found["serviceArn"], tags=tags),
            Target(kind="hosted zone", id=zone, tags={tag["Key"]: tag["Value"] for tag in listed}),
        )

    def steps(self) -> tuple[Step, ...]:
        """Return both steps."""
        return (self._run(), self._send())

    def serves(self, staging: Staging) -> bool:
        """Tell whether customers are sent there."""
        alias = self._record(staging).get("AliasTarget", {})
        return str(alias.get("DNSName", "")).rstrip(".") == str(self._balancer(staging)["DNSName"])

    def withdraw(self, staging: Staging, state: State) -> None:
        """Let the service want as many tasks as it did before."""
        before = state.get("tasks_before")
        if before is not None and self._service(staging)["desiredCount"] != before:
            self._want(staging, before)
            state.remark(f"{self.service} wants {before} tasks again")

    def _run(self) -> Step:
        cluster, service = self.service.split("/")
        flag = f" --region {self.region}"

        def do(staging: Staging, state: State) -> None:
            state.note(tasks_before=state.get("tasks_before", self._service(staging)["desiredCount"]))
            self._want(staging, self.tasks)

        def done(staging: Staging, _: State) -> bool:
            found = self._service(staging)
            healthy = self._health(staging).count("healthy")
            return min(int(found["desiredCount"]), int(found["runningCount"]), healthy) >= self.tasks

        def progress(staging: Staging, _: State) -> Progress:
            return Progress(percent=None, detail=", ".join(self._health(staging)) or "no task is there yet")

        return Step(
            name="Let the bank run there",
            why="The service has been waiting with no task at all; its tasks find the ledger by its name.",
            commands=f"""
            aws ecs update-service{flag} --cluster {cluster} --service {service} --desired-count {self.tasks}
            GROUP=$(aws elbv2 describe-target-groups{flag} --names {self.target_group} \\
              --query 'TargetGroups[0].TargetGroupArn' --output text)
            aws elbv2 describe-target-health{flag} --target-group-arn "$GROUP" \\
              --query 'TargetHealthDescriptions[].TargetHealth.State'
            """,
            seen=f"{self.tasks} targets are `healthy`.",
            otherwise="`aws ecs describe-services` tells in its events why tasks do not start.",
            done=done, do=do, progress=progress, within_s=_TASKS_WITHIN_S,
        )  # fmt: skip

    def _send(self) -> Step:
        flag = f" --region {self.region}"

        def do(staging: Staging, _: State) -> None:
            balancer = self._balancer(staging)
            alias = {
                "HostedZoneId": balancer["CanonicalHostedZoneId"],
                "DNSName": balancer["DNSName"],
                "EvaluateTargetHealth": False,
            }
            record = {**self._record(staging), "AliasTarget": alias}
            staging.aws("route53", self.region).change_resource_record_sets(
                HostedZoneId=self._zone(staging),
                ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
            )

        return Step(
            name="Send the customers there",
            why="They know a name, not a region. Whoever remembers where it led goes on trying there for as "
            "long as that record lives: 60 s for an alias.",
            commands=f"""
            ZONE=$(aws route53 list-hosted-zones-by-name --dns-name {self.hosted_zone} \\
              --query 'HostedZones[0].Id' --output text)
            ALIAS=$(aws elbv2 describe-load-balancers{flag} --names {self.load_balancer} \\
              --query 'LoadBalancers[0].DNSName' --output text)
            ALIAS_ZONE=$(aws elbv2 describe-load-balancers{flag} --names {self.load_balancer} \\
              --query 'LoadBalancers[0].CanonicalHostedZoneId' --output text)
            cat > change.json <<END
            {{"Changes": [{{"Action": "UPSERT", "ResourceRecordSet": {{"Name": "{self.record}", "Type": "A",
              "AliasTarget": {{"HostedZoneId": "$ALIAS_ZONE", "DNSName": "$ALIAS",
              "EvaluateTargetHealth": false}}}}}}]}}
            END
            aws route53 change-resource-record-sets --hosted-zone-id "$ZONE" \\
              --change-batch file://change.json
            curl -s "$BANK_URL/health/ready"
            """,
            seen='The bank answers, and says of itself `"writer":"ok"`.',
            otherwise="records are changed through us-east-1, wherever they lead. When that is lost, "
            "AWS takes up to 60 minutes until those of a zone with accelerated recovery can be changed again "
            "(`aws route53 update-hosted-zone-features`, beforehand); until then customers must be given the "
            "other load balancer's own name.",
            done=lambda staging, _: self.serves(staging) and _answers(staging), do=do,
            within_s=_CUSTOMERS_WITHIN_S,
        )  # fmt: skip

    def _want(self, staging: Staging, tasks: int) -> None:
        cluster, service = self.service.split("/")
        staging.aws("ecs", self.region).update_service(cluster=cluster, service=service, desiredCount=tasks)

    def _service(self, staging: Staging) -> dict[str, Any]:
        cluster, service = self.service.split("/")
        found = staging.aws("ecs", self.region).describe_services(
            cluster=cluster, services=[service], include=["TAGS"]
        )["services"]
        if not found:
            raise NothingToBreak(f"{self.region} has no service {self.service}")
        return dict(found[0])

    def _health(self, staging: Staging) -> list[str]:
        elb = staging.aws("elbv2", self.region)
        group = elb.describe_target_groups(Names=[self.target_group])["TargetGroups"][0]["TargetGroupArn"]
        health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [target["TargetHealth"]["State"] for target in health]

    def _balancer(self, staging: Staging) -> dict[str, Any]:
        found = staging.aws("elbv2", self.region).describe_load_balancers(Names=[self.load_balancer])
        return dict(found["LoadBalancers"][0])

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
        if not found:
            raise NothingToBreak(f"{self.hosted_zone} has no address record {self.record}")
        return dict(found[0])


def _answers(staging: Staging) -> bool:
    """Tell whether the bank answers where customers ask, and can write; a cache it need not have."""
    try:
        with urllib.request.urlopen(f"{staging.facts.base_url}/health/ready", timeout=2) as answer:  # noqa: S310 - the staging's own address
            said = json.load(answer)
    except urllib.error.HTTPError as error:
        said = _parsed(error)
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError):
        return False
    return bool(said.get("writer") == "ok")


def _parsed(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        said = json.load(error)
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
