"""What writing every request down costs, and what kill -9 takes away of it.

    .venv/bin/python bench/recorder.py --seconds 10 --kills 20

The cost: a process that writes 1,000 requests per second as the load does, beside one that goes through the
same motions and writes none; the CPU of both, in percent of one core. The kills: a process writes as fast
as it can and says on a pipe, after each write, which it was; it is killed at a random moment. Lost is what it
had said and the file does not hold. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gevent

from blackstart.history import History
from loadgen.recorder import Recorder

RATE = 1000.0
ROW: list[Any] = [
    12_044_040_318_545, 12_044_040_718_545, 12_044_047_318_545, "transfer", "ok", "", 201,
    "20261123T085133-aurora-failover-1-0-000000", [417, 902, 311], "408a0d0409b1479ea859b9bf9d9de018",
    "us-east-1b",
]  # fmt: skip


def main() -> None:
    """Measure, then kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--do", choices=["cost", "idle", "endless"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.do == "endless":
        endless(chosen.folder)
    elif chosen.do:
        print(cost(chosen.folder, chosen.seconds, writes=chosen.do == "cost"))
    else:
        print(json.dumps({"CPU, % of a core": costs(chosen), **kills(chosen.kills, chosen.seed)}, indent=1))


def costs(chosen: argparse.Namespace) -> list[dict[str, float]]:
    """Measure with and without writing, in turn."""
    return [
        {
            do: float(own("--do", do, "--seconds", str(chosen.seconds)).communicate()[0])
            for do in ("idle", "cost")
        }
        for _ in range(chosen.rounds)
    ]


def kills(times: int, seed: int) -> dict[str, int]:
    """Kill a process that writes, again and again; return what was said and what is lost of it."""
    moments, said, lost = random.Random(seed), 0, 0  # noqa: S311 - to be repeated
    for _ in range(times):
        with tempfile.TemporaryDirectory(prefix="blackstart-bench-") as folder:
            told = one_kill(Path(folder), moments.uniform(0.05, 0.5))
            written = {row[0] for row in History(Path(folder))._rows()}  # noqa: SLF001 - the lines themselves
            said, lost = said + len(told), lost + len(told - written)
    return {"kills": times, "said to be written": said, "lost": lost}


def one_kill(folder: Path, after_s: float) -> set[int]:
    """Let a process write for that long after its first line; return what it said it had written."""
    with own("--do", "endless", "--folder", str(folder)) as process:
        assert process.stdout
        told = process.stdout.readline()
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read()
    return {int(line) for line in told.rpartition(b"\n")[0].splitlines()}


def own(*arguments: str) -> subprocess.Popen[bytes]:
    """Start this file once more."""
    return subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE)


def cost(folder: Path | None, seconds: float, *, writes: bool) -> float:
    """Write at RATE for so long, or write nothing; return the CPU used, in percent of a core."""
    with tempfile.TemporaryDirectory(prefix="blackstart-bench-") as own_folder:
        recorder = Recorder(folder or Path(own_folder), "0", sys.exit)
        row = list(ROW)
        cpu_s, began_ns = time.process_time(), time.monotonic_ns()
        for nth in range(int(seconds * RATE)):
            row[0] = began_ns + int(nth * 1e9 / RATE)
            if writes:
                recorder.write(row)
            gevent.sleep(max(0.0, (row[0] - time.monotonic_ns()) / 1e9))
        used_s = time.process_time() - cpu_s
        recorder.close()
    return round(100 * used_s / seconds, 2)


def endless(folder: Path) -> None:
    """Write as fast as it goes, and say so after each."""
    recorder, row = Recorder(folder, "0", sys.exit), list(ROW)
    nth = 0
    while True:
        row[0] = nth
        recorder.write(row)
        os.write(1, b"%d\n" % nth)
        nth += 1
        if nth % 100 == 0:
            gevent.sleep(0)  # for the syncing


if __name__ == "__main__":
    main()
