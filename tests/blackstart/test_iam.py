"""The policies allow what drills were seen to call, on staging alone, and notice a call that is new."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from blackstart import iam, policies
from blackstart.calls import Observed, observe
from blackstart.choke import HEALER, RUNNER, Seen
from blackstart.permission import permits
from catalogue import DRILLS

POLICY_CHARACTERS_MAX = 6144  # of a managed policy, spaces not counted
STAGING = {"aws:ResourceTag/Environment": "staging", "aws:ResourceTag/blackstart": "allowed"}


def seen(call: str, role: str = RUNNER, region: str = "", **resources: str) -> Observed:
    named = tuple(sorted((name, (value,)) for name, value in resources.items()))
    return Observed(call=call, role=role, region=region, resources=named, tags=False, is_change=True)


@pytest.mark.parametrize("drill", sorted(DRILLS))
def test_each_drill_has_been_recorded_and_its_policy_lacks_nothing(drill: str) -> None:
    calls = policies.observed(drill)

    assert any(call.is_change and call.role == RUNNER for call in calls) or drill.startswith("spot-")
    assert iam.lacking(calls, policies.of(RUNNER, [drill]), policies.reference()) == []


@pytest.mark.parametrize(
    "new",
    [
        seen("rds:DeleteDBCluster", DBClusterIdentifier="ledger"),
        seen("rds-data:ExecuteStatement", resourceArn="arn:aws:rds:${Region}:${Account}:cluster:another"),
        seen("rds:FailoverDBCluster", region="us-west-2", DBClusterIdentifier="ledger"),
        seen("ec2:TerminateInstances"),
        seen("lambda:Invoke"),
    ],
    ids=lambda one: one.call,
)
def test_a_call_that_is_new_is_missed(new: Observed) -> None:
    allowed = policies.of(RUNNER, ["aurora-failover"])

    assert iam.lacking([new], allowed, policies.reference()) != []
    assert iam.lacking(policies.observed("aurora-failover"), allowed, policies.reference()) == []


def test_what_belongs_to_production_is_denied_even_where_it_is_allowed() -> None:
    allowed = policies.of(RUNNER, policies.recorded())
    cluster = "arn:aws:rds:${Region}:${Account}:cluster:ledger"

    assert permits(allowed, "rds:FailoverDBCluster", cluster, STAGING)
    for tag in ("production", "dev"):
        facts = {**STAGING, "aws:ResourceTag/Environment": tag}
        assert not permits(allowed, "rds:FailoverDBCluster", cluster, facts)


@pytest.mark.parametrize("role", policies.ROLES)
def test_the_files_are_what_the_recorded_calls_make(role: str) -> None:
    written = (policies.FOLDER / f"{role}.json").read_text()

    assert written == policies.text(policies.of(role, policies.recorded()))


@pytest.mark.parametrize("role", policies.ROLES)
@pytest.mark.parametrize("drill", sorted(DRILLS))
def test_the_policy_of_a_drill_fits_into_one_managed_policy(role: str, drill: str) -> None:
    text = json.dumps(policies.of(role, [drill]), separators=(",", ":"))

    assert len(text) <= POLICY_CHARACTERS_MAX


def test_whoever_heals_may_break_nothing() -> None:
    allowed = policies.of(HEALER, ["az-loss"])
    subnet = "arn:aws:ec2:${Region}:${Account}:subnet/subnet-1"

    assert permits(allowed, "ec2:ReplaceNetworkAclAssociation", subnet, STAGING)
    assert not permits(allowed, "ec2:CreateNetworkAcl", subnet.replace("subnet/subnet", "vpc/vpc"), STAGING)


def test_whoever_signs_may_look_at_what_was_archived_and_not_delete_it() -> None:
    """HeadObject of a version takes these; without the last it does not tell whether the version is kept."""
    allowed = policies.of(policies.SIGNER, [])
    archived = "arn:aws:s3:::blackstart-evidence-${Account}/blackstart/r-1/SEAL.txt"

    for action in ("PutObject", "PutObjectRetention", "GetObject", "GetObjectVersion", "GetObjectRetention"):
        assert permits(allowed, f"s3:{action}", archived, {}), action
    assert not permits(allowed, "s3:DeleteObjectVersion", archived, {})


def test_no_policy_allows_everything() -> None:
    granted = [s for role in policies.ROLES for s in policies.of(role, policies.recorded())["Statement"]]

    assert [s for s in granted if s["Effect"] == "Allow" and s["Action"] in ("*", ["*"])] == []
    changing = [s for s in granted if s["Effect"] == "Allow" and s["Sid"] != "Look"]
    anywhere = {action for s in changing if s["Resource"] in ("*", ["*"]) for action in s["Action"]}
    assert {action: policies.reference().kinds(action) for action in anywhere} == {
        key: {} for key in anywhere
    }
    assert anywhere <= {"backup:PutRestoreValidationResult"}


def test_account_region_and_random_ids_do_not_stay_in_what_was_observed() -> None:
    params: dict[str, Any] = {
        "cluster": "bank",
        "task": "arn:aws:ecs:us-east-1:123456789012:task/bank/0123456789abcdef0123456789abcdef",
    }
    call = Seen(service="ecs", operation="StopTask", region="us-east-1", params=params, role=RUNNER)
    observed = observe(call, "123456789012", "us-east-1")

    assert dict(observed.resources)["task"] == ("arn:aws:ecs:${Region}:${Account}:task/bank/*",)
    assert (observed.region, observed.is_change) == ("", True)
    assert Observed.of_json(json.loads(json.dumps(observed.to_json()))) == observed
    assert observe(replace(call, region="us-west-2"), "123456789012", "us-east-1").region == "us-west-2"


@pytest.mark.parametrize(
    ("operation", "name", "value", "general"),
    [
        ("rds:CreateDBInstance", "DBInstanceIdentifier", "ledger-restored-0a1b2c-1-2", "ledger-restored-*"),
        ("route53:ChangeResourceRecordSets", "HostedZoneId", "Z1RWWTK7Y8UDDQ9", "*"),
        ("backup:DescribeRestoreJob", "RestoreJobId", "A434F433-2081-45E6-B253-E05567CB8D7F", "*"),
        ("ec2:ReplaceNetworkAclAssociation", "NetworkAclId", "acl-0d1e2f3a4b5c6d7e8", "acl-*"),
        (
            "rds-data:ExecuteStatement", "secretArn",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:ledger/owner-a1b2c3",
            "arn:aws:secretsmanager:${Region}:${Account}:secret:ledger/owner-??????",
        ),
        ("rds:FailoverDBCluster", "DBClusterIdentifier", "ledger", "ledger"),
    ],
)  # fmt: skip
def test_names_are_kept_and_what_differs_from_run_to_run_is_not(
    operation: str, name: str, value: str, general: str
) -> None:
    service, _, call = operation.partition(":")
    made = Seen(service=service, operation=call, region="us-east-1", params={name: value}, role=RUNNER)

    assert dict(observe(made, "123456789012", "us-east-1").resources)[name] == (general,)


def test_of_a_hosted_zone_only_the_records_that_were_seen_may_be_changed() -> None:
    record = {"Action": "UPSERT", "ResourceRecordSet": {"Name": "API.bank.example.", "Type": "A"}}
    call = Seen(
        service="route53", operation="ChangeResourceRecordSets", region="us-west-2", role=RUNNER,
        params={"HostedZoneId": "Z1RWWTK7Y8UDDQ9", "ChangeBatch": {"Changes": [record]}},
    )  # fmt: skip
    made = iam.policy([observe(call, "123456789012", "us-east-1")], policies.reference())
    granted = [s for s in made["Statement"] if s["Effect"] == "Allow"]

    assert [(s["Action"], s["Resource"]) for s in granted] == [
        (["route53:ChangeResourceRecordSets"], ["arn:aws:route53:::hostedzone/*"])
    ]
    assert granted[0]["Condition"] == {
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["api.bank.example"]
        }
    }


def test_what_is_made_may_be_tagged_and_nothing_else() -> None:
    create = Seen(
        service="rds", operation="CreateDBInstance", region="us-east-1", role=RUNNER,
        params={"DBInstanceIdentifier": "ledger-3", "DBClusterIdentifier": "ledger", "Tags": [{}]},
    )  # fmt: skip
    made = iam.policy([observe(create, "123456789012", "us-east-1")], policies.reference())
    tagging = [s["Resource"] for s in made["Statement"] if "rds:AddTagsToResource" in s["Action"]]

    assert tagging == [["arn:aws:rds:${Region}:${Account}:db:ledger-3"]]
