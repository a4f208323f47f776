"""Small whole bundles, as a drill leaves them: planned, told, recorded and sealed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import catalogue
from blackstart import chain, measuring, sealing
from blackstart.fault import Plan, Target
from blackstart.history import History
from blackstart.ledger import Ledger
from blackstart.parts import Traffic
from reports import files
from reports.evidence import bundle, histories, keys, plan, runs, signoff, sums
from reports.evidence.again import Measurer
from reports.evidence.keys import LocalKey
from tests.reports.drilled import FACTS, SPEC, failover, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from blackstart.drills import DrillSpec
    from reports.evidence.keys import Signer
    from reports.record import Record

ROOT = Path(catalogue.__file__).parent
CODE = "c0ffee clean"
JOURNAL = {
    "steady_states": {"before": {"steady_state_met": True}},
    "run": [{"activity": {"name": "break it"}, "status": "succeeded", "output": True}],
    "rollbacks": [],
}


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A sealed bundle, and what lies outside it."""

    folder: Path
    key: LocalKey
    runs: Path
    record: Record

    @property
    def fingerprint(self) -> str:
        return keys.fingerprint(self.key.public_pem)


def here(code: str = CODE, *, pages_of: Callable[[str], Mapping[str, bytes]] = lambda _: {}) -> Measurer:
    """What measures again, as if it were the code that made the bundles; `pages_of` knows other commits."""
    return Measurer(
        specs=catalogue.DRILLS, pages=pages(), pages_of=pages_of, code=code,
        discrepancies=measuring.books_wrong, lost=measuring.lost, doubts=measuring.unproven,
    )  # fmt: skip


def pages() -> dict[str, bytes]:
    """The pages of promises and drills as they are here."""
    return {page: (ROOT / page).read_bytes() for page in plan.PAGES}


def sealed(
    home: Path, run: str = "r-1", *, rate: float = 100.0, key: LocalKey | None = None,
    tell: Callable[[Path, float], object] = lambda history, rate: failover(history, rate=rate),
) -> Sealed:  # fmt: skip
    """Leave a failover's bundle in `home/drills/<run>`; `tell` writes its history at a rate."""
    folder = home / "drills" / run
    folder.mkdir(parents=True)
    key = key or LocalKey.at(home / "keys" / "signing-key.pem")
    traffic = Traffic(rate=rate, seed=7)
    begun = {"name": SPEC.name, "traffic": dataclasses.asdict(traffic), "which": "newest"}
    (folder / "drill.json").write_text(json.dumps(begun))
    frozen = plan.freeze(folder, SPEC, run=run, traffic=traffic, facts=FACTS, identity="arn:x", root=ROOT)
    frozen = as_if_by(folder, CODE) or frozen
    ledger_of_runs = runs.Runs(home / runs.RUNS)
    announced = ledger_of_runs.note(run, runs.STARTED, drill=SPEC.name, plan=frozen)
    tell(folder / "history", rate)
    record = _drill(home, folder, run, rate)
    seal = bundle.close(folder, record, key, announced)
    ledger_of_runs.note(run, runs.FINISHED, verdict=record["verdict"], seal=seal)
    return Sealed(folder=folder, key=key, runs=ledger_of_runs.path, record=record)


def as_if_by(folder: Path, code: str) -> str:
    """Write another commit into the plan; return its hash."""
    commit, tree = code.split()
    planned = json.loads((folder / plan.PLAN).read_text())
    planned["code"] = {"commit": commit, "tree": tree}
    text = json.dumps(planned, indent=1, ensure_ascii=False) + "\n"
    (folder / plan.PLAN).write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def _drill(home: Path, folder: Path, run: str, rate: float) -> Record:
    ledger = Ledger(home / "local" / "ledger.jsonl")
    target = Target(kind="cluster", id="ledger")
    blast = Plan(targets=(target,), before={}, broken={}, calls=("rds:FailoverDBCluster",))
    entry = ledger.open(run, "faults.x:X", {}, blast)
    ledger.healed(entry.id, "read back")
    link(folder / "history", run)
    history = History(folder / "history")
    wrong, gone = measuring.books_wrong(SPEC, history), measuring.lost(history)
    record = told(history, run=run, rate_per_s=rate, discrepancies=wrong, lost=gone, **planned(folder))
    files.write(record, history, folder, gone)
    (folder / "reconciliation.json").write_text(json.dumps(wrong, indent=1, ensure_ascii=False) + "\n")
    (folder / "journal.json").write_text(json.dumps(JOURNAL))
    bundle.cut_out_ledger(ledger.path, run, folder)
    return record


def planned(folder: Path) -> dict[str, Any]:
    """What a record says of its plan."""
    return dict(sealing.planned(folder))


def link(history: Path, run: str) -> None:
    """Chain a told history, as it would have been while it was written, and say whose it is."""
    events = [json.loads(line) for line in (history / "events.jsonl").read_text().splitlines()]
    when = {name: events[-1][name] for name in ("at_ns", "utc")}
    for name in (histories.FINAL, histories.RECEIPTS):
        if (history / name).exists():
            content = (history / name).read_bytes()
            told = {"file": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            events.append({**when, "kind": histories.READ_BACK, **told})
    rewrite_events(history, events)
    for path in history.glob("requests-*.jsonl"):
        header, *rows = path.read_text().splitlines()
        path.write_text("\n".join([json.dumps({**json.loads(header), "run": run}), *rows]) + "\n")
        checkpoint(path)


def rewrite_events(history: Path, events: list[dict[str, Any]]) -> None:
    """Write events as a new chain."""
    (history / "events.jsonl").unlink(missing_ok=True)
    file = chain.open_for_append(history / "events.jsonl")
    for event in events:
        chain.append(file, {name: value for name, value in event.items() if name not in chain.LINKS})
    os.close(file)


def checkpoint(path: Path, parts: int = 3) -> None:
    """Write the checkpoints of a requests file, at about equal distances."""
    content = path.read_bytes()
    ends = [len(content) * part // parts for part in range(1, parts + 1)]
    marks = [f'{{"bytes":{end},"sha256":"{hashlib.sha256(content[:end]).hexdigest()}"}}\n' for end in ends]
    path.with_suffix(".chain").write_text("".join(marks))


def word(made: Sealed) -> signoff.SignOff:
    """An independent person's word on a bundle: rejected."""
    return signoff.SignOff(
        name="A", role="B", independent=True, decision="rejected", remarks="", at_utc="2026-01-01",
        seal_sha256=sums.sha256(made.folder / sums.SEAL),
    )  # fmt: skip


def close_again(made: Sealed, key: Signer | None = None) -> None:
    """Seal a bundle anew, as an insider would who has the key."""
    announced = runs.Runs(made.runs).lines()[0]["hash"]
    for name in ("SEAL.txt", "SEAL.txt.sig", "signer.pub.pem", "attestation.dsse.json", "SHA256SUMS"):
        (made.folder / name).unlink(missing_ok=True)
    record = json.loads((made.folder / "record.json").read_text())
    bundle.close(made.folder, record, key or made.key, announced)


def record_again(made: Sealed, spec: DrillSpec = SPEC) -> None:
    """Write record and reports anew: from a history that was changed, or under other promises."""
    record, history = made.record, History(made.folder / "history")
    wrong, gone = measuring.books_wrong(spec, history), measuring.lost(history)
    again = told(
        history, spec=spec, run=record["run"], rate_per_s=record["rate_per_s"], discrepancies=wrong,
        lost=gone, **planned(made.folder),
    )  # fmt: skip
    files.write(again, history, made.folder, gone)
