"""Send signals to drills at random moments: killed, stopped by a person or a CI job, hung; heal, and compare.

    .venv/bin/python bench/kills.py --log signals.jsonl --signal SIGKILL --times 100 aurora-failover az-loss
    .venv/bin/python bench/kills.py --log signals.jsonl --signal SIGTERM --times 100 aurora-failover az-loss
    .venv/bin/python bench/kills.py --log signals.jsonl --signal SIGSTOP --times 100 aurora-failover az-loss
    .venv/bin/python bench/kills.py --log signals.jsonl --sum

The moments are drawn from --seed, between the start of the command line and the end of a whole drill, whose
waits are shortened as in `mortal`. Who is told to stop (SIGTERM, SIGINT) must heal by itself; who hangs
(SIGSTOP) while something is broken is killed by the watchdog, which heals; who is killed is healed by the
watchdog, or with `--healer command`, when the watchdog is killed as well, by `blackstart heal`. Good is:
nothing is open in the ledger, the exit code is the right one, nobody of the drill lives, and staging is as
before (see `described`). The log is resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import mortal
import psutil
from ground import COMMAND, ENDS_WITHIN_S, ROOT, WATCHDOG, Ground, ground

from blackstart.exit_code import ExitCode

ENDED = {int(code) for code in (ExitCode.PASSED, ExitCode.FAILED, ExitCode.UNKNOWN)}  # before the signal came
ASKED = ("SIGTERM", "SIGINT")


def main() -> None:
    """Send those signals that are not in the log yet."""
    chosen = _arguments()
    lines = _lines(chosen.log)
    if chosen.sum:
        print(json.dumps(summary(lines), indent=1))
        return
    deadline = time.monotonic() + 60 * chosen.minutes
    done = {one["n"] for one in lines if (one["signal"], one["healer"]) == (chosen.signal, chosen.healer)}
    with ground(chosen.home, tasks=chosen.tasks) as here:
        for n in (n for n in range(chosen.times) if n not in done):
            if time.monotonic() > deadline:
                break
            lines.append(one_signal(here, chosen, n))
            print(_told(lines[-1]), flush=True)
            if chosen.log:
                with chosen.log.open("a") as log:
                    log.write(json.dumps(lines[-1]) + "\n")
    print(json.dumps(summary(lines), indent=1))


def one_signal(here: Ground, chosen: argparse.Namespace, n: int) -> dict[str, Any]:
    """Start a drill, send the signal at the n-th moment of the seed, heal, compare."""
    began, drill = time.monotonic(), chosen.drills[n % len(chosen.drills)]
    moment_s = round(random.Random(f"{chosen.seed} {n}").uniform(0.5, chosen.within_s), 2)  # noqa: S311 - no secret
    here = here.before_drill(drill)
    running = _start(here, drill, chosen.rate)
    try:
        running.wait(moment_s)
    except subprocess.TimeoutExpired:
        if chosen.healer == COMMAND:
            mortal.kill_watchdogs_of(running.pid)
        running.send_signal(signal.Signals[chosen.signal])
    code = _ended(here, running)
    left, broken = [entry.fault for entry in here.open], here.broken()
    healed = here.healed_by(COMMAND if chosen.signal in ASKED else chosen.healer)
    wrong = [] if healed == 0 else [f"healing ended with {healed}"]
    wrong += _badly_ended(chosen.signal, code, left)
    return {
        "signal": chosen.signal, "healer": chosen.healer, "seed": chosen.seed, "n": n, "drill": drill,
        "at s": moment_s, "code": code, "open": left, "broken": broken, "wrong": [*wrong, *here.wrong()],
        "s": round(time.monotonic() - began, 1),
    }  # fmt: skip


def _start(here: Ground, drill: str, rate: str) -> subprocess.Popen[bytes]:
    words = ["blackstart.cli", "--home", str(here.home), "drill", drill, "--rate", rate, "--seed", "1"]
    orders = mortal.Orders(steps=str(here.fresh_steps()))  # it does not die of itself
    with here.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, mortal.__file__, *words], cwd=ROOT, stdout=log, stderr=log,
            env={**os.environ, **orders.environment()}, start_new_session=True,
        )  # fmt: skip


def _ended(here: Ground, running: subprocess.Popen[bytes]) -> int:
    """Wait for the end; whoever hangs before anything is broken, or after, is left to people: here, to us."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while running.poll() is None and time.monotonic() < deadline:
        stopped = psutil.Process(running.pid).status() == psutil.STATUS_STOPPED
        if stopped and not here.open:
            running.kill()
        time.sleep(0.2)
    running.kill()
    return running.wait()


def _badly_ended(name: str, code: int, left: list[str]) -> list[str]:
    """Return how the end of the drill was not the right one for this signal."""
    # a signal that comes before the drill, or after, ends the command as it ends any other
    right = {int(ExitCode.STOPPED), -signal.SIGTERM} if name in ASKED else {-signal.SIGKILL}
    right |= ENDED
    wrong = [] if code in right else [f"exit code {code}"]
    return [*wrong, f"left open: {left}"] if name in ASKED and left else wrong


def summary(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the counts of each signal."""
    kinds = sorted({(line["signal"], line["healer"]) for line in lines})
    return [_sum([one for one in lines if (one["signal"], one["healer"]) == kind], kind) for kind in kinds]


def _sum(lines: list[dict[str, Any]], kind: tuple[str, str]) -> dict[str, Any]:
    return {
        "signal": kind[0], "healer": kind[1], "sent": len(lines),
        "exit codes": Counter(line["code"] for line in lines),
        "ledger open": sum(bool(line["open"]) for line in lines),
        "staging broken": sum(bool(line["broken"]) for line in lines),
        "as before, after heal": sum(not line["wrong"] for line in lines),
        "wrong": Counter(wrong[:160] for line in lines for wrong in line["wrong"]),
    }  # fmt: skip


def _told(line: dict[str, Any]) -> str:
    state = f"exit {line['code']}  open {line['open'] or '-'}  broken {line['broken']}"
    how = "; ".join(line["wrong"])[:300] or "as before"
    return f"{line['n']:3} {line['signal']} {line['drill']:20} at {line['at s']:5.1f} s  {state}: {how}"


def _lines(log: Path | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log and log.exists() else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("drills", nargs="*", default=["aurora-failover", "az-loss"], metavar="DRILL")
    parser.add_argument("--log", type=Path, help="where each is noted, so that it is not sent again")
    parser.add_argument("--signal", default="SIGKILL", choices=["SIGKILL", "SIGSTOP", *ASKED])
    parser.add_argument("--healer", choices=[COMMAND, WATCHDOG], default=WATCHDOG)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--rate", default="40")
    parser.add_argument("--within-s", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=8, help="send no other signal after that")
    parser.add_argument("--home", type=Path, help="with a local staging that runs already")
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--sum", action="store_true", help="sum up the log and do nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
