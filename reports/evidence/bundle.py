"""Closes a drill's folder: cuts out its ledger lines, lists all files, seals the list and signs the seal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from blackstart import chain
from reports.evidence import keys, statement, sums
from reports.evidence.leaks import leaks
from reports.evidence.plan import code_told, read
from reports.evidence.seal import Seal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from reports.evidence.keys import Signer
    from reports.record import Record

LEDGER, RECORD = "ledger.jsonl", "record.json"
# words from the conductor to the experiment's process; the history says all of it
_SIGNALS = ("go", "held", "limit")


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


def close(folder: Path, record: Record, signer: Signer, begun_as: str, secrets: Collection[str] = ()) -> str:
    """List, seal and sign the folder; return the seal's hash. Raises Unsealed.

    `begun_as` is the hash of the run ledger's line that announced the run; `secrets` must not be in it.
    """
    if (folder / sums.SIGNATURE).exists():
        raise Unsealed(f"{folder.name} is sealed already")
    for name in _SIGNALS:
        (folder / name).unlink(missing_ok=True)
    found = list(leaks(folder, secrets))
    if found:
        raise Unsealed("; ".join(found))
    try:
        listed = sums.listing(folder)
    except sums.BadSums as error:
        raise Unsealed(str(error)) from error

    def told(subject: Mapping[str, str]) -> dict[str, Any]:
        return statement.test_result(record, sums.parse(listed.encode("ascii")), subject)

    sealed = Seal(
        run=record["run"], drill=record["drill"], verdict=record["verdict"], sealed_utc=now(),
        code=code_told(read(folder)["code"]), files=listed.count("\n"), sums_sha256="", begun_as=begun_as,
    )  # fmt: skip
    return seal_list(folder, listed, sealed, told, signer)


def now() -> str:
    """Return the time as seals have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seal_list(
    folder: Path,
    listed: str,
    sealed: Seal,
    told: Callable[[Mapping[str, str]], dict[str, Any]],
    signer: Signer,
) -> str:
    """Write the list, the seal over it, who signed, the statement, and last the signature; return its hash.

    Before the signature is there, nothing is sealed. Raises Unsealed.
    """
    (folder / sums.SUMS).write_text(listed, encoding="ascii")
    sealed = replace(sealed, sums_sha256=sums.sha256(folder / sums.SUMS))
    (folder / sums.SEAL).write_bytes(sealed.text())
    (folder / sums.PUBLIC_KEY).write_bytes(signer.public_pem)
    subject = {sums.SEAL: sums.sha256(folder / sums.SEAL), sums.SUMS: sealed.sums_sha256}
    try:
        (folder / sums.STATEMENT).write_bytes(statement.seal(told(subject), signer))
        (folder / sums.SIGNATURE).write_bytes(signer.sign(sealed.text()))
    except keys.BadKey as error:
        raise Unsealed(str(error)) from error
    return sums.sha256(folder / sums.SEAL)
