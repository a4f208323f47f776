"""Heal while something goes wrong: it ends as before, or says loudly that it did not, and then once more.

    .venv/bin/python bench/heal_troubles.py --log troubles.jsonl az-loss aurora-failover spot-unavailable
    .venv/bin/python bench/heal_troubles.py --log troubles.jsonl --only conflict az-loss
    .venv/bin/python bench/heal_troubles.py --log troubles.jsonl --sum

For each drill its fault is put in, then `blackstart heal` runs with each trouble of `troubled` at its first,
second, ... change (and at its first call, for those that can hit a read) until healing makes no more of them.
Two more troubles come from outside: the staging's whole control plane hangs for a while (SIGSTOP), and
somebody else has changed the target (`meddlers`), who takes it back before the second attempt.

Good is: exit code 0 and staging as before; or exit code 6, one line that says what is left and no traceback,
a ledger that still names it, and a second `heal` that ends with 0 and staging as before. The log is resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import troubled
from ground import ROOT, Ground, ground
from meddlers import MEDDLERS

from blackstart.exit_code import ExitCode
from staging.local import state_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONFLICT, HANGS = "conflict", "control plane hangs"
HANGS_S = 5.0
AT_MOST = 12  # changes of one healing
LASTING = {"expired credentials": 1000, "nobody listens": 1000}  # until the process ends; others hit one call
AT_A_READ = ("throttled", "expired credentials", "nobody listens")
LOUD = "blackstart: not healed: "


def main() -> None:
    """Try each trouble that is not in the log yet."""
    chosen = _arguments()
    lines = _lines(chosen.log)
    if chosen.sum:
        print(json.dumps(summary(lines), indent=1))
        return
    deadline = time.monotonic() + 60 * chosen.minutes
    with ground(chosen.home, tasks=chosen.tasks) as here:
        for drill in chosen.drills:
            for trouble in _troubles(lines, drill, chosen.only):
                if time.monotonic() > deadline:
                    return
                line = one_trouble(here, drill, trouble)
                lines.append(line)
                with chosen.log.open("a") as log:
                    log.write(json.dumps(line) + "\n")
                print(_told(line), flush=True)


def one_trouble(here: Ground, drill: str, trouble: troubled.Trouble) -> dict[str, Any]:
    """Break, heal in trouble, heal again if need be, compare."""
    began, here = time.monotonic(), here.before_drill(drill)
    here.break_off(drill)
    said_from = here.log.stat().st_size
    with _from_outside(here, drill, trouble) as take_back:
        code = _heal(here, trouble)
        left = [entry.fault for entry in here.open]
        take_back()
    said = here.log.read_text(errors="replace")[said_from:]
    again = None if code == 0 else here.heal()
    wrong = [*_badly_told(code, left, said), *([f"again: {again}"] if again else []), *here.wrong()]
    return {
        "drill": drill, "trouble": trouble.kind, "at": trouble.at, "of changes": trouble.of_changes,
        "happened": "trouble: " in said or trouble.kind in (CONFLICT, HANGS), "code": code, "left": left,
        "said": [line for line in said.splitlines() if line.startswith("blackstart: ")][-1:],
        "again": again, "wrong": wrong, "s": round(time.monotonic() - began, 1),
    }  # fmt: skip


def _heal(here: Ground, trouble: troubled.Trouble) -> int:
    """Heal in trouble; a process of which the clock is to jump must be started anew."""
    words = ("--home", str(here.home), "heal")
    if trouble.kind != troubled.CLOCK:
        return here.launch(troubled.main, trouble.environment(), "blackstart", *words)
    with here.log.open("ab") as log:
        return subprocess.run(
            [sys.executable, troubled.__file__, *words], cwd=ROOT, stdout=log, stderr=log, check=False,
            env={**os.environ, **trouble.environment()},
        ).returncode  # fmt: skip


def _badly_told(code: int, left: list[str], said: str) -> list[str]:
    """Return how the exit code and the words do not say what is true."""
    wrong = ["a traceback"] if "Traceback (most recent call last)" in said else []
    if code not in (ExitCode.PASSED, ExitCode.NOT_HEALED):
        wrong.append(f"exit code {code}")
    if code == ExitCode.NOT_HEALED and (LOUD not in said or not left):
        wrong.append("it is not loud about what is left")
    if code == ExitCode.PASSED and left:
        wrong.append(f"it says that all is well, and leaves {left}")
    return wrong


@contextmanager
def _from_outside(here: Ground, drill: str, trouble: troubled.Trouble) -> Iterator[Callable[[], object]]:
    """Let happen what a launcher cannot; yield how to take it back."""
    if trouble.kind == CONFLICT:
        yield MEDDLERS[drill](here.staging, here.open[0])
    elif trouble.kind == HANGS:
        with _hanging(here):
            yield lambda: None
    else:
        yield lambda: None


@contextmanager
def _hanging(here: Ground) -> Iterator[None]:
    """Stop the process that is the control plane for a while, from when healing begins."""
    state = state_file.read(here.home / "local")
    host = psutil.Process(state.host.pid) if state else psutil.Process()
    host.send_signal(signal.SIGSTOP)
    wake = threading.Timer(HANGS_S, host.send_signal, [signal.SIGCONT])
    wake.start()
    try:
        yield
    finally:
        wake.join()


def _troubles(lines: list[dict[str, Any]], drill: str, only: str | None) -> Iterator[troubled.Trouble]:
    """Yield what is not in the log yet, and stop counting up where a trouble found no call to happen to."""
    done = {(one["trouble"], one["at"], one["of changes"]) for one in lines if one["drill"] == drill}
    for kind in (*troubled.KINDS, HANGS, CONFLICT):
        if only not in (None, kind) or (kind == CONFLICT and drill not in MEDDLERS):
            continue
        if kind in AT_A_READ and (kind, 1, False) not in done:
            yield troubled.Trouble(kind=kind, of_changes=False, lasts=LASTING.get(kind, 1))
        for at in range(1, 2 if kind in (HANGS, CONFLICT) else AT_MOST):
            if _was_too_late(lines, drill, kind):
                break
            if (kind, at, True) not in done:
                yield troubled.Trouble(kind=kind, at=at, lasts=LASTING.get(kind, 1))


def _was_too_late(lines: list[dict[str, Any]], drill: str, kind: str) -> bool:
    return any((one["drill"], one["trouble"], one["happened"]) == (drill, kind, False) for one in lines)


def summary(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the counts of each trouble of each drill."""
    kinds = sorted({(line["drill"], line["trouble"]) for line in lines})
    return [
        _sum([line for line in lines if (line["drill"], line["trouble"]) == kind and line["happened"]], kind)
        for kind in kinds
    ]


def _sum(lines: list[dict[str, Any]], kind: tuple[str, str]) -> dict[str, Any]:
    return {
        "drill": kind[0], "trouble": kind[1], "tried": len(lines),
        "healed at once": sum(line["code"] == 0 for line in lines),
        "said so, healed at the second attempt": sum(line["again"] == 0 for line in lines),
        "good": sum(not line["wrong"] for line in lines),
        "wrong": Counter(wrong[:160] for line in lines for wrong in line["wrong"]),
    }  # fmt: skip


def _told(line: dict[str, Any]) -> str:
    where = f"{'change' if line['of changes'] else 'call'} {line['at']}" if line["happened"] else "never"
    how = "; ".join(line["wrong"])[:300] or "good"
    said = " ".join(line["said"])[:160]
    return (
        f"{line['drill']} {line['trouble']} at {where}: exit {line['code']}, "
        f"again {line['again']}, {line['s']} s: {how}  {said}"
    )


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("drills", nargs="*", default=sorted(MEDDLERS), metavar="DRILL")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--only", choices=[*troubled.KINDS, HANGS, CONFLICT])
    parser.add_argument("--minutes", type=float, default=8, help="begin no other trouble after that")
    parser.add_argument("--home", type=Path, help="with a local staging that runs already")
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--sum", action="store_true", help="sum up the log and do nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
