"""Where a drill becomes evidence: announced and frozen before it starts, sealed when it has been reported."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from blackstart.context import NoStaging
from blackstart.known_secrets import known_secrets
from blackstart.measuring import ROOT
from blackstart.staging import Credentialed
from reports import instrument
from reports.evidence import archive, bundle, controls, keys, plan, runs, sums
from staging import aws_traps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rich.console import Console

    from blackstart.context import Context
    from blackstart.drills import DrillSpec
    from blackstart.parts import Traffic
    from blackstart.staging import Staging
    from reports.evidence.keys import Signer
    from reports.record import Record

LOCAL = "local"  # the staging that is no account
LOGS = "logs"
RECONCILIATION = "reconciliation.json"
_KEY_VARIABLE = "BLACKSTART_SIGNING_KEY"
_KMS = "kms:"
BUCKET_VARIABLE = "BLACKSTART_ARCHIVE_BUCKET"


def ledger_of_runs(home: Path) -> runs.Runs:
    """Return the run ledger of this home."""
    return runs.Runs(home / runs.RUNS)


def signer(home: Path) -> Signer:
    """Return who signs: the key that the environment names, else this home's own, made when there is none.

    Raises BadKey. `BLACKSTART_SIGNING_KEY` is a file, or `kms:` and the id or ARN of a KMS key.
    """
    named = os.environ.get(_KEY_VARIABLE, "")
    if named.startswith(_KMS):
        try:
            return keys.KmsKey(_client("kms"), named.removeprefix(_KMS))
        except NoStaging as trap:
            raise keys.BadKey(f"{named}: {trap}") from trap
    return keys.LocalKey.at(Path(named) if named else home / "keys" / "signing-key.pem")


def _client(service: str) -> Any:
    """Return a client of whoever keeps evidence, by the user's own AWS configuration. Raises NoStaging."""
    aws_traps.check_environment()
    client = boto3.client(service)
    aws_traps.check_client(client)
    return client


def begin(spec: DrillSpec, inside: Context, traffic: Traffic, staging: Staging, root: Path) -> str:
    """Freeze the plan and announce the run; return the hash of the announcement.

    Who signs is settled now: a drill that could not be sealed must not start. Raises BadKey.
    """
    folder, home = Path(inside.folder or ""), Path(inside.home)
    fingerprint = keys.fingerprint(signer(home).public_pem)
    instrument.freeze(home, folder)
    identity = str(staging.aws("sts").get_caller_identity()["Arn"])
    frozen = plan.freeze(
        folder, spec, run=inside.drill, traffic=traffic, facts=staging.facts, identity=identity, root=root
    )
    return ledger_of_runs(home).note(
        inside.drill,
        runs.STARTED,
        drill=spec.name,
        plan=frozen,
        staging=staging.facts.name,
        signer=fingerprint,
    )


def planned(folder: Path) -> dict[str, dict[str, str]]:
    """Return what the record says of the plan: who runs it, and which code."""
    frozen = plan.read(folder)
    return {"executor": frozen["executor"], "code": frozen["code"]}


def _set_logs_aside(folder: Path, home: Path) -> None:
    """Move what programs said to a place beside the bundles: for people who look for a fault, no evidence."""
    logs = home / LOGS / folder.name
    for log in folder.glob("*.log"):
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.move(log, logs / log.name)


def end(
    inside: Context, built: Record, wrong: Sequence[Mapping[str, str]], begun_as: str, console: Console,
    *, staging: Staging,
) -> None:  # fmt: skip
    """Seal the folder and write down how the run ended, also when it cannot be sealed. Raises Unsealed."""
    resolved = staging.secrets() if isinstance(staging, Credentialed) else ()
    folder, home = Path(inside.folder or ""), Path(inside.home)
    text = json.dumps([*map(dict, wrong)], indent=1, ensure_ascii=False) + "\n"
    (folder / RECONCILIATION).write_text(text, encoding="utf-8")
    sealed = ""
    try:
        bundle.cut_out_ledger(inside.ledger.path, inside.drill, folder)
        signing = signer(home)
        _set_logs_aside(folder, home)
        sealed = bundle.close(folder, built, signing, begun_as, known_secrets(resolved=resolved))
    finally:
        ledger_of_runs(home).note(
            inside.drill, runs.FINISHED, drill=built["drill"], verdict=built["verdict"],
            record=sums.sha256(folder / bundle.RECORD), seal=sealed,
        )  # fmt: skip
    fingerprint = keys.fingerprint(signing.public_pem)
    told = f"Sealed. To check it: blackstart verify {folder} --fingerprint {fingerprint}"
    console.print(told, soft_wrap=True, markup=False)
    account = "" if inside.staging == LOCAL else staging.facts.account
    kept = keep(folder, home, account=account)
    if kept:
        console.print(kept, soft_wrap=True, markup=False)


def archived(folder: Path, bucket: str, prefix: str, keep_until: datetime, owner: str = "") -> list[str]:
    """Put a sealed bundle under lock in a bucket of this account, or of the one who asks; return the keys.

    Raises NotArchived, also when something in the environment would lead the calls elsewhere.
    """
    try:
        account = owner or str(_client("sts").get_caller_identity()["Account"])
        return archive.archive(_client("s3"), folder, bucket, prefix, keep_until, account)
    except (NoStaging, BotoCoreError, ClientError) as error:
        raise archive.NotArchived(str(error)) from error


def keep(folder: Path, home: Path, *, account: str) -> str:
    """Put a sealed bundle under lock in the account's bucket that the environment names; say so, or "".

    Without an account, as on the local staging, nothing leaves this machine. Raises Unsealed: evidence that
    was to be out of reach and is not is not safe.
    """
    bucket = os.environ.get(BUCKET_VARIABLE, "")
    if not bucket:
        return ""
    if not account:
        return f"Not archived in {bucket}: what ran on the local staging goes to no account"
    keep_until = archive.until(controls.load(ROOT / "controls.yaml").retention_years)
    try:
        there = archived(folder, bucket, archive.PREFIX, keep_until, account)
    except archive.NotArchived as error:
        raise bundle.Unsealed(f"it is sealed, and not archived: {error}") from error
    until = keep_until.date().isoformat()
    ledger_of_runs(home).note(folder.name, runs.ARCHIVED, bucket=bucket, files=len(there), until=until)
    return f"Archived: {len(there)} files in {bucket} until {until}"
