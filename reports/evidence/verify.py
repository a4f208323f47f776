"""Whether a bundle is what was sealed: offline, from the folder alone; each departure is named.

What it takes to know that the bundle is also *true*, that is to measure again, is in `again`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reports.evidence import histories, keys, seal, statement, sums
from reports.evidence.plan import EXPERIMENT, PAGES, PLAN, read
from reports.evidence.runs import Runs, against, never_ended, unsaid
from reports.evidence.signoff import SignOff, sealed_by, sign_offs
from reports.evidence.sums import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from reports.evidence.seal import Seal

# a bundle that lacks one of these was never whole, whatever its list says
REQUIRED = (
    PLAN, EXPERIMENT, *PAGES, "drill.json", "ledger.jsonl", "record.json", "record.schema.json",
    "reconciliation.json", "junit.xml", "report.html", "history/events.jsonl",
)  # fmt: skip
_SEALED_BY = (sums.SEAL, sums.SIGNATURE, sums.PUBLIC_KEY, sums.STATEMENT, sums.SUMS)


@dataclass(kw_only=True)
class Consistency:
    """What was found out about a bundle without measuring anything again."""

    run: str
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seal: Seal | None = None  # None: the run did not come to its end, or the seal is not one
    signer: str = ""  # fingerprint of the key in the bundle
    is_signer_known: bool = False  # it is the fingerprint that we were given
    listed: dict[str, str] = field(default_factory=dict)
    sign_offs: tuple[SignOff, ...] = ()


def check(
    folder: Path, *, run: str, fingerprint: str | None = None, runs: Path | None = None, copied_at: str = ""
) -> Consistency:
    """Check a bundle that should be that of `run`. Nothing in it is trusted before it was checked.

    `copied_at` is the hash of the run ledger's line at which this copy was made, for a game day.
    """
    found = Consistency(run=run)
    if not any((folder / name).exists() for name in (sums.SEAL, sums.SIGNATURE, sums.SUMS)):
        _unsealed(folder, found, runs)
        return found
    if not is_sealed(folder, found, fingerprint, REQUIRED):
        return found
    _of_the_drill(folder, found)
    found.problems += _identity(folder, found)
    found.problems += histories.problems(folder, found.run, is_sealed=True, notes=found.notes)
    people(folder, found)
    if runs is not None and found.seal is not None:
        plan_sha256, seal_sha256 = sums.sha256(folder / PLAN), sums.sha256(folder / sums.SEAL)
        found.problems += against(Runs(runs), found.seal, plan_sha256=plan_sha256, seal_sha256=seal_sha256)
        found.problems += unsaid(Runs(runs), folder, found.seal.run, until=copied_at)
    return found


def is_sealed(folder: Path, found: Consistency, fingerprint: str | None, required: Collection[str]) -> bool:
    """Check signature and list of a folder that must hold `required`; False when nothing more can be read."""
    missing = [name for name in _SEALED_BY if not (folder / name).is_file()]
    found.problems += [Problem(check="seal", where=name, what="is missing") for name in missing]
    found.problems += sums.oddities(folder)
    if found.problems:
        return False  # a pipe or a link must not even be read
    _signature(folder, found, fingerprint)
    _list(folder, found, required)
    return True


def _unsealed(folder: Path, found: Consistency, runs: Path | None) -> None:
    """A run that was killed: its chains, and the run ledger, still say whether what is there was edited."""
    found.notes.append("not sealed: the run did not come to its end, so nobody vouches for it")
    found.problems += sums.oddities(folder)
    if found.problems:
        return  # a pipe or a link must not even be read
    found.problems += _frozen(folder)
    found.problems += histories.problems(folder, found.run, is_sealed=False, notes=found.notes)
    if runs is not None:
        frozen = sums.sha256(folder / PLAN) if (folder / PLAN).exists() else None
        found.problems += never_ended(Runs(runs), found.run, plan_sha256=frozen)


def _frozen(folder: Path) -> Iterator[Problem]:
    """Yield each file that is not as the plan froze it; a run may be killed before there was a plan."""
    if not (folder / PLAN).exists():
        return
    try:
        hashes = read(folder)["hashes"].items()
    except (OSError, ValueError, KeyError, AttributeError) as error:
        yield Problem(check="plan", where=PLAN, what=f"cannot be read: {error}")
        return
    for name, digest in hashes:
        if not (folder / name).is_file() or sums.sha256(folder / name) != digest:
            yield Problem(check="plan", where=name, what="is not the file that the plan froze")


def _signature(folder: Path, found: Consistency, fingerprint: str | None) -> None:
    text, pem = (folder / sums.SEAL).read_bytes(), (folder / sums.PUBLIC_KEY).read_bytes()
    try:
        found.signer = keys.fingerprint(pem)
        if not keys.is_signed(pem, (folder / sums.SIGNATURE).read_bytes(), text):
            what = "the signature is not that of the key in the bundle over this seal"
            found.problems.append(Problem(check="signature", where=sums.SIGNATURE, what=what))
    except keys.BadKey as error:
        found.problems.append(Problem(check="signature", where=sums.PUBLIC_KEY, what=str(error)))
    if fingerprint is not None and found.signer != fingerprint:
        what = f"signed by {found.signer or 'nobody'}, not by {fingerprint}"
        found.problems.append(Problem(check="signer", where=sums.PUBLIC_KEY, what=what))
    found.is_signer_known = fingerprint is not None and found.signer == fingerprint
    try:
        found.seal = seal.parse(text)
    except seal.BadSeal as error:
        found.problems.append(Problem(check="seal", where=sums.SEAL, what=str(error)))


def _list(folder: Path, found: Consistency, required: Collection[str]) -> None:
    if found.seal is not None and sums.sha256(folder / sums.SUMS) != found.seal.sums_sha256:
        what = "is not the list that was sealed"
        found.problems.append(Problem(check="seal", where=sums.SUMS, what=what))
    try:
        found.listed = sums.parse((folder / sums.SUMS).read_bytes())
    except sums.BadSums as error:
        found.problems.append(Problem(check="files", where=sums.SUMS, what=str(error)))
        return
    if found.seal is not None and len(found.listed) != found.seal.files:
        what = f"{len(found.listed)} files are listed, {found.seal.files} were sealed"
        found.problems.append(Problem(check="files", where=sums.SUMS, what=what))
    found.problems += sums.departures(folder, found.listed)
    found.problems += [
        Problem(check="files", where=name, what="every bundle must hold it, this one does not")
        for name in required
        if name not in found.listed
    ]


def _of_the_drill(folder: Path, found: Consistency) -> None:
    """Hold the statement against what the record would have it say."""
    subject = {name: sums.sha256(folder / name) for name in (sums.SEAL, sums.SUMS)}
    try:
        record = json.loads((folder / "record.json").read_bytes())
        expected = statement.test_result(record, found.listed, subject)
    except (OSError, ValueError, KeyError, TypeError) as error:
        found.problems.append(Problem(check="record", where="record.json", what=f"cannot be read: {error}"))
        return
    is_stated(folder, found, expected, subject)


def is_stated(
    folder: Path, found: Consistency, expected: Mapping[str, Any], subject: Mapping[str, str]
) -> None:
    """Check the signed statement against what it must say, and about which files."""
    try:
        pem = (folder / sums.PUBLIC_KEY).read_bytes()
        told = statement.unseal((folder / sums.STATEMENT).read_bytes(), pem)
    except (statement.BadEnvelope, keys.BadKey) as error:
        found.problems.append(Problem(check="statement", where=sums.STATEMENT, what=str(error)))
        return
    about = {one.get("name"): one.get("digest") for one in told["subject"]}
    for name, digest in subject.items():
        if about.get(name) != {"sha256": digest}:
            what = "is not the one that the signed statement is about"
            found.problems.append(Problem(check="statement", where=name, what=what))
    if {**told, "subject": None} != {**expected, "subject": None}:
        what = "says something else than the record, or is about other files"
        found.problems.append(Problem(check="statement", where=sums.STATEMENT, what=what))


def _identity(folder: Path, found: Consistency) -> Iterator[Problem]:
    """Yield each part of the bundle that belongs to another run than the one it should be of."""
    told: dict[str, Any] = {sums.SEAL: found.seal.run if found.seal else None}
    for name in ("record.json", PLAN):
        try:
            told[name] = json.loads((folder / name).read_bytes())["run"]
        except (OSError, ValueError, KeyError, TypeError):
            yield Problem(check="record", where=name, what="does not say which run it is of")
    for name, run in told.items():
        if run is not None and run != found.run:
            yield Problem(check="run", where=name, what=f"is of the run {run}, not of {found.run}")


def people(folder: Path, found: Consistency) -> None:
    """Check what people have said of this bundle."""
    seal_sha256 = sums.sha256(folder / sums.SEAL)
    try:
        sealers = sealed_by(folder)
    except keys.BadKey:  # a problem of the signature, or of the list
        sealers = {found.signer}
    for name, signed_off in sign_offs(folder):
        if isinstance(signed_off, str):
            found.problems.append(Problem(check="sign-off", where=name, what=signed_off))
        elif signed_off.seal_sha256 != seal_sha256:
            found.problems.append(Problem(check="sign-off", where=name, what="is about another bundle"))
        elif signed_off.independent and signed_off.signer in sealers:
            what = f"{signed_off.name} says independent, with the key that sealed the drill"
            found.problems.append(Problem(check="sign-off", where=name, what=what))
        else:
            found.sign_offs = (*found.sign_offs, signed_off)
