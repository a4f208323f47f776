"""`blackstart verify`: whether a bundle is what was sealed, and whether it is true."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from blackstart import measuring
from blackstart.exit_code import ExitCode
from blackstart.history import History
from reports.evidence import again, gameday, verify
from reports.evidence.again import Again

if TYPE_CHECKING:
    from reports.evidence.again import Measurer
    from reports.evidence.sums import Problem
    from reports.evidence.verify import Consistency


@dataclass(kw_only=True)
class Verified:
    """Everything that verifying has shown."""

    folder: Path
    consistent: Consistency
    again: Again | None  # None: it was not measured again
    not_measured: str = ""  # why
    problems: list[Problem] = field(default_factory=list)

    @property
    def conclusion(self) -> str:
        """In one line; it never says that all is well when nobody knows who signed."""
        if self.problems:
            return f"NOT what it says: {len(self.problems)} problems"
        if self.consistent.seal is None:
            return "not sealed: what is there hangs together, nobody vouches for it"
        if self.again is None:
            return f"consistent, but not measured again: {self.not_measured}"
        if self.again.unproven:
            signer = (
                "" if self.consistent.is_signer_known else "; SIGNER UNKNOWN (no --fingerprint was given)"
            )
            return f"consistent, but not all was proven again: {'; '.join(self.again.unproven)}{signer}"
        if not self.consistent.is_signer_known:
            return "consistent, and true to its raw history; SIGNER UNKNOWN (no --fingerprint was given)"
        return "consistent, true to its raw history, and signed by the key with that fingerprint"

    @property
    def exit_code(self) -> ExitCode:
        """0 only when nothing is left open."""
        if self.problems:
            return ExitCode.FAILED
        whole = self.consistent.seal is not None and self.consistent.is_signer_known
        proven = self.again is not None and not self.again.unproven
        return ExitCode.PASSED if whole and proven else ExitCode.UNKNOWN

    @property
    def notes(self) -> list[str]:
        """What is no problem, and should be known."""
        if self.again is None:
            return self.consistent.notes
        return [*self.consistent.notes, *self.again.notes, *(f"NOT PROVEN: {o}" for o in self.again.unproven)]


def verified(
    folder: Path, *, run: str, fingerprint: str | None, runs: Path | None, here: Measurer | None,
    copied_at: str = "",
) -> Verified:  # fmt: skip
    """Check a bundle, then measure it again with `here`, unless that is None; of a game day, every drill.

    `copied_at`: see `reports.evidence.verify.check`.
    """
    if gameday.is_one(folder):
        return _verified_day(folder, run=run, fingerprint=fingerprint, runs=runs, here=here)
    consistent = verify.check(folder, run=run, fingerprint=fingerprint, runs=runs, copied_at=copied_at)
    found = Verified(folder=folder, consistent=consistent, again=None, problems=consistent.problems)
    if consistent.seal is None:
        found.not_measured = "it has no seal"
    elif here is None:
        found.not_measured = "as you wished"
    else:
        _measure(found, here)
    return found


def _verified_day(
    folder: Path, *, run: str, fingerprint: str | None, runs: Path | None, here: Measurer | None
) -> Verified:
    """Check a game day, and everything in it as if it lay by itself."""
    consistent = gameday.check(folder, run=run, fingerprint=fingerprint, runs=runs)
    found = Verified(folder=folder, consistent=consistent, again=Again(), problems=consistent.problems)
    copied_at = consistent.seal.begun_as if consistent.seal is not None else ""
    for bundle in gameday.bundles_of(folder) if consistent.seal is not None else ():
        one = verified(
            bundle, run=bundle.name, fingerprint=fingerprint, runs=runs, here=here, copied_at=copied_at
        )
        within = f"{bundle.relative_to(folder)}/"
        found.problems += [replace(problem, where=within + problem.where) for problem in one.problems]
        consistent.notes += [f"{bundle.name}: {told}" for told in (one.conclusion, *one.notes)]
        if one.again is None or found.again is None:
            found.again, found.not_measured = None, f"{bundle.name}: {one.not_measured}"
        else:
            found.again.unproven += [f"{bundle.name}: {what}" for what in one.again.unproven]
            found.again.measurements += one.again.measurements
            found.again.verdicts += one.again.verdicts
    return found


def _measure(found: Verified, here: Measurer) -> None:
    try:
        found.again = again.measure_again(found.folder, History(found.folder / "history"), here)
    except again.CannotMeasure as why:
        found.not_measured = str(why)
    except Exception as error:  # noqa: BLE001 - files of a forged bundle may be anything: that is a finding
        found.not_measured = f"{type(error).__name__}: {error}"
    if found.again is not None:
        found.problems = [*found.problems, *found.again.problems]


@click.command(name="verify")
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--fingerprint", help="SHA-256 of the signer's public key, told to you by other means.")
@click.option("--run", help="The run that this bundle must be of; its folder's name if not given.")
@click.option(
    "--runs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The run ledger, runs.jsonl, from outside the bundle.",
)
@click.option("--no-measuring", is_flag=True, help="Check the seal only; never leaves with 0.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(bundle: Path, as_json: bool, **options: Any) -> None:  # fmt: skip
    """Check a bundle offline, and measure all of it again from its raw history.

    Leaves with 0 when it is what the owner of the fingerprint sealed, and true; with 1 when it is not; with 3
    when that could not be told, for instance because no fingerprint was given.
    """
    here = None if options["no_measuring"] else measuring.measurer()
    fingerprint = options["fingerprint"].lower().replace(":", "") if options["fingerprint"] else None
    run = options["run"] or bundle.resolve().name
    found = verified(bundle, run=run, fingerprint=fingerprint, runs=options["runs"], here=here)
    if as_json:
        click.echo(json.dumps(_as_json(found), indent=1))
    else:
        _show(found, Console(highlight=False))
    sys.exit(found.exit_code)


def _show(found: Verified, console: Console) -> None:
    for line in (*_facts(found), *_notes(found)):
        console.print(line, markup=False, soft_wrap=True)
    for problem in found.problems:
        console.print(
            f"PROBLEM  [{problem.check}] {problem.where}: {problem.what}", markup=False, soft_wrap=True
        )
    style = {0: "bold green", 1: "bold red"}.get(int(found.exit_code), "bold yellow")
    console.print(found.conclusion, style=style, markup=False, soft_wrap=True)


def _facts(found: Verified) -> list[str]:
    seal, signer = found.consistent.seal, found.consistent.signer
    facts = [f"bundle    {found.folder}"]
    if seal is not None:
        facts += [
            f"run       {seal.run}, {seal.drill}: {seal.verdict}, sealed {seal.sealed_utc}",
            f"signer    {signer}",
            f"files     {seal.files} listed",
        ]
    if found.again is not None:
        facts.append(f"again     {found.again.measurements} measurements, {found.again.verdicts} verdicts")
    return facts


def _notes(found: Verified) -> list[str]:
    people = [
        f"{word.decision} by {word.name}, {word.role}, "
        f"{'independent' if word.independent else 'NOT independent'}, key {word.signer[:16]}: {word.remarks}"
        for word in found.consistent.sign_offs
    ]
    return [*(f"note      {note}" for note in found.notes), *(f"sign-off  {person}" for person in people)]


def _as_json(found: Verified) -> dict[str, Any]:
    return {
        "bundle": str(found.folder),
        "conclusion": found.conclusion,
        "exit_code": int(found.exit_code),
        "seal": asdict(found.consistent.seal) if found.consistent.seal else None,
        "signer": found.consistent.signer,
        "signer_known": found.consistent.is_signer_known,
        "measured_again": found.again.measurements if found.again else None,
        "unproven": found.again.unproven if found.again else None,
        "notes": found.notes,
        "problems": [asdict(problem) for problem in found.problems],
        "sign_offs": [asdict(word) for word in found.consistent.sign_offs],
    }
