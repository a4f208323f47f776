"""Kill drills, and healing, with `kill -9` at each of their steps; heal; compare staging with what it was.

    .venv/bin/python bench/kill_matrix.py --log kills.jsonl az-loss aurora-failover
    .venv/bin/python bench/kill_matrix.py --log kills.jsonl --every 10 --minutes 8 backup-restore
    .venv/bin/python bench/kill_matrix.py --log kills.jsonl --kill heal az-loss
    .venv/bin/python bench/kill_matrix.py --log kills.jsonl --healer watchdog az-loss
    .venv/bin/python bench/kill_matrix.py --log kills.jsonl --sum

For n = 1, 2, ...: run the drill until its n-th step (see `mortal`), where its runner dies, and with `--healer
command` its watchdog too; look whether staging is broken; heal from a new process, or let the watchdog do so;
compare everything that the control plane describes (see `described`) with what it was before the first drill.
Go on until a drill ends by itself before its n-th step. With `--kill experiment` the runner is Chaos Toolkit
alone, without load or conductor: quicker, and all changes are in it. With `--kill heal` the drill is broken
off when its last fault is in, then healing is killed at its n-th step, and once more must finish.

The log is resumed: what is in it is not done again, so a run with `--every 1` fills the gaps of one with
`--every 10`. Without --home a local staging of its own is started, and ended.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mortal
from ground import COMMAND, WATCHDOG, Ground, experiment, ground

from catalogue import DRILLS

if TYPE_CHECKING:
    from collections.abc import Iterator

DRILL, EXPERIMENT, HEAL = "drill", "experiment", "heal"  # who is killed
STEPS_MAX = 100_000


def main() -> None:
    """Kill at every step that is not in the log yet, until all are or the time is over."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the staging ends with us
    chosen = _arguments()
    if chosen.sum:
        print(json.dumps(summary(_lines(chosen.log)), indent=1))
        return
    deadline = time.monotonic() + 60 * chosen.minutes
    with ground(chosen.home, tasks=chosen.tasks) as here:
        for drill in chosen.drills:
            for step in _to_do(_lines(chosen.log), drill, chosen):
                if time.monotonic() > deadline:
                    return
                line = one_kill(here, drill, chosen, step)
                with chosen.log.open("a") as log:
                    log.write(json.dumps(line) + "\n")
                print(_told(line), flush=True)
                if line["ended"]:
                    break


def one_kill(here: Ground, drill: str, chosen: argparse.Namespace, step: int) -> dict[str, Any]:
    """Kill at this step, heal, compare; return what is worth a line in the log."""
    began, here = time.monotonic(), here.before_drill(drill)
    if chosen.kill == HEAL:
        here.break_off(drill)
    else:
        here.make_ready(drill)
    steps = here.fresh_steps()
    orders = mortal.Orders(steps=str(steps), at=step, with_watchdog=chosen.healer == COMMAND)
    code = here.launch(mortal.main, orders.environment(), *_words(here, drill, chosen))
    taken = steps.read_text().splitlines() if steps.exists() else []
    killed, left, broken = time.monotonic(), [entry.fault for entry in here.open], here.broken()
    healed = here.healed_by(chosen.healer)
    heal_s = round(time.monotonic() - killed, 1)
    wrong = [*([] if healed == 0 else [f"healing ended with {healed}"]), *here.wrong()]
    return {
        "drill": drill, "kill": chosen.kill, "healer": chosen.healer, "step": step,
        "ended": code != -signal.SIGKILL, "code": code, "steps": len(taken), "at": taken[-1:],
        "open": left, "broken": broken, "heal s": heal_s, "wrong": wrong,
        "s": round(time.monotonic() - began, 1),
    }  # fmt: skip


def _words(here: Ground, drill: str, chosen: argparse.Namespace) -> list[str]:
    command = ["mortal", "blackstart.cli", "--home", str(here.home)]
    return {
        DRILL: [*command, "drill", drill, "--rate", chosen.rate, "--seed", "1"],
        EXPERIMENT: experiment(here.home, drill),
        HEAL: [*command, "heal"],
    }[chosen.kill]


def _to_do(lines: list[dict[str, Any]], drill: str, chosen: argparse.Namespace) -> Iterator[int]:
    """Yield the steps that are not in the log, up to the one at which a drill has ended by itself."""
    ours = [
        line for line in lines
        if (line["drill"], line["kill"], line["healer"]) == (drill, chosen.kill, chosen.healer)
    ]  # fmt: skip
    done = {line["step"] for line in ours}
    ends = min((line["step"] for line in ours if line["ended"]), default=STEPS_MAX)
    yield from (n for n in range(chosen.first, min(ends, chosen.last + 1), chosen.every) if n not in done)


def summary(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the counts of each kind of kill of each drill."""
    kinds = sorted({(line["drill"], line["kill"], line["healer"]) for line in lines})
    return [_sum([one for one in lines if (one["drill"], one["kill"], one["healer"]) == kind], kind)
            for kind in kinds]  # fmt: skip


def _sum(lines: list[dict[str, Any]], kind: tuple[str, str, str]) -> dict[str, Any]:
    killed = [line for line in lines if not line["ended"]]
    return {
        "drill": kind[0], "killed": kind[1], "healer": kind[2],
        "steps of a whole run": [line["steps"] for line in lines if line["ended"]],
        "kills": len(killed),
        "ledger open": sum(bool(line["open"]) for line in killed),
        "staging broken": sum(bool(line["broken"]) for line in killed),
        "as before, after heal": sum(not line["wrong"] for line in killed),
        "s per kill, mean": round(sum(line["s"] for line in lines) / len(lines), 1),
        "wrong": Counter(wrong[:160] for line in lines for wrong in line["wrong"]),
    }  # fmt: skip


def _told(line: dict[str, Any]) -> str:
    where = "ended by itself" if line["ended"] else " ".join(line["at"])[:90]
    how = "; ".join(line["wrong"])[:300] or "as before"
    state = f"open {len(line['open'])} broken {line['broken']}"
    took = f"heal {line['heal s']} s, all {line['s']} s"
    return f"{line['drill']} {line['kill']} {line['step']:4}  {where}  {state}  {took}: {how}"


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("drills", nargs="*", default=sorted(DRILLS), metavar="DRILL")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--kill", choices=[DRILL, EXPERIMENT, HEAL], default=DRILL)
    parser.add_argument("--healer", choices=[COMMAND, WATCHDOG], default=COMMAND)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--last", type=int, default=STEPS_MAX)
    parser.add_argument("--rate", default="40", help="requests per second, for --kill drill")
    parser.add_argument("--minutes", type=float, default=8, help="begin no other kill after that")
    parser.add_argument("--home", type=Path, help="with a local staging that runs already")
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--sum", action="store_true", help="sum up the log and do nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
