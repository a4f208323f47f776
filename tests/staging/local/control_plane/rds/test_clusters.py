"""Clusters are restored, renamed and deleted through the RDS API, and SQL shows that it happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from staging.local.control_plane.platform import arn
from tests.staging.local.control_plane.estate import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.staging.local.control_plane.estate import Estate

pytestmark = pytest.mark.local


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.fixture(autouse=True)
def _as_it_was(estate: Estate) -> Iterator[None]:
    yield
    for name in estate.clusters():
        if name != "ledger":
            estate.drop(name)


def test_the_ledger_and_its_instances_are_described_as_they_are(estate: Estate) -> None:
    cluster = estate.cluster("ledger")

    assert estate.clusters() == {"ledger": "available"}
    assert estate.instances() == {"ledger-1": "available", "ledger-2": "available"}
    members = {m["DBInstanceIdentifier"]: m["IsClusterWriter"] for m in cluster["DBClusterMembers"]}
    assert members == {"ledger-1": True, "ledger-2": False}
    assert cluster["DbClusterResourceId"] == estate.fleet.describe()["ledger"].resource
    assert cluster["StorageEncrypted"]
    assert estate.aws("rds", "us-west-2").describe_db_clusters()["DBClusters"] == []


def test_a_snapshot_is_restored_into_a_cluster_without_instances_that_gets_some(estate: Estate) -> None:
    rds = estate.aws("rds")
    estate.sql("INSERT INTO transfers (key) VALUES ('before')")
    rds.create_db_cluster_snapshot(DBClusterIdentifier="ledger", DBClusterSnapshotIdentifier="safety")
    assert estate.cluster("ledger")["Status"] == "backing-up"
    waiter = rds.get_waiter("db_cluster_snapshot_available")
    waiter.wait(DBClusterSnapshotIdentifier="safety", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    estate.sql("INSERT INTO transfers (key) VALUES ('after')")

    made = rds.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="ledger-new", SnapshotIdentifier="safety", Engine="aurora-postgresql",
        Tags=[{"Key": "blackstart", "Value": "allowed"}],
    )["DBCluster"]  # fmt: skip
    assert made["Status"] == "creating"
    until(lambda: estate.clusters()["ledger-new"] == "available", "the cluster is restored")
    assert estate.cluster("ledger-new")["DBClusterMembers"] == []
    assert (estate.cluster("ledger")["HttpEndpointEnabled"], made["HttpEndpointEnabled"]) == (True, False)
    with pytest.raises(ClientError) as error:
        estate.sql("SELECT 1", made["DBClusterArn"])
    assert code(error) == "HttpEndpointNotEnabledException"
    rds.enable_http_endpoint(ResourceArn=made["DBClusterArn"])
    assert estate.cluster("ledger-new")["HttpEndpointEnabled"]
    with pytest.raises(ClientError, match="no writer") as error:
        estate.sql("SELECT 1", made["DBClusterArn"])
    assert code(error) == "DatabaseUnavailableException"

    estate.add_instance("ledger-new", "ledger-new-1")
    estate.add_instance("ledger-new", "ledger-new-2")

    zones = {
        i["DBInstanceIdentifier"]: i["AvailabilityZone"]
        for i in rds.describe_db_instances()["DBInstances"]
        if i["DBClusterIdentifier"] == "ledger-new"
    }
    assert zones == {"ledger-new-1": "us-east-1a", "ledger-new-2": "us-east-1b"}
    assert estate.sql("SELECT key FROM transfers", made["DBClusterArn"]) == [["before"]]
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="safety")
    assert rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"] == []
    until(lambda: not (estate.backups / "us-east-1/rds/safety").exists(), "its files are gone")


def test_a_restored_cluster_takes_the_name_of_the_old_one(estate: Estate) -> None:
    rds = estate.aws("rds")
    until(lambda: bool(estate.cluster("ledger").get("LatestRestorableTime")), "there is something to restore")
    estate.sql("INSERT INTO transfers (key) VALUES ('rewound')")
    rds.restore_db_cluster_to_point_in_time(
        DBClusterIdentifier="ledger-new", SourceDBClusterIdentifier="ledger", UseLatestRestorableTime=True
    )
    until(lambda: estate.clusters()["ledger-new"] == "available", "the cluster is restored")
    estate.add_instance("ledger-new", "ledger-new-1")

    rename(estate, "ledger", "ledger-old")
    rename(estate, "ledger-new", "ledger")

    members = [m["DBInstanceIdentifier"] for m in estate.cluster("ledger")["DBClusterMembers"]]
    assert members == ["ledger-new-1"]
    assert ["rewound"] in estate.sql("SELECT key FROM transfers")
    rds.modify_db_instance(
        DBInstanceIdentifier="ledger-new-1", NewDBInstanceIdentifier="ledger-3", ApplyImmediately=True
    )
    until(lambda: estate.instances().get("ledger-3") == "available", "the instance is renamed")
    until(lambda: estate.sql("SELECT 1") == [[1]], "it answers")
    rename(estate, "ledger", "ledger-new")
    rename(estate, "ledger-old", "ledger")
    messages = [event["Message"] for event in rds.describe_events(SourceType="db-cluster")["Events"]]
    assert messages.count("Renamed cluster from ledger-new to ledger.") == 1


def rename(estate: Estate, old: str, new: str) -> None:
    estate.aws("rds").modify_db_cluster(
        DBClusterIdentifier=old, NewDBClusterIdentifier=new, ApplyImmediately=True
    )
    until(lambda: estate.clusters().get(new) == "available", f"{old} is {new}")


@pytest.mark.long
def test_a_cluster_is_deleted_with_a_final_snapshot_and_its_archive_goes_on(estate: Estate) -> None:
    rds = estate.aws("rds")
    rds.restore_db_cluster_to_point_in_time(
        DBClusterIdentifier="doomed", SourceDBClusterIdentifier="ledger", UseLatestRestorableTime=True
    )
    until(lambda: estate.clusters()["doomed"] == "available", "the cluster is restored")
    estate.add_instance("doomed", "doomed-1")
    until(lambda: "EarliestRestorableTime" in estate.cluster("doomed"), "its archive has begun")
    with pytest.raises(ClientError) as with_instance:
        rds.delete_db_cluster(DBClusterIdentifier="doomed", SkipFinalSnapshot=True)
    with pytest.raises(ClientError) as without_word:
        rds.delete_db_cluster(DBClusterIdentifier="doomed")
    estate.sql("INSERT INTO transfers (key) VALUES ('last')", arn("rds", "cluster:doomed"))
    resource = estate.cluster("doomed")["DbClusterResourceId"]

    rds.delete_db_instance(DBInstanceIdentifier="doomed-1")
    assert estate.instances()["doomed-1"] == "deleting"
    rds.delete_db_cluster(
        DBClusterIdentifier="doomed", FinalDBSnapshotIdentifier="final", DeleteAutomatedBackups=False
    )
    assert estate.clusters()["doomed"] == "deleting"
    until(lambda: "doomed" not in estate.clusters(), "the cluster is gone")

    refusals = [code(with_instance), code(without_word)]
    assert refusals == ["InvalidDBClusterStateFault", "InvalidParameterCombination"]
    with pytest.raises(ClientError) as error:
        estate.cluster("doomed")
    assert code(error) == "DBClusterNotFoundFault"
    assert "doomed-1" not in estate.instances()
    kept = rds.describe_db_cluster_automated_backups(DbClusterResourceId=resource)
    assert [
        (backup["DBClusterIdentifier"], backup["Status"]) for backup in kept["DBClusterAutomatedBackups"]
    ] == [("doomed", "retained")]
    for name, how in {"of-final": {}, "of-archive": {"SourceDbClusterResourceId": resource}}.items():
        if how:
            rds.restore_db_cluster_to_point_in_time(
                DBClusterIdentifier=name, UseLatestRestorableTime=True, **how
            )
        else:
            rds.restore_db_cluster_from_snapshot(
                DBClusterIdentifier=name, SnapshotIdentifier="final", Engine="aurora-postgresql"
            )
        until(lambda name=name: estate.clusters()[name] == "available", f"{name} is restored")  # type: ignore[misc]
        estate.add_instance(name, f"{name}-1")
        assert ["last"] in estate.sql("SELECT key FROM transfers", arn("rds", f"cluster:{name}"))


def test_a_time_beyond_the_archive_and_a_name_that_is_taken_are_refused(estate: Estate) -> None:
    rds = estate.aws("rds")
    with pytest.raises(ClientError) as beyond:
        rds.restore_db_cluster_to_point_in_time(
            DBClusterIdentifier="early",
            SourceDBClusterIdentifier="ledger",
            RestoreToTime="2020-01-01T00:00:00Z",
        )
    with pytest.raises(ClientError) as taken:
        rds.restore_db_cluster_to_point_in_time(
            DBClusterIdentifier="ledger", SourceDBClusterIdentifier="ledger", UseLatestRestorableTime=True
        )

    assert (code(beyond), code(taken)) == ("InvalidParameterValue", "DBClusterAlreadyExistsFault")
    assert estate.clusters() == {"ledger": "available"}


def test_the_owner_may_delete_what_the_application_may_not(estate: Estate) -> None:
    estate.sql("INSERT INTO transfers (key) VALUES ('wrong')")
    with pytest.raises(ClientError, match="permission denied"):
        estate.sql("DELETE FROM transfers WHERE key = 'wrong'")

    estate.sql("DELETE FROM transfers WHERE key = 'wrong'", owner=True)

    assert ["wrong"] not in estate.sql("SELECT key FROM transfers")
