"""`blackstart plan` says what a drill would do now, or why it must not, and changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from blackstart import planning, refusing
from blackstart.choke import Refused
from blackstart.cli import main
from catalogue import DRILLS
from tests.safety import forbidden
from tests.safety.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    built = Scene(tmp_path_factory.mktemp("scene"))
    built.announce()
    yield built
    built.stop()


def plan(scene: Scene, *words: str) -> Result:
    scene.forget_changes()
    ended = CliRunner().invoke(main, ["--home", str(scene.home), "plan", *words])

    assert scene.changes() == []
    return ended


def told(scene: Scene, drill: str) -> dict[str, Any]:
    ended = plan(scene, drill, "--json")
    assert ended.exit_code == 0, ended.output
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_a_lost_zone(scene: Scene) -> None:
    said = told(scene, "az-loss")
    (part,) = said["parts"]

    assert [target["kind"] for target in part["targets"]] == ["subnet"] * 3 + ["VPC"]
    assert set(part["before"]) == {target["id"] for target in part["targets"][:3]}
    assert part["calls"] == [
        "ec2:CreateNetworkAcl",
        "ec2:ReplaceNetworkAclAssociation",
        "ec2:DeleteNetworkAcl",
    ]
    assert set(part["calls"]) <= set(said["iam"]["runner"])
    assert set(said["iam"]["healer"]) == {"ec2:ReplaceNetworkAclAssociation", "ec2:DeleteNetworkAcl"}
    assert said["forecast"]["worst_s"] > 0
    assert (len(said["hash"]), said["cost"], said["unknown"], said["refused"]) == (64, [], [], "")


def test_a_lost_region_and_what_cannot_be_looked_up_yet(scene: Scene) -> None:
    said = told(scene, "region-loss")

    assert said["parts"][0]["elsewhere"] == "us-west-2"
    assert len(said["parts"][0]["targets"]) == 11
    assert {"ecs:UpdateService", "route53:ChangeResourceRecordSets"} <= set(said["iam"]["healer"])
    assert (said["hash"] is None) is bool(said["unknown"])


def test_what_costs_money_is_said(scene: Scene) -> None:
    said = told(scene, "point-in-time")

    assert any(line.startswith("Aurora snapshot: ") for line in said["cost"])
    assert any(line.startswith("Aurora instance: ") for line in said["cost"])


@pytest.mark.parametrize("drill", ["az-loss", "aurora-failover"])
def test_for_people_all_of_it_is_one_page(scene: Scene, drill: str) -> None:
    ended = plan(scene, drill)
    begins = [" ".join(line.split()[:1]) for line in ended.stdout.splitlines()]

    assert ended.exit_code == 0
    assert {"target", "call", "undo", "IAM,", "takes", "costs,", "hash"} <= set(begins)
    assert begins.count("IAM,") == 2


def test_what_must_not_be_is_shown_and_refused(scene: Scene) -> None:
    target = forbidden.FAULTS["az-loss"].prepare(scene.staging()).targets[0]
    forbidden.tag(scene, target, "Environment", "production")
    try:
        ended = plan(scene, "az-loss")
    finally:
        forbidden.tag(scene, target, "Environment", "staging")

    assert ended.exit_code == 4
    assert f"target  subnet {target.id}" in ended.stdout
    assert "has tag Environment='production'" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_nothing_is_looked_up_of_a_drill_that_does_not_exist(scene: Scene) -> None:
    ended = plan(scene, "az-los")

    assert ended.exit_code == 2
    assert "no drill is called 'az-los'; there are: " in ended.stderr


def test_actions_of_chaosaws_cannot_be_predicted_and_so_not_be_approved(scene: Scene) -> None:
    def activity(kind: str, module: str, func: str) -> dict[str, Any]:
        return {"type": kind, "name": func, "provider": {"type": "python", "module": module, "func": func}}

    looked = planning.look(scene.staging(), {
        "title": "t",
        "method": [
            activity("probe", "chaosaws.rds.probes", "cluster_status"),
            activity("action", "chaosaws.rds.actions", "delete_db_cluster"),
        ],
        "rollbacks": [activity("action", "chaosaws.ec2.actions", "start_instances")],
    })  # fmt: skip

    assert looked.unknown == (
        "chaosaws.rds.actions.delete_db_cluster: nobody can predict the calls of chaosaws",
        "chaosaws.ec2.actions.start_instances: nobody can predict the calls of chaosaws",
    )
    with pytest.raises(Refused, match="cannot be compared with an approval"):
        refusing.fingerprint(DRILLS["az-loss"], looked)
