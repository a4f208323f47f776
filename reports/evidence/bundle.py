"""Closes a drill's folder: cuts out its ledger lines, lists all files, seals the list and signs the seal."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from blackstart import chain
from reports.evidence import keys, statement, sums
from reports.evidence.plan import read
from reports.evidence.seal import Seal

if TYPE_CHECKING:
    from pathlib import Path

    from reports.evidence.keys import Signer
    from reports.record import Record

LEDGER, RECORD = "ledger.jsonl", "record.json"
# words from the conductor to the experiment's process; the history says all of it
_SIGNALS = ("go", "held", "limit")
_SECRETS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    rb"|aws_secret_access_key|[Aa]uthorization['\"]?: *['\"]?(?:Bearer|Basic) "
)
_BY_THE_LOAD = re.compile(r"history/(requests-.*|final\.jsonl)")  # fixed columns, in which no secret fits


class Unsealed(Exception):
    """The drill has run, and its evidence could not be closed; the message says why."""


def cut_out_ledger(ledger: Path, run: str, into: Path) -> None:
    """Copy the ledger's lines about this run, and whatever stands between them, into the bundle."""
    lines = list(chain.read(ledger))
    ours = {line["id"] for line in lines if line["do"] == "open" and line["drill"] == run}
    of_ours = [number for number, line in enumerate(lines) if line["id"] in ours]
    piece = lines[of_ours[0] : of_ours[-1] + 1] if of_ours else []
    text = "".join(json.dumps(line) + "\n" for line in piece)
    (into / LEDGER).write_text(text, encoding="utf-8")


def close(folder: Path, record: Record, signer: Signer, begun_as: str) -> str:
    """List, seal and sign the folder; return the seal's hash. Raises Unsealed.

    `begun_as` is the hash of the run ledger's line that announced the run.
    """
    if (folder / sums.SIGNATURE).exists():
        raise Unsealed(f"{folder.name} is sealed already")
    for name in _SIGNALS:
        (folder / name).unlink(missing_ok=True)
    _refuse_secrets(folder)
    try:
        listed = sums.listing(folder)
    except sums.BadSums as error:
        raise Unsealed(str(error)) from error
    (folder / sums.SUMS).write_text(listed, encoding="ascii")
    sealed = _seal(folder, record, listed, begun_as)
    _sign(folder, record, sealed, signer)
    return sums.sha256(folder / sums.SEAL)


def _seal(folder: Path, record: Record, listed: str, begun_as: str) -> Seal:
    plan = read(folder)
    return Seal(
        run=record["run"],
        drill=record["drill"],
        verdict=record["verdict"],
        sealed_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        code=f"{plan['code']['commit']} {plan['code']['tree']}",
        files=listed.count("\n"),
        sums_sha256=sums.sha256(folder / sums.SUMS),
        begun_as=begun_as,
    )


def _sign(folder: Path, record: Record, sealed: Seal, signer: Signer) -> None:
    """Write the seal, who signed, the statement, and last the signature: before that, nothing is sealed."""
    (folder / sums.SEAL).write_bytes(sealed.text())
    (folder / sums.PUBLIC_KEY).write_bytes(signer.public_pem)
    subject = {sums.SEAL: sums.sha256(folder / sums.SEAL), sums.SUMS: sealed.sums_sha256}
    told = statement.test_result(record, sums.parse((folder / sums.SUMS).read_bytes()), subject)
    try:
        (folder / sums.STATEMENT).write_bytes(statement.seal(told, signer))
        (folder / sums.SIGNATURE).write_bytes(signer.sign(sealed.text()))
    except keys.BadKey as error:
        raise Unsealed(str(error)) from error


def _refuse_secrets(folder: Path) -> None:
    """Raise Unsealed when a file holds what looks like a secret: a sealed one cannot be taken out again."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not _BY_THE_LOAD.fullmatch(name) and _SECRETS.search(path.read_bytes()):
            raise Unsealed(f"{name} holds what looks like a secret")
