"""What people do with evidence: sign it off, enter findings, show coverage, export it, put it under lock."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import catalogue
from blackstart import measuring, sealing
from blackstart.chain import ChainBroken
from blackstart.exit_code import ExitCode
from reports.evidence import (
    archive,
    controls,
    coverage,
    gameday,
    keys,
    oscal,
    pdf,
    plan,
    register,
    runs,
    seal,
    signoff,
    sums,
)
from reports.evidence.bundle import Unsealed

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUNDLE = click.Path(exists=True, file_okay=False, path_type=Path)
_EXPECTED = (
    signoff.BadSignOff, keys.BadKey, register.BadFinding, controls.BadControls, pdf.NoPdf, seal.BadSeal,
    archive.NotArchived, ChainBroken, gameday.BadGameDay, Unsealed, OSError, ValueError,
)  # fmt: skip
_CONTROLS = measuring.ROOT / "controls.yaml"


@contextmanager
def _clearly() -> Iterator[None]:
    """Turn what can be expected to go wrong into one clear line."""
    try:
        yield
    except _EXPECTED as error:
        click.echo(f"blackstart: {' '.join(str(error).split())}", err=True)
        sys.exit(ExitCode.USAGE)


@click.command()
@click.pass_obj
def fingerprint(home: Path) -> None:
    """Print the fingerprint of the key that seals here; publish it where auditors can find it."""
    with _clearly():
        click.echo(keys.fingerprint(sealing.signer(home).public_pem))


@click.command(name="signoff")
@click.argument("bundle", type=_BUNDLE)
@click.option("--name", required=True, help="Who signs off.")
@click.option("--role", required=True, help="As what.")
@click.option("--independent/--not-independent", required=True, help="Of who planned and ran the drill.")
@click.option("--decision", type=click.Choice(signoff.DECISIONS), required=True)
@click.option("--remarks", default="", help="What should be known.")
@click.option(
    "--key",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The signing person's own key; made when there is none.",
)
@click.pass_obj
def sign_off(home: Path, /, bundle: Path, key: Path, **word: Any) -> None:  # fmt: skip
    """Add a person's signed word to a sealed bundle, and to the run ledger."""
    with _clearly():
        signing = keys.LocalKey.at(key)
        sealed = seal.parse((bundle / sums.SEAL).read_bytes())
        at_utc = datetime.now(UTC).isoformat(timespec="seconds")
        told = signoff.SignOff(at_utc=at_utc, seal_sha256=sums.sha256(bundle / sums.SEAL), **word)
        path = signoff.write(bundle, told, signing)
        sealing.ledger_of_runs(home).note(
            sealed.run, runs.SIGNED_OFF, by=told.name, decision=told.decision, sha256=sums.sha256(path)
        )
        click.echo(f"{path}, signed by the key {keys.fingerprint(signing.public_pem)}")


@click.group()
def finding() -> None:
    """Keep the register of findings."""


@finding.command(name="add")
@click.argument("run")
@click.option("--severity", type=click.Choice(register.SEVERITIES), required=True)
@click.option("--what", required=True)
@click.option("--owner", required=True)
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.pass_obj
def finding_add(home: Path, /, due: datetime, **entry: str) -> None:
    """Enter what a run has shown to be wrong."""
    with _clearly():
        click.echo(register.enter(sealing.ledger_of_runs(home), due=due.date(), **entry))


@finding.command(name="accept")
@click.argument("name")
@click.option("--by", required=True)
@click.option("--why", required=True)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.pass_obj
def finding_accept(home: Path, /, name: str, by: str, why: str, until: datetime) -> None:
    """Enter that somebody bears the risk until a day; then it is open again."""
    with _clearly():
        register.accept(sealing.ledger_of_runs(home), name, by=by, why=why, until=until.date())


@finding.command(name="retest")
@click.argument("name")
@click.argument("run")
@click.pass_obj
def finding_retest(home: Path, /, name: str, run: str) -> None:
    """Close a finding by a later run of the same drill on the same staging that PASSED."""
    with _clearly():
        register.retest(sealing.ledger_of_runs(home), name, run)


@finding.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def finding_list(home: Path, /, as_json: bool) -> None:
    """List all findings, and runs that never ended; leaves with 1 while one is open."""
    with _clearly():
        found = register.findings(sealing.ledger_of_runs(home), register.today())
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1))
    else:
        for one in found:
            click.echo(f"{one.id}  {one.severity}  {one.state}  {one.run}  {one.what}  {one.owner} {one.due}")
    sys.exit(ExitCode.FAILED if any(one.is_open for one in found) else ExitCode.PASSED)


@click.command(name="coverage")
@click.option("--controls", "map_file", type=click.Path(exists=True, path_type=Path), default=_CONTROLS)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the page.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@click.pass_obj
def show_coverage(home: Path, /, map_file: Path, out: Path | None, as_json: bool) -> None:
    """Write the page on which components were tested by which drill, when, and what is still open."""
    with _clearly():
        known, ledger, today = controls.load(map_file), sealing.ledger_of_runs(home), register.today()
        rows = coverage.covered(ledger, known, catalogue.DRILLS, today)
        page = out or home / "coverage.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(coverage.page(rows, known, register.findings(ledger, today), today), encoding="utf-8")
    click.echo(json.dumps([asdict(row) for row in rows], indent=1) if as_json else str(page))


@click.command(name="gather")
@click.argument("name")
@click.argument("bundles", nargs=-1, required=True, type=_BUNDLE, metavar="BUNDLE...")
@click.pass_obj
def gather(home: Path, /, name: str, bundles: tuple[Path, ...]) -> None:
    """Make one bundle of a game day's drills, sealed as a whole; runs of that time left out are named."""
    into = home / "gamedays" / name
    with _clearly():
        if into.exists():
            raise gameday.BadGameDay(f"{into} is there already")
        signing = sealing.signer(home)
        told = plan.code_told(plan.code_of(measuring.ROOT))
        gameday.gather([one.resolve() for one in bundles], into, sealing.ledger_of_runs(home), signing, told)
        click.echo(f"{into}, sealed by the key {keys.fingerprint(signing.public_pem)}")


@click.command(name="export")
@click.argument("bundle", type=_BUNDLE)
@click.option(
    "--oscal",
    "to_oscal",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write OSCAL assessment results there.",
)
@click.option(
    "--pdf",
    "to_pdf",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Print the report there; needs Chromium.",
)
@click.option("--controls", "map_file", type=click.Path(exists=True, path_type=Path), default=_CONTROLS)
def export(bundle: Path, to_oscal: Path | None, to_pdf: Path | None, map_file: Path) -> None:  # fmt: skip
    """Write a bundle in other forms, beside it and never into it."""
    if to_oscal is None and to_pdf is None:
        raise click.UsageError("say what to write: --oscal FILE, --pdf FILE")
    with _clearly():
        if to_oscal is not None:
            record = json.loads((bundle / "record.json").read_bytes())
            named = controls.load(map_file).supported_by(record["drill"], oscal.FRAMEWORK)
            sealed = seal.parse((bundle / sums.SEAL).read_bytes())
            to_oscal.write_text(oscal.document(record, plan.read(bundle), sealed, named), encoding="utf-8")
        if to_pdf is not None:
            pdf.pdf(bundle / "report.html", to_pdf)


@click.command(name="archive")
@click.argument("bundle", type=_BUNDLE)
@click.option("--bucket", required=True, envvar=sealing.BUCKET_VARIABLE, help="It must have Object Lock.")
@click.option("--owner", default="", help="Account that the bucket belongs to; your own if not given.")
@click.option("--prefix", default=archive.PREFIX, show_default=True)
@click.option("--controls", "map_file", type=click.Path(exists=True, path_type=Path), default=_CONTROLS)
def archive_bundle(bundle: Path, bucket: str, owner: str, prefix: str, map_file: Path) -> None:
    """Upload a sealed bundle to S3 so that nobody can delete it before its retention ends."""
    with _clearly():
        keep_until = archive.until(controls.load(map_file).retention_years)
        there = sealing.archived(bundle.resolve(), bucket, prefix, keep_until, owner)
    click.echo(f"{len(there)} files in {bucket} until {keep_until.date().isoformat()}")


def add_to(main: click.Group) -> None:
    """Register all of these."""
    for command in (fingerprint, sign_off, finding, show_coverage, gather, export, archive_bundle):
        main.add_command(command)
