"""Least-privilege policies for AWS, made from the calls that drills were seen to make.

What AWS calls an action, which resources it concerns, and which of them it can tell apart by their tags
comes from AWS's own Service Authorization Reference: an extract lies in `policies/reference.json` (see
`bench/iam_reference.py`).
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackstart.calls import RECORDS
from blackstart.guards import REQUIRED_TAGS
from blackstart.permission import matches, permits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from blackstart.calls import Observed
    from blackstart.permission import Policy

Condition = dict[str, dict[str, Any]]

# Where a boto3 client or an operation is not called what IAM calls it; None: it needs no permission.
_PREFIXES = {"elbv2": "elasticloadbalancing"}
_ACTIONS = {
    "sts:GetCallerIdentity": None,
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
}
# Which kind of resource a parameter names, by IAM's own word for it, where the action concerns that kind.
_KINDS = {
    "DBClusterIdentifier": "rds:cluster", "SourceDBClusterIdentifier": "rds:cluster",
    "DBInstanceIdentifier": "rds:db",
    "DBClusterSnapshotIdentifier": "rds:cluster-snapshot", "SnapshotIdentifier": "rds:cluster-snapshot",
    "FinalDBSnapshotIdentifier": "rds:cluster-snapshot", "DBSubnetGroupName": "rds:subgrp",
    "NetworkAclId": "ec2:network-acl", "VpcId": "ec2:vpc", "SecretId": "secretsmanager:Secret",
    "Bucket": "s3:bucket", "BackupVaultName": "backup:backupVault",
    "RecoveryPointArn": "backup:recoveryPoint", "service": "ecs:service", "Name": "ssm:parameter",
    "HostedZoneId": "route53:hostedzone",
}  # fmt: skip
# Kinds that carry tags whenever a drill touches them: guards refuse those that do not.
_TAGGED = {
    "ec2:subnet", "ec2:vpc", "ec2:network-acl", "rds:cluster", "rds:db", "rds:cluster-snapshot",
    "rds-data:cluster", "ecs:task", "ecs:service", "backup:recoveryPoint",
}  # fmt: skip
# What does not exist yet when the action is asked for, and so has no tags.
_MADE = {
    "ec2:CreateNetworkAcl": {"ec2:network-acl"},
    "rds:CreateDBInstance": {"rds:db"},
    "rds:CreateDBClusterSnapshot": {"rds:cluster-snapshot"},
    "rds:DeleteDBCluster": {"rds:cluster-snapshot"},  # its last one
    "rds:RestoreDBClusterFromSnapshot": {"rds:cluster"},
    "rds:RestoreDBClusterToPointInTime": {"rds:cluster"},
    "rds:AddTagsToResource": {"rds:cluster", "rds:db"},  # what AWS Backup restores has none yet
}
# Reads that show what must be kept from others: only of what was asked for.
_SECRET = re.compile(r"^(s3:Get|secretsmanager:Get|ssm:Get|kms:|dynamodb:)")
# Of these a drill needs what it was seen to name, and nothing else of the kind.
_NAMED_ONLY = {"Tagging", "Read", "List"}
_OBJECT = "s3:object"
# IAM cannot tell hosted zones apart by their tags, but the records that are changed by their names.
_RECORDS = {"route53:ChangeResourceRecordSets": "route53:ChangeResourceRecordSetsNormalizedRecordNames"}
_TAG_KEY = "aws:ResourceTag/${TagKey}"
_OURS: Condition = {"StringEquals": {f"aws:ResourceTag/{key}": value for key, value in REQUIRED_TAGS.items()}}
_DENIED = (
    {
        "Sid": "NeverProduction", "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/Environment": ["production", "prod"]}},
    },
    {
        "Sid": "NeverMakeAnythingStaging", "Effect": "Deny", "Resource": "*",
        "Action": ["ec2:DeleteTags", "rds:RemoveTagsFromResource", "ecs:UntagResource"],
    },
    {
        "Sid": "TagOnlyWhatIsBeingMade", "Effect": "Deny", "Action": "ec2:CreateTags", "Resource": "*",
        "Condition": {"Null": {"ec2:CreateAction": "true"}},
    },
    {
        "Sid": "NeverOneselfNorEvidence", "Effect": "Deny", "Resource": "*",
        "Action": ["iam:Create*", "iam:Put*", "iam:Attach*", "iam:Update*", "iam:Delete*", "organizations:*",
                   "s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:BypassGovernanceRetention"],
    },
)  # fmt: skip


class NotInReference(Exception):
    """A call whose action is not in the extract, which must be made anew."""


@dataclass(frozen=True)
class Reference:
    """AWS's own word, `{"actions": {action: ...}, "arns": {kind: pattern}}`.

    Of an action `{"level": "Write", "kinds": {kind: [condition keys]}, "needed": [kinds], "with_it": []}`.
    """

    content: Mapping[str, Any]

    @classmethod
    def at(cls, path: Path) -> Reference:
        """Read the extract."""
        return cls(json.loads(path.read_text()))

    def kinds(self, action: str) -> dict[str, list[str]]:
        """Return the kinds of resource that an action concerns, with condition keys; or NotInReference."""
        if action not in self.content["actions"]:
            raise NotInReference(f"{action} is not in policies/reference.json: see bench/iam_reference.py")
        found: dict[str, list[str]] = self.content["actions"][action]["kinds"]
        return found

    def level(self, action: str) -> str:
        """Return its access level: List, Read, Write, Tagging or Permissions management."""
        return str(self.content["actions"][action]["level"])

    def needed(self, action: str) -> list[str]:
        """Return the kinds that the action always concerns, where AWS knows of any; else all."""
        needed: list[str] = self.content["actions"][action]["needed"]
        return needed or list(self.kinds(action))

    def with_it(self, action: str) -> list[str]:
        """Return the further actions that this one needs, as AWS says."""
        needed: list[str] = self.content["actions"][action]["with_it"]
        return needed

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of a resource of this kind; account and region stay `${...}`."""
        pattern = str(self.content["arns"][kind]).replace("${Partition}", "aws")
        head, own, tail = pattern.rpartition("${")
        others = re.sub(r"\$\{(?!Region\}|Account\})\w+\}", "*", head)
        return others + re.sub(r"^\$\{\w+\}", lambda _: name, own + tail)


def action_of(call: str) -> str | None:
    """Return what IAM calls a call of boto3; None when it needs no permission, or is none of AWS's."""
    service, _, operation = call.partition(":")
    if call in _ACTIONS:
        return _ACTIONS[call]
    return None if service == "local" else f"{_PREFIXES.get(service, service)}:{operation}"


def policy(observed: Iterable[Observed], reference: Reference) -> Policy:
    """Return the policy that allows these calls and nothing else."""
    reads, rest = set(), defaultdict[tuple[tuple[str, ...], str], set[str]](set)
    calls = tuple(observed)
    records = sorted({name for one in calls for name in dict(one.resources).get(RECORDS, ())})
    for one in calls:
        action = action_of(one.call)
        if action is None:
            continue
        if not one.is_change and not _SECRET.match(action):
            reads.add(action)
            continue
        for arns, condition, name in _grants(one, action, reference, records):
            rest[arns, json.dumps(condition, sort_keys=True)].add(name)
    statements = (
        [{"Sid": "Look", "Effect": "Allow", "Action": sorted(reads), "Resource": "*"}] if reads else []
    )
    return {"Version": "2012-10-17", "Statement": [*statements, *_statements(rest), *_DENIED]}


def lacking(observed: Iterable[Observed], allowed: Policy, reference: Reference) -> list[str]:
    """Return, in words, the calls that the policy does not allow on the staging's own resources."""
    return sorted({
        f"{action} on {arn} as {one.role}"
        for one in observed
        if (action := action_of(one.call)) is not None
        for arn in _arns_of(one, action, reference)
        if not permits(allowed, action, arn, {f"aws:ResourceTag/{k}": v for k, v in REQUIRED_TAGS.items()})
    })  # fmt: skip


def _grants(
    one: Observed, action: str, reference: Reference, records: list[str]
) -> Iterator[tuple[tuple[str, ...], Condition, str]]:
    """Yield what the call needs: on which resources, under which condition, to do what."""
    kinds = reference.kinds(action)
    for kind, arns in _concerned(one, action, reference).items():
        can_tell = kind in _TAGGED - _MADE.get(action, set()) and _TAG_KEY in kinds.get(kind, [])
        yield arns, {**(_OURS if can_tell else {}), **_only_records(action, records)}, action
    if one.tags and "ec2:CreateTags" in reference.with_it(action):
        made = tuple(_there(one, reference.arn(kind, "*")) for kind in sorted(_MADE.get(action, ())))
        yield made, {"StringEquals": {"ec2:CreateAction": action.partition(":")[2]}}, "ec2:CreateTags"
    if one.tags and action.startswith("rds:") and action in _MADE:
        made = tuple(arn for arns in _named(one, sorted(_MADE[action]), reference).values() for arn in arns)
        if made:
            yield made, {}, "rds:AddTagsToResource"
    for arn in dict(one.resources).get("IamRoleArn", ()):
        service = f"{action.partition(':')[0]}.amazonaws.com"
        yield (arn,), {"StringEquals": {"iam:PassedToService": service}}, "iam:PassRole"
    if action == "rds-data:ExecuteStatement":  # it reads the secret as whoever asks
        for arn in dict(one.resources).get("secretArn", ()):
            yield (arn,), {}, "secretsmanager:GetSecretValue"


def _only_records(action: str, records: list[str]) -> Condition:
    if not records or action not in _RECORDS:
        return {}
    return {"ForAllValues:StringEquals": {_RECORDS[action]: records}}


def _arns_of(one: Observed, action: str, reference: Reference) -> tuple[str, ...]:
    try:
        found = _concerned(one, action, reference)
    except NotInReference:  # a call that is new: no policy allows it
        return ("*",)
    return tuple(sorted({arn for arns in found.values() for arn in arns})) or ("*",)


def _concerned(one: Observed, action: str, reference: Reference) -> dict[str, tuple[str, ...]]:
    """Return the ARNs that the action concerns, by kind: as the call names them, else any of that kind.

    An action that AWS restricts to no kind of resource concerns "*", by the kind "".
    """
    kinds = reference.kinds(action)
    named = _named(one, list(kinds), reference)
    if reference.level(action) in _NAMED_ONLY:
        return named
    # what is made from parts may concern all of them, also those that the call leaves to AWS
    asked = kinds if action in _MADE else reference.needed(action)
    any_of = {kind: (_there(one, reference.arn(kind, "*")),) for kind in asked}
    return {**any_of, **named} or {"": ("*",)}


def _named(one: Observed, kinds: Sequence[str], reference: Reference) -> dict[str, tuple[str, ...]]:
    """Return the ARNs that the call's own parameters name, by kind."""
    found: dict[str, set[str]] = defaultdict(set)
    for parameter, values in one.resources:
        for value in values:
            kind = _KINDS.get(parameter, "")
            if parameter == "Bucket" and _OBJECT in kinds:
                found[_OBJECT].add(f"arn:aws:s3:::{value}/*")
            elif value.startswith("arn:"):
                found[kind if kind in kinds else _kind_of_arn(value, kinds, reference)].add(value)
            elif kind in kinds:
                found[kind].add(_there(one, reference.arn(kind, value.lstrip("/"))))
    return {kind: tuple(sorted(arns)) for kind, arns in found.items() if kind}


def _there(one: Observed, arn: str) -> str:
    """Return an ARN in the region of the call."""
    return arn.replace("${Region}", one.region) if one.region else arn


def _kind_of_arn(arn: str, kinds: Sequence[str], reference: Reference) -> str:
    """Return which of these kinds the ARN is of, "" when of none: a role or a secret that is only used."""
    generic = {kind: re.sub(r"\$\{\w+\}", "*", reference.content["arns"][kind]) for kind in kinds}
    return next((kind for kind in kinds if fnmatch.fnmatchcase(arn, generic[kind])), "")


def _statements(grants: Mapping[tuple[tuple[str, ...], str], set[str]]) -> Iterator[dict[str, Any]]:
    where = defaultdict[tuple[str, str], set[str]](set)
    for (arns, condition), actions in grants.items():
        for action in actions:
            where[action, condition].update(arns)
    together = defaultdict[tuple[tuple[str, ...], str], set[str]](set)
    for (action, condition), on in where.items():
        together[_widest(on), condition].add(action)
    for number, ((arns, condition), actions) in enumerate(sorted(together.items()), start=1):
        told = json.loads(condition)
        yield {
            "Sid": f"Do{number:02}", "Effect": "Allow", "Action": sorted(actions), "Resource": list(arns),
            **({"Condition": told} if told else {}),
        }  # fmt: skip


def _widest(arns: set[str]) -> tuple[str, ...]:
    """Return those that no other one of them includes."""
    return tuple(sorted(a for a in arns if not any(b != a and matches(b, a) for b in arns)))
