"""How long it takes from a stop, a kill or a hang of the runner until staging is being healed, and is whole.

    .venv/bin/python bench/stops.py --times 5 --rate 100 az-loss

Starts a local staging of its own in --home (a new folder by default, kept). Each way in turn, at a moment
drawn from --seed after the fault has bitten: the stop switch (the file), SIGTERM, the stop parameter in SSM,
SIGKILL and SIGSTOP of the runner (its watchdog heals). One line per stop, then medians and maxima in seconds,
on the monotonic clock: from the deed to the history's `heal.start`, and to its last `heal.end`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blackstart.context import Context
from blackstart.history import History
from blackstart.rails import GO, STOP
from blackstart.waiting import wait_until
from probes import steady
from staging.local import lifecycle
from staging.local.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

BLACKSTART = str(Path(sys.executable).with_name("blackstart"))
WITHIN_S = 300.0
WAYS = ("switch", "SIGTERM", "parameter", "SIGKILL", "SIGSTOP")


def main() -> None:
    """Stop them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("drill")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--rate", default="100")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path)
    chosen = parser.parse_args()
    home = chosen.home or Path(tempfile.mkdtemp(prefix="blackstart-bench-"))
    chance = random.Random(chosen.seed)  # noqa: S311 - moments, not secrets
    lifecycle.up(home / "local", Options(), lambda _: None)
    try:
        found = {
            way: [one_stop(home, chosen.drill, chosen.rate, way, chance) for _ in range(chosen.times)]
            for way in chosen.ways
        }
    finally:
        lifecycle.down(home / "local")
    for way, stops in found.items():
        print(json.dumps({"way": way, "stops": len(stops), **summed(stops)}))


def one_stop(home: Path, drill: str, rate: str, way: str, chance: random.Random) -> dict[str, Any]:
    """Run the drill until its fault has bitten, stop it, and see how long healing takes to begin and end."""
    here = Context(home=str(home))
    wait_until(lambda: whole(here), within_s=WITHIN_S, what="staging is whole", every_s=0.5)
    argv = [BLACKSTART, "--home", str(home), "drill", drill, "--rate", rate, "--seed", "1"]
    running = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    history = wait_until(lambda: bitten(home, running.pid), within_s=WITHIN_S, what="the bite")
    deed = deeds(here, running)[way]
    time.sleep(chance.uniform(0, 1))
    at_ns = time.monotonic_ns()
    deed()
    wait_until(lambda: not here.ledger.open_entries(), within_s=WITHIN_S, what="all is healed")
    code = running.wait(WITHIN_S)
    undo(here, way)
    told = History(history).events
    begun = next(event.at_ns for event in told if event.kind == "heal.start" and event.at_ns > at_ns)
    ended = max(event.at_ns for event in told if event.kind == "heal.end")
    stop = {"exit": code, "begun_s": (begun - at_ns) / 1e9, "healed_s": (ended - at_ns) / 1e9}
    print(way, json.dumps(stop), flush=True)
    return stop


def deeds(here: Context, running: subprocess.Popen[bytes]) -> dict[str, Callable[[], object]]:
    """Return how each way is done."""
    ssm = own_ssm(here)
    return {
        "switch": here.stop_switch.touch,
        "parameter": lambda: ssm(STOP),
        "SIGTERM": lambda: running.send_signal(signal.SIGTERM),
        "SIGKILL": lambda: running.send_signal(signal.SIGKILL),
        "SIGSTOP": lambda: running.send_signal(signal.SIGSTOP),
    }


def undo(here: Context, way: str) -> None:
    """Let drills run again."""
    here.stop_switch.unlink(missing_ok=True)
    if way == "parameter":
        own_ssm(here)(GO)


def own_ssm(here: Context) -> Callable[[str], object]:
    """Return what sets the stop parameter; its client is made before anything is measured."""
    own = here.own()
    assert own is not None
    ssm, name = own.ssm, own.safeguards.stop_parameter
    return lambda word: ssm.put_parameter(Name=name, Value=word, Overwrite=True)


def bitten(home: Path, pid: int) -> Path | None:
    """Return the newest drill's history once its fault has bitten."""
    os.kill(pid, 0)  # a runner that has ended never bites
    drills = sorted((home / "drills").glob("*"), key=lambda folder: folder.stat().st_mtime)
    if not drills or History(drills[-1] / "history").event("bite") is None:
        return None
    stopped = History(drills[-1] / "history").event("heal.end")
    return None if stopped else drills[-1] / "history"


def whole(here: Context) -> bool:
    """Tell whether staging is whole."""
    return not steady.unwhole(here.attach(), "ledger", ("bank", "bank-api"), "bank-api", "cache")


def summed(stops: list[dict[str, Any]]) -> dict[str, Any]:
    """Return medians and maxima, and the exit codes."""
    figures = {
        f"{name} {how.__name__}": round(how(stop[name] for stop in stops), 3)
        for name in ("begun_s", "healed_s")
        for how in (statistics.median, max)
    }
    return {**figures, "exits": sorted({stop["exit"] for stop in stops})}


if __name__ == "__main__":
    main()
