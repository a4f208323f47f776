"""What a drill must pass before it begins: nothing has been changed, announced or put under load yet."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import objectives
from blackstart import experiment, guards, planning, rules, sealing
from blackstart.choke import Refused
from reports.evidence import approval, keys, plan

if TYPE_CHECKING:
    from blackstart.context import Context
    from blackstart.drills import DrillSpec
    from blackstart.parts import Traffic
    from blackstart.planning import Looked
    from blackstart.staging import Staging

ROOT = Path(objectives.__file__).parent


def check(spec: DrillSpec, context: Context, traffic: Traffic, staging: Staging) -> Context:
    """Refuse what must not be; return the context, which now says when the drill must be over.

    Raises Refused and InvalidExperiment.
    """
    ends_by = planning.ends_by(planning.forecast(spec, traffic, Path(context.home)))
    guards.check_staging(staging)
    guards.check_time(staging, ends_by)
    approvers = rules.of(staging).approvers
    # what is not there yet, as backups before there is any load, is checked when its time comes
    looked = planning.look(staging, experiment.load(ROOT / spec.experiment))
    planning.check(staging, looked.parts)
    if approvers:
        _check_approval(spec, context, staging, fingerprint(spec, looked))
    return replace(context, ends_by=ends_by.isoformat())


def fingerprint(spec: DrillSpec, looked: Looked) -> str:
    """Return what an approval of this drill must be for. Raises Refused when nobody can know that."""
    if looked.unknown:
        raise Refused(f"it cannot be compared with an approval: {'; '.join(looked.unknown)}")
    content = (ROOT / spec.experiment).read_bytes()
    return planning.fingerprint(looked.parts, plan.promised(spec), content)


def approval_file(context: Context, spec: DrillSpec) -> Path:
    """Return where the approval of this drill is kept."""
    return context.place / "approvals" / f"{spec.name}.dsse.json"


def who(context: Context, staging: Staging) -> approval.Person:
    """Return who would run a drill here and now."""
    return approval.Person(
        user=_user(),
        aws=str(staging.aws("sts").get_caller_identity()["Arn"]),
        key=keys.fingerprint(sealing.signer(Path(context.home)).public_pem),
    )


def _user() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in containers
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


def _check_approval(spec: DrillSpec, context: Context, staging: Staging, wanted: str) -> None:
    file = approval_file(context, spec)
    try:
        given = approval.read(file)
        approval.check(
            given, wanted=wanted, account=staging.facts.account, drill=spec.name,
            approvers=rules.of(staging).approvers, executor=who(context, staging),
        )  # fmt: skip
    except approval.BadApproval as error:
        raise Refused(f"no valid approval ({file}): {error}") from error
