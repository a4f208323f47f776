"""Run drills many times on one staging, and sum up: verdicts, recovery time, losses.

    .venv/bin/python bench/drills.py --times 20 aurora-failover aurora-writer-crash
    .venv/bin/python bench/drills.py --times 1 --defect async-standby aurora-failover aurora-writer-crash

Starts a local staging of its own in --home (a new folder by default, kept). One line per run, then a summary.
Ends with 1 when a drill made a call that its own IAM policy (`policies/`) lacks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from blackstart import policies
from blackstart.history import History
from catalogue import DRILLS
from objectives import DR_RPO, RESTORE_RPO, REWIND_RPO
from probes.data_loss import promised_and_lost
from probes.instants import at_utc, injection
from probes.readback import Incomplete

AGES = tuple(objective.name for objective in (RESTORE_RPO, REWIND_RPO, DR_RPO))
RESTORED = "Give the new instances the old names"  # the runbooks' step after which nothing more is lost
BLACKSTART = str(Path(sys.executable).with_name("blackstart"))


def blackstart(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(
        [BLACKSTART, "--home", str(home), *words], capture_output=True, text=True, check=False
    )


def measured(record: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what was measured for the objective of this name."""
    found = [o["measured"] for o in record["objectives"] if o["name"] == name]
    return found[0] if found else {"low": None, "high": None}


def lost_records(record: dict[str, Any]) -> float | None:
    """Return how many acknowledged transfers were measured to be gone, judged or not."""
    found = [
        one.get("measured", one) for one in (*record["objectives"], *record["figures"])
        if one["name"] == "acknowledged transfers lost"
    ]  # fmt: skip
    return found[0]["high"] if found else None


def true_loss(folder: Path) -> tuple[int, int] | None:
    """Return how many acknowledged transfers a return to the recovery point must lose; None without one.

    By the history's clock alone, without what was read back: at least those that began after the recovery
    point's instant, at most those that ended after it.
    """
    history = History(folder / "history")
    points = [event for event in history.events if event.kind == "restore.point"]
    steps = [e for e in history.events if e.kind == "runbook.step" and e.detail["step"] == RESTORED]
    fault = injection(history)
    if not points or fault is None:
        return None
    instant_ns = at_utc(history, points[-1].detail["restorable_utc"])
    until_ns = steps[-1].at_ns if steps else fault.until_ns  # a lost region acknowledges nothing more
    try:
        promised, _ = promised_and_lost(history)
    except Incomplete:
        return None
    before = [transfer for transfer in promised if transfer.start_ns < until_ns]
    return sum(t.start_ns >= instant_ns for t in before), sum(t.end_ns > instant_ns for t in before)


def line(record: dict[str, Any]) -> str:
    """Say one run in one line."""
    recovery = record["recovery"] or {"low": None, "high": None}
    missed = [f"{o['name']} {o['verdict']}" for o in record["objectives"] if o["verdict"] != "PASSED"]
    lost = lost_records(record)
    truth = f"(truth {record['truth'][0]} to {record['truth'][1]})  " if "truth" in record else ""
    return (
        f"{record['verdict']:8} {record['drill']:20} recovery [{recovery['low']}, {recovery['high']}] s  "
        f"lost {lost}  {truth}{'; '.join(missed)} {'; '.join(record['reasons'])}"
    )


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up the runs of one drill."""
    recovered = [r["recovery"]["high"] for r in records if r["recovery"] and r["recovery"]["high"]]
    ages = [high for r in records for name in AGES if (high := measured(r, name)["high"])]
    alarms = [high for r in records if (high := measured(r, "first alarm")["high"])]
    return {
        "runs": len(records),
        "runs with calls that the drill's policy lacks": sum(bool(r["lacking"]) for r in records),
        "verdicts": dict(Counter(record["verdict"] for record in records)),
        "lost": sum(lost_records(r) or 0 for r in records),
        "age of the restored data at the fault, s, latest, min/median/max": spread(ages),
        "losses that are not the true ones": sum(
            not r["truth"][0] <= (lost_records(r) or 0) <= r["truth"][1] for r in records if "truth" in r
        ),
        "recovery time, s, latest, min/median/max": spread(recovered),
        "first alarm, s, latest, min/median/max": spread(alarms),
        "missed or unknown": dict(
            Counter(
                f"{o['name']}: {o['verdict']}"
                for r in records
                for o in r["preconditions"] + r["objectives"]
                if o["verdict"] != "PASSED"
            )
        ),
    }


def spread(values: list[float]) -> list[float]:
    """Return minimum, median and maximum."""
    if not values:
        return []
    return [round(f(values), 3) for f in (min, statistics.median, max)]


def main() -> None:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("drills", nargs="+", choices=list(DRILLS))
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--rate", default="1000")
    parser.add_argument("--isolation")
    parser.add_argument("--defect", action="append", default=[])
    parser.add_argument("--home", type=Path)
    arguments = parser.parse_args()
    home = arguments.home or Path(tempfile.mkdtemp(prefix="blackstart-bench-"))
    options = [word for defect in arguments.defect for word in ("--defect", defect)]
    options += ["--isolation", arguments.isolation] if arguments.isolation else []
    tasks = max(DRILLS[name].tasks for name in arguments.drills)
    started = blackstart(home, "up", "--tasks", str(tasks), *options)
    assert started.returncode == 0, started.stderr
    lacking = 0
    try:
        for drill in arguments.drills:
            records = [run(home, drill, arguments.rate, seed) for seed in range(1, arguments.times + 1)]
            print(json.dumps({drill: summary([r for r in records if r])}, indent=1), flush=True)
            lacking += sum(bool(r["lacking"]) for r in records if r)
    finally:
        blackstart(home, "down")
    sys.exit(1 if lacking else 0)


def run(home: Path, drill: str, rate: str, seed: int) -> dict[str, Any] | None:
    """Run one drill; None when it left no record."""
    ended = blackstart(home, "drill", drill, "--rate", rate, "--seed", str(seed), "--json")
    try:
        record: dict[str, Any] = json.loads(ended.stdout)[0]
    except (ValueError, IndexError):
        print(f"no record, exit code {ended.returncode}: {ended.stderr[-300:]}", flush=True)
        return None
    if truth := true_loss(home / "drills" / record["run"]):
        record["truth"] = truth
    record["lacking"] = policies.lacking(drill, home / "drills" / record["run"])
    print(line(record), flush=True)
    for what in record["lacking"]:
        print(f"  its policy lacks {what}", flush=True)
    return record


if __name__ == "__main__":
    main()
