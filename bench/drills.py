"""Run drills many times on one staging, and sum up: verdicts, recovery time, losses.

    .venv/bin/python bench/drills.py --times 20 aurora-failover aurora-writer-crash
    .venv/bin/python bench/drills.py --times 1 --defect async-standby aurora-failover aurora-writer-crash

Starts a local staging of its own in --home (a new folder by default, kept). One line per run, then a summary.
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

from catalogue import DRILLS

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


def line(record: dict[str, Any]) -> str:
    """Say one run in one line."""
    recovery = record["recovery"] or {"low": None, "high": None}
    missed = [f"{o['name']} {o['verdict']}" for o in record["objectives"] if o["verdict"] != "PASSED"]
    lost = measured(record, "acknowledged transfers lost")["high"]
    return (
        f"{record['verdict']:8} {record['drill']:20} recovery [{recovery['low']}, {recovery['high']}] s  "
        f"lost {lost}  {'; '.join(missed)} {'; '.join(record['reasons'])}"
    )


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up the runs of one drill."""
    recovered = [r["recovery"]["high"] for r in records if r["recovery"] and r["recovery"]["high"]]
    alarms = [high for r in records if (high := measured(r, "first alarm")["high"])]
    return {
        "runs": len(records),
        "verdicts": dict(Counter(record["verdict"] for record in records)),
        "lost": sum(measured(r, "acknowledged transfers lost")["high"] or 0 for r in records),
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
    try:
        for drill in arguments.drills:
            records = [run(home, drill, arguments.rate, seed) for seed in range(1, arguments.times + 1)]
            print(json.dumps({drill: summary([r for r in records if r])}, indent=1), flush=True)
    finally:
        blackstart(home, "down")


def run(home: Path, drill: str, rate: str, seed: int) -> dict[str, Any] | None:
    """Run one drill; None when it left no record."""
    ended = blackstart(home, "drill", drill, "--rate", rate, "--seed", str(seed), "--json")
    try:
        record: dict[str, Any] = json.loads(ended.stdout)[0]
    except (ValueError, IndexError):
        print(f"no record, exit code {ended.returncode}: {ended.stderr[-300:]}", flush=True)
        return None
    print(line(record), flush=True)
    return record


if __name__ == "__main__":
    main()
