"""The whole local staging, from `up` to `down`, seen only through HTTP and boto3."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from blackstart.context import NoStaging
from staging.local import lifecycle, state_file
from staging.local.client import LocalStaging
from staging.local.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from staging.local.state_file import State

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("staging")


@pytest.fixture(scope="module")
def staging(state_dir: Path) -> Iterator[LocalStaging]:
    steps: list[str] = []
    staging = lifecycle.up(state_dir, Options(tasks=4), steps.append)
    assert steps[-1] == "healthy"
    yield staging
    state = known(state_dir)
    assert lifecycle.down(state_dir)
    assert_nothing_left(state)


def known(state_dir: Path) -> State:
    state = state_file.read(state_dir)
    assert state is not None
    return state


def assert_nothing_left(state: State) -> None:
    processes = (state.host, *state.children)
    assert [known.pid for known in processes if known.living()] == []
    assert not Path(state.data_dir).exists()
    assert state.facts is not None
    for url in (state.facts.base_url, state.aws_endpoint):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=2)


def shared_memory(data_dir: Path) -> set[str]:
    """Return the ids of the segments that the two PostgreSQL servers hold."""
    locks = data_dir.glob("aurora/**/postmaster.pid")
    return {lock.read_text().splitlines()[6].split()[-1] for lock in locks}


def shared_memory_of_the_machine() -> set[str]:
    segments = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {segment.split()[1] for segment in segments}


def until(condition: Callable[[], bool], *, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.1)


class Customer:
    """Account 17, through the load balancer."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._token = ""

    def login(self) -> None:
        self._token = self.call("POST", "/login", {"account": 17, "pin": "0017"})["token"]

    def transfer(self, key: str) -> dict[str, Any]:
        return self.call("POST", "/transfers", {"debit": 17, "credit": 4, "cents": 125}, key)

    def balance(self) -> int:
        return int(self.call("GET", "/accounts/17/balance")["balance"])

    def call(self, method: str, path: str, body: Any = None, key: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        content = json.dumps(body).encode() if body else None
        url = self._base_url + path
        request = urllib.request.Request(url, content, headers, method=method)  # noqa: S310 - http, of ours
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own balancer
            said: dict[str, Any] = json.load(answer)
        return said


def eventually(deed: Callable[[], Any]) -> Any:
    """Try again while the platform recovers."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return deed()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def writer(staging: LocalStaging) -> str:
    members = staging.aws("rds").describe_db_clusters()["DBClusters"][0]["DBClusterMembers"]
    return str(next(member["DBInstanceIdentifier"] for member in members if member["IsClusterWriter"]))


def health(staging: LocalStaging) -> list[tuple[str, str]]:
    elb = staging.aws("elbv2")
    group = elb.describe_target_groups(Names=["bank-api"])["TargetGroups"][0]["TargetGroupArn"]
    targets = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return sorted((t["Target"]["AvailabilityZone"], t["TargetHealth"]["State"]) for t in targets)


def alarms(staging: LocalStaging) -> set[str]:
    found = staging.aws("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
    return {alarm["AlarmName"] for alarm in found}


def told(staging: LocalStaging) -> set[str]:
    """Return the names of all alarms that ever went off."""
    items = staging.aws("cloudwatch").describe_alarm_history(HistoryItemType="StateUpdate")
    return {
        item["AlarmName"]
        for item in items["AlarmHistoryItems"]
        if item["HistorySummary"].endswith("to ALARM")
    }


def spread(staging: LocalStaging) -> dict[str, int]:
    zones = [zone for zone, state in health(staging) if state == "healthy"]
    return {zone: zones.count(zone) for zone in zones}


EVEN = {"us-east-1a": 2, "us-east-1b": 2}


def test_a_customer_is_served(staging: LocalStaging) -> None:
    customer = Customer(staging.facts.base_url)
    customer.login()
    before = customer.balance()

    assert customer.transfer("served-1")["balance"] == before - 125
    assert customer.transfer("served-1")["balance"] == before - 125
    assert customer.balance() == before - 125


def test_a_second_up_is_refused(staging: LocalStaging, state_dir: Path) -> None:
    assert lifecycle.status(state_dir)["state"] == "healthy"

    with pytest.raises(lifecycle.StartError, match="running already"):
        lifecycle.up(state_dir, Options(), lambda _: None)

    assert health(staging)


def test_the_drills_own_aws_settings_do_not_matter(
    staging: LocalStaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-does-not-exist")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://203.0.113.1")
    monkeypatch.setenv("HTTP_PROXY", "http://203.0.113.1:80")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    fresh = LocalStaging(staging.facts, staging.endpoint)

    assert fresh.aws("sts").get_caller_identity()["Account"] == "123456789012"


def test_an_endpoint_elsewhere_is_refused(staging: LocalStaging) -> None:
    with pytest.raises(ValueError, match="loopback"):
        LocalStaging(staging.facts, "http://203.0.113.1:80")


def test_a_failover_moves_the_writer_and_sets_off_the_alarm(staging: LocalStaging) -> None:
    first = writer(staging)
    other = {"ledger-1": "ledger-2", "ledger-2": "ledger-1"}[first]
    customer = Customer(staging.facts.base_url)
    customer.login()

    staging.aws("rds").failover_db_cluster(DBClusterIdentifier="ledger", TargetDBInstanceIdentifier=other)
    until(lambda: writer(staging) == other)
    eventually(lambda: customer.transfer("failover-1"))
    until(lambda: "ledger-writer-unavailable" in told(staging))

    events = staging.aws("rds").describe_events(SourceType="db-cluster")["Events"]
    assert f"Completed failover to DB instance: {other}" in [event["Message"] for event in events]
    until(lambda: alarms(staging) == set())


def test_a_zone_goes_dark_and_comes_back(staging: LocalStaging) -> None:
    until(lambda: spread(staging) == EVEN)
    ec2 = staging.aws("ec2")
    subnet = ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": ["app-a"]}])["Subnets"][0]
    association, first = acl_of(ec2, subnet["SubnetId"])
    empty = ec2.create_network_acl(VpcId=subnet["VpcId"])["NetworkAcl"]["NetworkAclId"]

    ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=empty)
    until(lambda: ("us-east-1a", "unhealthy") in health(staging))
    until(lambda: spread(staging) == {"us-east-1b": 4})
    assert "bank-api-no-healthy-target-us-east-1a" in alarms(staging)

    association, _ = acl_of(ec2, subnet["SubnetId"])
    ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=first)
    ec2.delete_network_acl(NetworkAclId=empty)
    until(lambda: spread(staging) == EVEN and alarms(staging) == set())


def acl_of(ec2: Any, subnet: str) -> tuple[str, str]:
    wanted = [{"Name": "association.subnet-id", "Values": [subnet]}]
    acl = ec2.describe_network_acls(Filters=wanted)["NetworkAcls"][0]
    association = next(found for found in acl["Associations"] if found["SubnetId"] == subnet)
    return association["NetworkAclAssociationId"], acl["NetworkAclId"]


def test_a_stopped_task_is_replaced(staging: LocalStaging) -> None:
    ecs = staging.aws("ecs")
    victim = ecs.list_tasks(cluster="bank", serviceName="bank-api")["taskArns"][0]

    ecs.stop_task(cluster="bank", task=victim, reason="a test")

    def stopped() -> bool:
        task = ecs.describe_tasks(cluster="bank", tasks=[victim])["tasks"][0]
        return (task["lastStatus"], task.get("stopCode")) == ("STOPPED", "UserInitiated")

    until(stopped)
    until(lambda: spread(staging) == EVEN)
    ecs.get_waiter("services_stable").wait(cluster="bank", services=["bank-api"])


def cache_primary(staging: LocalStaging) -> str:
    group = staging.aws("elasticache").describe_replication_groups(ReplicationGroupId="cache")
    nodes = group["ReplicationGroups"][0]["NodeGroups"][0]["NodeGroupMembers"]
    return str(next(node["CacheClusterId"] for node in nodes if node["CurrentRole"] == "primary"))


def test_the_cache_fails_over(staging: LocalStaging) -> None:
    first = cache_primary(staging)

    staging.aws("elasticache").test_failover(ReplicationGroupId="cache", NodeGroupId="0001")

    until(lambda: cache_primary(staging) != first)


def test_what_nothing_real_would_follow_is_refused(staging: LocalStaging) -> None:
    with pytest.raises(ClientError, match="UnimplementedByLocalStaging"):
        staging.aws("rds").stop_db_cluster(DBClusterIdentifier="ledger")

    assert staging.aws("rds").describe_db_clusters()["DBClusters"][0]["Status"] == "available"


def test_the_secret_opens_the_ledger_through_the_data_api(staging: LocalStaging) -> None:
    secret = staging.aws("secretsmanager").describe_secret(SecretId="ledger/password")["ARN"]
    cluster = staging.aws("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]

    answer = staging.aws("rds-data").execute_statement(
        resourceArn=cluster, secretArn=secret, sql="SELECT aurora_db_instance_identifier()"
    )

    assert answer["records"] == [[{"stringValue": writer(staging)}]]


def test_the_ops_inbox_has_the_notifications(staging: LocalStaging) -> None:
    sqs = staging.aws("sqs")
    queue = sqs.get_queue_url(QueueName="ops-inbox")["QueueUrl"]
    message = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])

    assert json.loads(message["Message"])["NewStateValue"] in {"OK", "ALARM"}


def test_after_a_killed_host_down_leaves_nothing_either(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        lifecycle.up(tmp_path, Options(owner_pid=owner.pid), lambda _: None)
        state, segments = known(tmp_path), shared_memory(Path(known(tmp_path).data_dir))
        os.kill(state.host.pid, signal.SIGKILL)
        until(lambda: lifecycle.status(tmp_path)["state"] == "dead")
        owner.kill()

    with pytest.raises(NoStaging):
        LocalStaging.attach(tmp_path)
    assert lifecycle.down(tmp_path)
    assert_nothing_left(state)
    assert len(segments) == 2
    assert not segments & shared_memory_of_the_machine()
    assert lifecycle.status(tmp_path) == {"state": "down"}


def test_a_staging_ends_with_its_owner(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        lifecycle.up(tmp_path, Options(owner_pid=owner.pid), lambda _: None)
        state = known(tmp_path)
        owner.kill()

    until(lambda: lifecycle.status(tmp_path) == {"state": "down"})
    until(lambda: state.host.living() is None)
    assert_nothing_left(state)


def test_a_bad_choice_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(lifecycle.StartError, match="ended while starting"):
        lifecycle.up(tmp_path, Options(isolation="glass"), lambda _: None)

    assert "invalid choice: 'glass'" in (tmp_path / "host.log").read_text()
    assert lifecycle.status(tmp_path) == {"state": "down"}
