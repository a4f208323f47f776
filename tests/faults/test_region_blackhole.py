"""A region goes dark and comes back; what people made elsewhere meanwhile is removed, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws
from moto.core.base_backend import BackendDict

from blackstart.choke import ChokePoint, Refused, is_read
from blackstart.fault import Conflict, NothingToBreak
from blackstart.guards import check_plan
from blackstart.ledger import Handle, Ledger
from blackstart.rules import Rules
from blackstart.staging import Facts, RegionOutage
from faults import elsewhere, region_blackhole
from faults.region_blackhole import RegionBlackhole
from staging.local.control_plane.seed import seed
from staging.local.timings import FAST
from tests.faults.ledger_on_moto import TAGS, Bank

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blackstart.fault import Plan

EAST, WEST = "us-east-1", "us-west-2"
FAULT = RegionBlackhole(
    vpc="bank", tiers=("public", "app", "data", "cache"), elsewhere=WEST, cluster="ledger",
    service="bank/bank-api", load_balancer="bank", target_group="bank-api", hosted_zone="bank.example.",
    record="api.bank.example.", bite_within_s=0.5, home_within_s=0.5,
)  # fmt: skip
NAME = "faults.region_blackhole:RegionBlackhole"
NOBODY = "http://127.0.0.1:1"
ONCE = Config(retries={"total_max_attempts": 1})


class Killed(BaseException):
    """The process died here."""


class Switch:
    """A power over the region's API: what is silent answers nobody."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def silence(self, vpc: str) -> None:
        self._site.silent = vpc
        self._site.step("SilenceRegion")

    def wake(self, vpc: str) -> None:
        assert self._site.silent in (None, vpc)
        self._site.silent = None

    def silent(self, vpc: str) -> bool:
        return self._site.silent == vpc


class Site:
    """The platform of both regions on moto, behind the choke point; its powers are the test's."""

    def __init__(self, folder: Path, url: str, *, powerful: bool) -> None:
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.facts = Facts(
            name="t", account="123456789012", region=EAST, isolation="", timings="", base_url=url
        )
        self.rules = Rules(regions=(WEST,), region_loss=True)
        self.silent: str | None = None
        self.dies_after(0)
        self._switch = Switch(self) if powerful else None
        self._clients: dict[tuple[str, str], Any] = {}

    def aws(self, service: str, region: str = "") -> Any:
        key = (service, region or EAST)
        if key not in self._clients:
            client = boto3.client(service, region_name=key[1], config=ONCE)
            ChokePoint(ledger=self.ledger, region=EAST).install(client.meta.events)
            client.meta.events.register_first("before-send.*.*", lambda **_: self._lost(key))
            client.meta.events.register_last("after-call.*.*", lambda model, **_: self._after(model))
            self._clients[key] = client
        return self._clients[key]

    def power(self, kind: type[Any]) -> Any:
        return self._switch if kind is RegionOutage else None

    def dies_after(self, call: int) -> None:
        """Let the process die after so many changes from now on; never for 0."""
        self._die_at, self._steps = call, count(1)

    def step(self, call: str) -> None:
        """One change was made."""
        if next(self._steps) == self._die_at:
            raise Killed(call)

    def opened(self, plan: Plan) -> Handle:
        return Handle(self.ledger.open("drill", NAME, {}, plan).id, self.ledger)

    def _lost(self, key: tuple[str, str]) -> None:
        if self.silent and key[1] == EAST:
            raise EndpointConnectionError(endpoint_url=key[0])

    def _after(self, model: Any) -> None:
        if not is_read(model.name):
            self.step(model.name)


@pytest.fixture(autouse=True)
def _platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("moto.rds.models.DBCluster.save_automated_backup", lambda _: None)
    monkeypatch.setattr(elsewhere, "_LOOK_EVERY_S", 0.01)
    with mock_aws(
        config={"core": {"mock_credentials": True, "passthrough": {"urls": [r"http://(localhost|127).*"]}}}
    ):
        BackendDict.reset()
        made = seed(
            timings=FAST, desired_count=0, service_subnets=["app-a"], user="bank", owner="owner",
            password="long enough", owner_password="long enough",  # noqa: S106 - of no database
        )  # fmt: skip
        boto3.client("elbv2", EAST).register_targets(
            TargetGroupArn=made.target_group, Targets=[{"Id": "10.20.1.4", "Port": 8080}]
        )
        yield
    BackendDict.reset()


@pytest.fixture
def bank() -> Iterator[Bank]:
    bank = Bank()
    bank.pages["/health/ready"] = {}
    yield bank
    bank.close()


@pytest.fixture(params=[True, False], ids=["with the power", "on AWS"])
def site(request: pytest.FixtureRequest, tmp_path: Path, bank: Bank) -> Site:
    return Site(tmp_path, bank.url, powerful=request.param)


def shape() -> dict[str, Any]:
    """What can be seen of both regions, by the names that AWS gives it."""
    ec2, route53 = boto3.client("ec2", EAST), boto3.client("route53", WEST)
    acls = ec2.describe_network_acls()["NetworkAcls"]
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    service = boto3.client("ecs", WEST).describe_services(cluster="bank", services=["bank-api"])["services"]
    return {
        "acls": {a["SubnetId"]: acl["NetworkAclId"] for acl in acls for a in acl["Associations"]},
        "how many": len(acls),
        "leads to": next(one["AliasTarget"]["DNSName"] for one in records if one["Type"] == "A"),
        "tasks": service[0]["desiredCount"],
        "ledgers": [
            c["DBClusterIdentifier"] for c in boto3.client("rds", WEST).describe_db_clusters()["DBClusters"]
        ],
        "instances": len(boto3.client("rds", WEST).describe_db_instances()["DBInstances"]),
    }


def recover(*, tags: list[dict[str, str]] = TAGS, leads_to: str = "") -> None:
    """Do what people do: a ledger, tasks and customers are in the other region."""
    rds, route53 = boto3.client("rds", WEST), boto3.client("route53", WEST)
    rds.create_db_cluster(
        DBClusterIdentifier="ledger", Engine="aurora-postgresql", MasterUsername="owner",
        MasterUserPassword="a password", Tags=tags, DeletionProtection=True,
    )  # fmt: skip
    for name in ("ledger-1", "ledger-2"):
        rds.create_db_instance(
            DBInstanceIdentifier=name, DBClusterIdentifier="ledger", Engine="aurora-postgresql",
            DBInstanceClass="db.r6g.large", Tags=tags,
        )  # fmt: skip
    boto3.client("ecs", WEST).update_service(cluster="bank", service="bank-api", desiredCount=2)
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    balancer = boto3.client("elbv2", WEST).describe_load_balancers()["LoadBalancers"][0]
    alias = {
        "HostedZoneId": balancer["CanonicalHostedZoneId"], "DNSName": leads_to or balancer["DNSName"],
        "EvaluateTargetHealth": False,
    }  # fmt: skip
    record = {"Name": "api.bank.example.", "Type": "A", "AliasTarget": alias}
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    )


def test_it_looks_without_touching_and_its_plan_is_allowed(site: Site) -> None:
    before = shape()
    plan = FAULT.prepare(site)
    check_plan(site, plan)

    assert shape() == before
    both = [f"{EAST}a", f"{EAST}b"]
    assert plan.shares == {"zones of bank": {"taken": both, "of": both}}
    assert plan.heals is not None
    assert set(plan.calls) - set(plan.heals) <= {"ec2:CreateNetworkAcl", "local:SilenceRegion"}
    assert [target.kind for target in plan.targets] == ["subnet"] * 8 + ["VPC", "ECS service", "hosted zone"]
    assert [target.tags["Tier"] for target in plan.targets[:2]] == ["public", "public"]


def test_a_region_is_no_zone_too_many_but_needs_leave_of_its_own(site: Site) -> None:
    plan = FAULT.prepare(site)
    site.rules = Rules(regions=(WEST,), share_max=1.0)

    with pytest.raises(Refused, match="region_loss: true"):
        check_plan(site, plan)


def test_the_region_is_lost_recovered_elsewhere_and_given_back(site: Site) -> None:
    before = shape()
    plan = FAULT.prepare(site)
    entry = site.opened(plan)
    FAULT.inject(site, plan, entry)
    broken = shape()
    recover()

    assert {acl for acl in broken["acls"].values() if acl not in before["acls"].values()}
    assert bool(site.silent) is (plan.broken["api"] == "silent")
    for _ in range(2):
        FAULT.heal(site, plan, entry)

        assert shape() == before
        assert site.silent is None


def test_it_bites_when_nobody_is_answered(site: Site) -> None:
    plan = FAULT.prepare(site)
    FAULT.inject(site, plan, site.opened(plan))
    still = FAULT.bite(site, plan)
    site.facts = replace(site.facts, base_url=NOBODY)
    bite = FAULT.bite(site, plan)

    assert not still.confirmed  # customers are answered: it is no outage
    assert bite.confirmed
    assert bite.evidence.startswith("approximation: ") is (plan.broken["api"] == "answers")
    assert "sts, ec2, rds, backup of us-east-1" in bite.evidence


def test_a_region_whose_api_answers_although_it_should_not_is_no_bite(tmp_path: Path) -> None:
    site = Site(tmp_path, NOBODY, powerful=True)
    plan = FAULT.prepare(site)
    FAULT.inject(site, plan, site.opened(plan))
    site.silent = None

    assert not FAULT.bite(site, plan).confirmed


def test_when_the_other_region_does_not_answer_either_it_is_no_bite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, NOBODY, powerful=True)
    plan = FAULT.prepare(site)
    FAULT.inject(site, plan, site.opened(plan))
    monkeypatch.setattr(region_blackhole, "_answers", lambda *_: False)  # our own line is cut

    assert not FAULT.bite(site, plan).confirmed


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
def test_killed_after_any_call_it_is_healed_by_the_next_process(
    tmp_path: Path, bank: Bank, every: int
) -> None:
    site, wanted = Site(tmp_path, bank.url, powerful=True), shape()
    plan = FAULT.prepare(site)
    for call in count(1, every):
        entry = site.opened(plan)
        site.dies_after(call)
        try:
            FAULT.inject(site, plan, entry)
            recover()
            FAULT.heal(site, plan, entry)
        except Killed:
            site.dies_after(0)
            FAULT.heal(site, plan, entry)
        else:
            break
        site.ledger.healed(entry.id, "read back")

        assert shape() == wanted, call
    assert call > 20


def test_a_ledger_that_is_not_marked_as_ours_is_left_alone(site: Site) -> None:
    plan = FAULT.prepare(site)
    entry = site.opened(plan)
    recover(tags=[{"Key": "Environment", "Value": "production"}])

    with pytest.raises(Conflict, match="not ours to delete"):
        FAULT.heal(site, plan, entry)

    assert shape()["ledgers"] == ["ledger"]
    assert shape()["instances"] == 2


def test_customers_that_somebody_led_to_a_third_place_stay_there(site: Site) -> None:
    plan = FAULT.prepare(site)
    entry = site.opened(plan)
    recover(leads_to="bank.eu-west-1.elb.amazonaws.com")

    with pytest.raises(Conflict, match="neither home nor to us-west-2"):
        FAULT.heal(site, plan, entry)

    assert shape()["leads to"].startswith("bank.eu-west-1")


def test_without_a_ledger_entry_nothing_is_changed(site: Site) -> None:
    before = shape()
    plan = FAULT.prepare(site)
    with pytest.raises(Refused):
        FAULT.inject(site, plan, Handle("nobody", site.ledger))

    assert shape() == before


def test_customers_who_are_elsewhere_already_leave_nothing_to_break(site: Site) -> None:
    recover()

    with pytest.raises(NothingToBreak, match="led to us-west-2 already"):
        FAULT.prepare(site)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vpc": "bnak"}, {"tiers": ("ap",)}, {"elsewhere": EAST}, {"hosted_zone": "bnak.example."},
        {"record": "ipa.bank.example."},
    ],
    ids=str,
)  # fmt: skip
def test_nothing_found_is_an_error(site: Site, wrong: dict[str, Any]) -> None:
    with pytest.raises(NothingToBreak):
        replace(FAULT, **wrong).prepare(site)
