"""The policies of this repository: what each drill was seen to call, and what each role may do for it.

`policies/observed/DRILL.json` is written from drills that ran; `runner.json`, `healer.json` and `signer.json`
are made from those. Account and region stay `${Account}` and `${Region}` in files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blackstart import calls, choke, iam
from blackstart.calls import Observed
from blackstart.iam import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from blackstart.permission import Policy

FOLDER = Path(__file__).parent.parent / "policies"
SIGNER = "signer"
ROLES = (choke.RUNNER, choke.HEALER, SIGNER)
# Tags make staging of anything, and IAM knows nothing of a hosted zone but its id: only what was seen.
_AS_SEEN = {"rds:AddTagsToResource", "route53:ChangeResourceRecordSets"}
# What healing makes anew, and tags, by the target's own name: the parameter, and what is in the target's ARN.
_REMADE = {
    "rds:RestoreDBClusterFromSnapshot": ("DBClusterIdentifier", ":cluster:"),
    "rds:CreateDBInstance": ("DBInstanceIdentifier", ":db:"),
}
_EVIDENCE = "arn:aws:s3:::blackstart-evidence-${Account}"
# What `blackstart.sealing` and `reports.evidence.archive` ask for; no drill makes these calls.
_SIGNING: Policy = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Sign", "Effect": "Allow", "Action": ["kms:GetPublicKey", "kms:Sign"],
            "Resource": "arn:aws:kms:${Region}:${Account}:key/*",
            "Condition": {"StringEquals": {"aws:ResourceTag/blackstart": "signing"}},
        },
        {
            "Sid": "Archive", "Effect": "Allow",
            "Action": [
                "s3:PutObject", "s3:PutObjectRetention", "s3:GetBucketObjectLockConfiguration",
                # each version is looked at again, and whether it is kept
                "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention",
            ],
            "Resource": [_EVIDENCE, f"{_EVIDENCE}/*"],
        },
        {
            "Sid": "NeverLess", "Effect": "Deny", "Resource": "*",
            "Action": ["s3:DeleteObject*", "s3:BypassGovernanceRetention", "kms:ScheduleKeyDeletion"],
        },
    ],
}  # fmt: skip


def reference() -> Reference:
    """Return AWS's own word on actions, as far as drills need it."""
    return Reference.at(FOLDER / "reference.json")


def observed(drill: str) -> tuple[Observed, ...]:
    """Return what this drill was seen to call; nothing when it has not been recorded."""
    file = _file(drill)
    return tuple(map(Observed.of_json, json.loads(file.read_text())["calls"])) if file.exists() else ()


def recorded() -> list[str]:
    """Return the drills that have been recorded."""
    return sorted(path.stem for path in (FOLDER / "observed").glob("*.json"))


def record(drill: str, folder: Path, plans: Iterable[Mapping[str, Any]]) -> int:
    """Add what a drill's folder and its plans say; return how many kinds of calls are known then."""
    seen = calls.read(folder / calls.CALLS)
    planned = [one for plan in plans for one in (*_declared(plan, seen), *_remade(plan))]
    known = calls.merged([*observed(drill), *seen, *planned])
    told = {"drill": drill, "calls": [one.to_json() for one in known]}
    _file(drill).parent.mkdir(parents=True, exist_ok=True)
    _file(drill).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    return len(known)


def of(role: str, drills: Iterable[str]) -> Policy:
    """Return the policy of a role for these drills; a runner heals, too."""
    if role == SIGNER:
        return _SIGNING
    roles = {choke.HEALER} if role == choke.HEALER else {choke.RUNNER, choke.HEALER}
    wanted = (one for drill in drills for one in observed(drill) if one.role in roles)
    return iam.policy(wanted, reference())


def lacking(drill: str, folder: Path) -> list[str]:
    """Return, in words, the calls in a drill's folder that the runner's policy for it does not allow."""
    return iam.lacking(calls.read(folder / calls.CALLS), of(choke.RUNNER, [drill]), reference())


def write_all() -> None:
    """Write the policy of each role for all drills that have been recorded."""
    for role in ROLES:
        (FOLDER / f"{role}.json").write_text(text(of(role, recorded())))


def text(policy: Policy, account: str = "", region: str = "") -> str:
    """Return a policy as AWS takes it; with an account and a region, for those."""
    told = json.dumps(policy, indent=1) + "\n"
    told = told.replace("${Account}", account) if account else told
    return told.replace("${Region}", region) if region else told


def actions(drill: str) -> dict[str, list[str]]:
    """Return what each role is allowed to do for this drill, read-only actions aside."""
    return {role: _changes(of(role, [drill])) for role in (choke.RUNNER, choke.HEALER)}


def _changes(policy: Policy) -> list[str]:
    granted: list[dict[str, Any]] = [s for s in policy["Statement"] if s["Effect"] == "Allow"]
    return sorted({action for one in granted if one["Sid"] != "Look" for action in one["Action"]})


def _declared(plan: Mapping[str, Any], seen: Sequence[Observed]) -> Iterable[Observed]:
    """What a plan says it may call: healing must be able to, from whatever state it finds."""
    heals = plan["calls"] if plan["heals"] is None else plan["heals"]
    made = {one.call for one in seen}
    for call in sorted({*plan["calls"]} - _AS_SEEN):
        for role in (choke.RUNNER, choke.HEALER):
            if call in heals if role == choke.HEALER else call not in made:
                there = {one.region for one in seen if (one.call, one.role) == (call, role)}
                for region in there or {plan["region"], plan["elsewhere"] or plan["region"]}:
                    yield Observed(
                        call=call, role=role, region=region, resources=(), tags=False, is_change=True
                    )


def _remade(plan: Mapping[str, Any]) -> Iterable[Observed]:
    """What healing would make anew, when a drill was lucky enough not to need it."""
    heals = plan["calls"] if plan["heals"] is None else plan["heals"]
    for call in sorted(set(heals) & _REMADE.keys()):
        parameter, kind = _REMADE[call]
        names = tuple(sorted(target["id"] for target in plan["targets"] if kind in target["arn"]))
        yield Observed(
            call=call, role=choke.HEALER, region=plan["region"], resources=((parameter, names),), tags=True,
            is_change=True,
        )  # fmt: skip


def _file(drill: str) -> Path:
    return FOLDER / "observed" / f"{drill}.json"
