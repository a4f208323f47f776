"""Activities of Chaos Toolkit's AWS extension reach the staging, and change nothing unledgered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.safety.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    built = Scene(tmp_path)
    built.announce()
    yield built
    built.stop()


def activity(kind: str, module: str, func: str, **arguments: Any) -> dict[str, Any]:
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"type": kind, "name": func, "provider": provider}


def run(scene: Scene, tmp_path: Path, *method: dict[str, Any]) -> dict[str, Any]:
    """Run an experiment as drills do, in a process whose environment leads to a port without anybody."""
    file, journal = tmp_path / "experiment.yaml", tmp_path / "journal.json"
    file.write_text(yaml.safe_dump({"title": "t", "description": "d", "method": list(method)}))
    nowhere = "http://127.0.0.1:9"
    environment = {
        **os.environ, **scene.context().environment(), "AWS_ENDPOINT_URL": nowhere, "HTTPS_PROXY": nowhere,
        "AWS_PROFILE": "none-such",
    }  # fmt: skip
    argv = [sys.executable, "-m", "blackstart.experiment", str(file), str(journal)]
    ended = subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(journal.read_text())
    return told


def test_its_reads_reach_the_double_and_its_changes_are_refused(scene: Scene, tmp_path: Path) -> None:
    journal = run(
        scene, tmp_path,
        activity("probe", "chaosaws.rds.probes", "cluster_status", cluster_id="ledger"),
        activity("action", "chaosaws.rds.actions", "failover_db_cluster", db_cluster_identifier="ledger",
                 target_db_instance_identifier="ledger-2"),
        activity("action", "chaosaws.rds.actions", "delete_db_cluster", db_cluster_identifier="ledger"),
    )  # fmt: skip
    looked, *changed = journal["run"]

    assert (looked["status"], looked["output"]) == ("succeeded", "available")
    assert ["not named by any open ledger entry" in "".join(run["exception"]) for run in changed] == [
        True,
        True,
    ]
    assert scene.changes() == []


def test_with_an_open_entry_it_may_do_what_the_entry_names(scene: Scene, tmp_path: Path) -> None:
    from faults.aurora_failover import AuroraFailover  # noqa: PLC0415 - its module reads the context

    plan = AuroraFailover(cluster="ledger", secret="x").prepare(scene.staging())  # noqa: S106 - a name
    scene.context().ledger.open("x", "faults.aurora_failover:AuroraFailover", {}, plan, scene.staging().facts)
    journal = run(
        scene, tmp_path,
        activity("action", "chaosaws.rds.actions", "failover_db_cluster", db_cluster_identifier="ledger",
                 target_db_instance_identifier="ledger-2"),
        activity("action", "chaosaws.rds.actions", "delete_db_cluster", db_cluster_identifier="ledger"),
    )  # fmt: skip

    assert [run["status"] for run in journal["run"]] == ["succeeded", "failed"]
    assert scene.changes() == ["rds:FailoverDBCluster"]


def test_credentials_of_its_own_are_refused(scene: Scene) -> None:
    """`chaosaws.aws_client` hands an experiment's secrets to boto3; here nobody may bring any."""
    code = (
        "from blackstart import clients, context\n"
        "import boto3\n"
        "with clients.led_to(context.attached()):\n"
        "    boto3.client('rds', region_name='us-east-1', aws_access_key_id='mine')\n"
    )
    environment = {**os.environ, **scene.context().environment()}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "Refused: an activity wants a client of rds with aws_access_key_id of its own" in ended.stderr
    assert scene.changes() == []


def test_a_session_of_its_own_goes_nowhere_else(scene: Scene) -> None:
    code = (
        "from blackstart import clients, context\n"
        "import boto3\n"
        "with clients.led_to(context.attached()):\n"
        "    session = boto3.Session('a', 'b', region_name='us-east-1')\n"
        "    session.client('rds').describe_db_clusters()\n"
    )
    environment = {**os.environ, **scene.context().environment(), "AWS_MAX_ATTEMPTS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "Refused: rds:DescribeDBClusters would go to https://rds.us-east-1.amazonaws.com" in ended.stderr


@pytest.mark.parametrize("how", [["-m", "chaostoolkit"], [str(Path(sys.executable).with_name("chaos"))]])
def test_by_hand_too_whatever_chaos_toolkit_is_started_with(
    scene: Scene, tmp_path: Path, how: list[str]
) -> None:
    file, journal = tmp_path / "experiment.yaml", tmp_path / "journal.json"
    first = activity("probe", "probes.steady", "healthy_targets", target_group="bank-api")
    then = activity("action", "chaosaws.rds.actions", "delete_db_cluster", db_cluster_identifier="ledger")
    file.write_text(yaml.safe_dump({"title": "t", "description": "d", "method": [first, then]}))
    environment = {
        **os.environ, "BLACKSTART_HOME": str(scene.home), "AWS_ENDPOINT_URL": scene.endpoint,
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1",
    }  # fmt: skip
    environment.pop("BLACKSTART_CONTEXT", None)
    argv = [
        sys.executable,
        *how,
        "--no-version-check",
        "--no-log-file",
        "run",
        "--journal-path",
        str(journal),
        str(file),
    ]
    subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    looked, changed = json.loads(journal.read_text())["run"]

    assert looked["status"] == "succeeded", looked
    assert "not named by any open ledger entry" in "".join(changed["exception"])
    assert scene.changes() == []
