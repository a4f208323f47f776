"""Where the parts of a drill are put together: the command line and the scenarios both come here."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import objectives
from blackstart import conductor, guards, measuring, rails, refusing, sealing
from blackstart.context import JOB
from blackstart.history import History
from blackstart.holding import check_account, held
from blackstart.ledger import LedgerBroken
from blackstart.live import LiveView
from blackstart.lock import only_one
from blackstart.parts import Drill, Ending, Left, Safety, Traffic, View
from blackstart.staging import Safeguards
from blackstart.watch import Watch
from blackstart.watched import watched
from loadgen import final_reads
from loadgen.process import LoadProcess
from loadgen.receipts import read_receipts
from loadgen.tail import Tail
from probes import snapshot, steady
from probes.capacity import HEALTHY
from probes.ended_tasks import ENDED, EndedTasks
from reports import earlier, files, instrument, record, screen
from reports.evidence import histories, sums
from staging.local.defects import Defect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from blackstart.context import Context
    from blackstart.drills import DrillSpec
    from blackstart.guardrails import Guardrail
    from blackstart.staging import Staging
    from blackstart.underway import Underway

ROOT = Path(objectives.__file__).parent
_CLUSTER, _SERVICE, _TARGET_GROUP, _CACHE = "ledger", ("bank", "bank-api"), "bank-api", "cache"
_RECEIPTS = "receipts"  # the bucket's name begins so, and ends with the account


def run_drill(spec: DrillSpec, context: Context, traffic: Traffic, console: Console) -> Path:
    """Run one drill, leave its record and reports in a folder of its own, and return that.

    Raises Refused, NoStaging and InvalidExperiment before anything is changed.
    """
    own = context.own()
    context.ledger.check_environment(context.attach().facts.environment)
    with only_one(context.place) as lock, held(context, own, spec.name) as (holder, hold):
        staging = holder.attach()
        fooled = Defect.VERIFICATION_TRUSTS_JOBS.value in staging.facts.defects
        leased = replace(holder, trusts=JOB) if fooled else holder
        guards.check_nothing_open(leased.ledger)
        check_account(leased)
        guards.check_stop_switch(context.stop_switch)
        inside = _own_folder(spec, refusing.check(spec, leased, traffic, staging), traffic)
        staging = inside.attach()  # once more: what is called from now on goes into the drill's own folder
        announced = sealing.begin(spec, inside, traffic, staging, ROOT)
        history = Path(inside.folder or "") / "history"
        with (
            watched(inside, Path(inside.folder or ""), ROOT) as watchdog,
            LiveView(console, spec.title) as view,
            closing(Tail(history)) as tail,
        ):
            safeguards = own.safeguards if own else Safeguards()
            safety = Safety(watchdog=watchdog, lock=lock, hold=hold, safeguards=safeguards)
            drill = _wire(spec, inside, staging, traffic, view, tail, safety)
            ending = conductor.run(drill)
            if _is_put_back(inside):
                watchdog.dismiss()
            else:
                watchdog.hand_over()
        return _report(drill, ending, console, announced)


def _is_put_back(context: Context) -> bool:
    """Tell whether nothing of this drill is open in the ledger; one that cannot be read may hold anything."""
    try:
        return not context.ledger.open_entries_of(context.drill)
    except (LedgerBroken, OSError):
        return False


def chooses(spec: DrillSpec) -> bool:
    """Tell whether the drill asks which recovery point it is to restore."""
    return "BLACKSTART_WHICH" in (ROOT / spec.experiment).read_text()


def _wire(  # noqa: PLR0917 - the parts of a drill
    spec: DrillSpec, context: Context, staging: Staging, traffic: Traffic, view: LiveView, tail: Tail,
    safety: Safety,
) -> Drill:  # fmt: skip
    folder = Path(context.folder or "")
    history, url = folder / "history", staging.facts.base_url
    run_id, begun = context.drill, datetime.now(UTC).replace(microsecond=0)  # S3 tells whole seconds
    load = LoadProcess(url, traffic.rate, traffic.seed, run_id, history, folder / "load.log")

    # where people recover the database, theirs is another one, which the runbook verifies
    shape = _Kept(staging, but=snapshot.DATABASES if spec.restores else ())

    def guarded(one: Underway) -> Iterable[Guardrail]:
        return (*rails.here(drill, one), *rails.of_account(staging, safety.safeguards))

    drill = Drill(
        spec=spec,
        root=ROOT,
        context=context,
        staging=staging,
        traffic=traffic,
        load=load,
        tail=tail,
        view=view,
        safety=safety,
        watch=_watch(spec, staging),
        unwhole=_Wholeness(staging),
        snapshot=shape.take,
        differences=shape.differences,
        guardrails=guarded,
        left=Leavings(context, staging),
        read_back=lambda: read_back(spec, context, staging, view, since=begun),
    )
    return drill


def read_back(spec: DrillSpec, context: Context, staging: Staging, view: View, *, since: datetime) -> None:
    """Read back transfers and receipts; `since` is when the load began. Each file is told to the events."""
    history, run = context.history, context.drill
    if not final_reads.read_back(staging.facts.base_url, run, history):
        view.say("the final reads are not complete")
    _chain(context, history / histories.FINAL)
    if spec.elsewhere:  # what was uploaded lies in the region that is lost
        return
    bucket = f"{_RECEIPTS}-{staging.facts.account}"
    if not read_receipts(staging.aws("s3"), bucket, run, history, since=since):
        view.say("the receipts are not complete")
    _chain(context, history / histories.RECEIPTS)


def _chain(context: Context, path: Path) -> None:
    """Tell the chain of events what was read back: from then on an edit is found, sealed or not."""
    context.tell(histories.READ_BACK, file=path.name, sha256=sums.sha256(path), bytes=path.stat().st_size)


class _Kept:
    """The first snapshot, and what differs from it; `but` is how the names begin that may differ."""

    def __init__(self, staging: Staging, but: tuple[str, ...]) -> None:
        self._staging = staging
        self._but = but
        self._first: dict[str, object] = {}

    def take(self) -> dict[str, object]:
        """Take the snapshot that later ones are compared with."""
        self._first = self._now()
        return self._first

    def differences(self) -> list[str]:
        """Name what is not as it was; nothing if there is no snapshot yet, for nothing was broken then."""
        return snapshot.differences(self._first, self._now()) if self._first else []

    def _now(self) -> dict[str, object]:
        return snapshot.snapshot(self._staging, self._but)


class _Wholeness:
    """Whole is what the platform says of itself, and what was there at the first look, no more and no less.

    Tasks in every zone that had some; and no database that was not there before, which nobody would pay for.
    """

    def __init__(self, staging: Staging) -> None:
        self._staging = staging
        self._first: tuple[set[str], set[str]] | None = None

    def __call__(self) -> list[str]:
        missing = steady.unwhole(self._staging, _CLUSTER, _SERVICE, _TARGET_GROUP, _CACHE)
        zones = set(steady.healthy_by_zone(self._staging, _TARGET_GROUP))
        databases = steady.databases(self._staging)
        self._first = self._first or (zones, databases)
        dark, left = self._first[0] - zones, databases - self._first[1]
        missing += [f"no healthy task in {zone}" for zone in sorted(dark)]
        return missing + [f"left running: {name}" for name in sorted(left)]


class Leavings:
    """What costs money and was not there at the first look.

    In another region nobody has looked first: there it is what the drill's ledger entries say they have made.
    """

    def __init__(self, context: Context, staging: Staging) -> None:
        self._context = context
        self._staging = staging
        self._first: set[str] | None = None

    def __call__(self) -> Left:
        """Look."""
        home = self._staging.facts.region
        ours = [entry for entry in self._context.ledger.entries() if entry.drill == self._context.drill]
        made = {name for entry in ours for name in entry.created}
        now = {home: steady.costly(self._staging, home)}
        self._first = now[home] if self._first is None else self._first
        found = now[home] - self._first
        for region in {entry.plan.region for entry in ours} - {"", home}:
            now[region] = steady.costly(self._staging, region)
            found |= {f"{name} in {region}" for name in now[region] if name.rpartition(" ")[2] in made}
        return Left(
            looked_at=sum(map(len, now.values())), regions=tuple(sorted(now)), found=tuple(sorted(found))
        )


def _watch(spec: DrillSpec, staging: Staging) -> Watch:
    """Watch where somebody can be heard: not in a region that is going to be lost."""
    if not spec.elsewhere:
        return Watch(staging, _shape(staging))
    there = {
        f"writer in {spec.elsewhere}": lambda: steady.writer(staging, _CLUSTER, spec.elsewhere),
        f"{HEALTHY} in {spec.elsewhere}": lambda: steady.healthy_by_zone(
            staging, _TARGET_GROUP, spec.elsewhere
        ),
    }
    return Watch(staging, there, spec.elsewhere)


def _shape(staging: Staging) -> dict[str, Callable[[], object]]:
    """What is worth a line in the timeline when it changes."""
    return {
        "writer": lambda: steady.writer(staging, _CLUSTER),
        HEALTHY: lambda: steady.healthy_by_zone(staging, _TARGET_GROUP),
        ENDED: EndedTasks(staging, *_SERVICE),
    }


def _own_folder(spec: DrillSpec, context: Context, traffic: Traffic) -> Context:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    name = f"{stamp}-{spec.name}-{traffic.seed}"
    folder = context.drills / name
    (folder / "history").mkdir(parents=True)
    (folder / "drill.json").write_text(
        json.dumps({"name": spec.name, "traffic": asdict(traffic), "which": context.which})
    )
    return replace(context, drill=name, folder=str(folder), seed=traffic.seed)


def _report(drill: Drill, ending: Ending, console: Console, announced: str) -> Path:
    history = History(drill.folder / "history")
    gone = measuring.lost(history) if ending.judgements else ()
    wrong = measuring.books_wrong(drill.spec, history) if ending.judgements else []
    built = record.build(
        drill.spec,
        run=drill.context.drill,
        facts=drill.staging.facts,
        history=history,
        judgements=ending.judgements,
        verdict=ending.verdict,
        exit_code=int(ending.exit_code),
        rate_per_s=drill.traffic.rate,
        seed=drill.traffic.seed,
        reasons=ending.reasons,
        discrepancies=wrong,
        lost=gone,
        **sealing.planned(drill.folder),
        earlier=earlier.records_of(drill.context.drills),
        proofs=instrument.read(drill.folder),
    )
    page = files.write(built, history, drill.folder, gone)
    screen.show(built, console, page)
    sealing.end(drill.context, built, wrong, announced, console, staging=drill.staging)
    return drill.folder
