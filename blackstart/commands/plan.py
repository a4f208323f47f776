"""`blackstart plan` and `approve`: what a drill would do, and leave to do it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blackstart import experiment, guards, planning, policies, refusing, rules
from blackstart.choke import Refused
from blackstart.context import Context
from blackstart.parts import Traffic
from catalogue import DRILLS
from reports.evidence import approval, keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blackstart.context import Guarded
    from blackstart.drills import DrillSpec
    from blackstart.planning import Part

_STAGING = click.option(
    "--staging", default="local", show_default=True, help="local, or an AWS staging's file."
)
_UNITS_S = {"m": 60, "h": 3600, "d": 86400}
_SEED = 0  # a plan makes no random choice


def add_to(main: click.Group, clear_errors: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Add the commands."""

    @main.command("plan")
    @click.argument("drill")
    @_STAGING
    @click.option("--rate", type=click.FloatRange(1, 5000), help="Requests per second, by the clock.")
    @click.option("--json", "as_json", is_flag=True, help="As JSON.")
    @click.pass_obj
    @clear_errors
    def show_plan(home: Path, drill: str, staging: str, rate: float | None, as_json: bool) -> None:
        """Say what a drill, or an experiment file, would do now; change nothing."""
        context = Context(home=str(home), staging=staging)
        told = _told(context, drill, rate)
        click.echo(json.dumps(told, indent=1) if as_json else "\n".join(_lines(told)))
        if told["refused"]:
            raise Refused(told["refused"])

    @main.command("approve")
    @click.argument("drill", type=click.Choice(sorted(DRILLS)))
    @click.option("--staging", required=True, help="The file of an AWS staging.")
    @click.option("--name", required=True, help="Who approves.")
    @click.option(
        "--key",
        required=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="The approving person's own key; made when there is none.",
    )
    @click.option("--for", "span", default="4h", show_default=True, help="How long: 30m, 4h, 2d.")
    @click.option("--hash", "shown", help="What `blackstart plan` has shown; refused if it has changed.")
    @click.pass_obj
    @clear_errors
    def approve(home: Path, drill: str, staging: str, **given: Any) -> None:
        """Give leave to somebody else to run a drill, as it would be now, until a moment."""
        click.echo(_approved(Context(home=str(home), staging=staging), DRILLS[drill], given))


def _told(context: Context, drill: str, rate: float | None) -> dict[str, Any]:
    spec = DRILLS.get(drill)
    if spec is None and not Path(drill).suffix:
        raise click.UsageError(f"no drill is called {drill!r}; there are: {', '.join(sorted(DRILLS))}")
    loaded = experiment.load(Path(drill) if spec is None else refusing.ROOT / spec.experiment)
    staging = context.attach()
    guards.check_staging(staging)
    looked = planning.look(staging, loaded)
    facts = staging.facts
    told: dict[str, Any] = {
        "drill": drill, "title": loaded["title"], "staging": facts.name, "account": facts.account,
        "region": facts.region, "parts": planning.to_json(looked.parts), "hash": None, "forecast": None,
        "iam": {}, "cost": [], "unknown": looked.unknown,
    }  # fmt: skip
    ends_by = None
    if spec is not None:
        traffic = Traffic(rate=rate or spec.rate, seed=_SEED)
        forecast = planning.forecast(spec, traffic, Path(context.home))
        ends_by = planning.ends_by(forecast)
        told["hash"] = None if looked.unknown else refusing.fingerprint(spec, looked)
        told["forecast"] = asdict(forecast)
        told["cost"] = planning.costs(looked.parts, rules.of(staging), forecast.worst_s)
        told["iam"] = policies.actions(spec.name)
    return {**told, "refused": _refusal(staging, looked.parts, ends_by)}


def _refusal(staging: Guarded, planned: tuple[Part, ...], ends_by: datetime | None) -> str:
    try:
        guards.check_time(staging, ends_by)
        planning.check(staging, planned)
    except Refused as refusal:
        return str(refusal)
    return ""


def _lines(told: dict[str, Any]) -> Iterator[str]:
    yield f"{told['drill']}: {told['title']}"
    yield f"on {told['staging']}, account {told['account']}, region {told['region']}"
    for part in told["parts"]:
        where = f" in {part['region']}" if part["region"] else ""
        yield f"{part['name']}{where}"
        yield from (f"  target  {target['kind']} {target['id']}" for target in part["targets"])
        yield from (f"  call    {call}" for call in part["calls"])
        yield from (f"  undo    {name}: {json.dumps(value)}" for name, value in part["before"].items())
    yield from (f"not to be looked up now: {why}" for why in told["unknown"])
    for role, actions in told["iam"].items():
        yield f"IAM, {role}: {', '.join(actions) or 'looking only'}"
    forecast = told["forecast"]
    if forecast:
        usual = f"usually {forecast['usual_s']:.0f} s" if forecast["usual_s"] else "never run here"
        worst = f"at most {forecast['worst_s']:.0f} s, healing included"
        yield f"takes {usual} ({forecast['runs']} earlier runs), {worst}"
    yield f"costs, beyond what runs anyway: {'; '.join(told['cost']) or 'nothing is made that is billed'}"
    if told["hash"]:
        yield f"hash {told['hash']}"


def _approved(context: Context, spec: DrillSpec, wish: dict[str, Any]) -> str:
    expires, staging = _expiry(wish["span"]), context.attach()
    guards.check_staging(staging)
    looked = planning.look(staging, experiment.load(refusing.ROOT / spec.experiment))
    planning.check(staging, looked.parts)
    wanted = refusing.fingerprint(spec, looked)
    if wish["shown"] not in (None, wanted):
        raise Refused(f"the drill is not what was shown any more: its hash is now {wanted}")
    signing, person = keys.LocalKey.at(wish["key"]), refusing.who(context, staging)
    given = approval.Approval(
        drill=spec.name, account=staging.facts.account, plan=wanted, name=wish["name"],
        expires_utc=expires.isoformat(timespec="seconds"), user=person.user, aws=person.aws,
    )  # fmt: skip
    file = refusing.approval_file(context, spec)
    try:
        approval.write(file, given, signing)
    except approval.BadApproval as error:
        raise click.UsageError(str(error)) from error
    return f"{file}: {spec.name} until {given.expires_utc}, signed by {keys.fingerprint(signing.public_pem)}"


def _expiry(span: str) -> datetime:
    if not re.fullmatch(r"[1-9]\d{0,3}[mhd]", span):
        raise click.UsageError(f"--for is {span!r}; 30m, 4h or 2d was expected")
    return datetime.now(UTC) + timedelta(seconds=int(span[:-1]) * _UNITS_S[span[-1]])
