"""How long judging a long history takes, and how much memory: every objective and figure of a drill.

    .venv/bin/python bench/judging.py --requests 10e6

Writes a history as the recorder does (one fault, an outage of 5 s, healed after 6 minutes; 30 of 100 requests
are transfers, all of which are read back, and each fiftieth of which is sent twice), then judges it in a
process of its own. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from blackstart.drills import judge_drill
from blackstart.history import History
from catalogue import DRILLS
from loadgen.users import REPEAT_EACH

T0_NS = 12_044_040_318_545
UTC0_NS = 1_795_411_860_798_069_971  # between the two clocks
RATE = 1000.0
RUN = "20261123T085133-aurora-failover-1"
BLOCK = 200_000
OUTAGE_S = 5.0
HEALED_AFTER_S = 360.0
ALARM = "ledger-writer-unavailable"
TASK = '"408a0d0409b1479ea859b9bf9d9de018","us-east-1b"]\n'


def write(folder: Path, requests: int) -> None:
    """Write the history of a drill whose fault comes two thirds of the way."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    fault_s = requests / RATE * 2 / 3
    header = {"kind": "header", "worker": "0", "run": RUN, "rate": RATE, "seed": 1}
    with (folder / "requests-0.jsonl").open("w") as lines, (folder / "final.jsonl").open("w") as final:
        lines.write(json.dumps(header, separators=(",", ":")) + "\n")
        for first in range(0, requests, BLOCK):
            write_block(lines, final, random, np.arange(first, min(requests, first + BLOCK)), fault_s)
        lines.write('{"kind":"footer","worker":"0"}\n')
        for account in range(1, 1001):
            final.write(f'{{"kind":"account","id":{account},"opening":0,"balance":0,"entries_sum":0}}\n')
        final.write('{"kind":"complete"}\n')
    tell(folder, fault_s)


def write_block(
    lines: TextIO, final: TextIO, random: np.random.Generator, numbers: npt.NDArray[np.int64], fault_s: float
) -> None:
    """Write some requests in the order of their answers, and what was read back of them."""
    count = len(numbers)
    at_s = (numbers + random.random(count)) / RATE
    intended = T0_NS + (at_s * 1e9).astype(np.int64)
    start = intended + random.integers(50_000, 900_000, count)
    down = (at_s >= fault_s) & (at_s < fault_s + OUTAGE_S)
    end = start + np.where(down, 2_000_000_000, random.gamma(2, 4e6, count).astype(np.int64))
    dice, orders = random.random(count), random.integers(1, 500, (count, 3))
    columns = [column.tolist() for column in (numbers, intended, start, end, down, dice, orders)]
    rows = list(zip(*columns, strict=True))
    out, back, again = [], [], list[str]()
    for row in np.argsort(end, kind="stable").tolist():
        number, intended_ns, start_ns, end_ns, is_down, die, (debit, credit, cents) = rows[row]
        times, key = f"[{intended_ns},{start_ns},{end_ns}", f"{RUN}-0-{number}"
        if die < 0.3:
            ended = '"unknown","timeout",0' if is_down else '"ok","",201'
            out.append(f'{times},"transfer",{ended},"{key}",[{debit},{credit},{cents}],{TASK}')
            if not is_down and number % REPEAT_EACH == 0:
                again.append(f'"{key}",[{debit},{credit},{cents}],{TASK}')
            if not is_down:
                back.append(
                    f'{{"kind":"transfer","key":"{key}","debit":{debit},"credit":{credit},"cents":{cents},'
                    f'"entries":2,"entries_ok":true,"committed_at_ns":{UTC0_NS + end_ns}}}\n'
                )
        elif again and not is_down:
            out.append(f'{times},"transfer","ok","",200,{again.pop()}')
        else:
            endpoint = "balance" if die < 0.997 else "login"
            ended = '"failed","timeout",0' if is_down else '"ok","",200'
            out.append(f'{times},"{endpoint}",{ended},"",null,{TASK}')
    lines.write("".join(out))
    final.write("".join(back))


def tell(folder: Path, fault_s: float) -> None:
    """Write the conductor's events."""
    fault_ns = T0_NS + int(fault_s * 1e9)
    events: list[tuple[int, str, dict[str, object]]] = [
        (T0_NS, "phase", {"name": "baseline"}),
        (T0_NS, "alarms.watched", {"names": [ALARM]}),
        (fault_ns, "inject.start", {"fault": "faults.x:X", "targets": ["cluster ledger"]}),
        (fault_ns + 10**7, "inject.end", {"fault": "faults.x:X"}),
        (fault_ns + 10**9, "bite", {"confirmed": True, "evidence": "another server answers writes"}),
        (fault_ns + 2 * 10**9, "alarm", {"name": ALARM, "state": "ALARM"}),
        (fault_ns + int(HEALED_AFTER_S * 1e9), "heal.start", {"fault": "faults.x:X"}),
        (fault_ns + int(HEALED_AFTER_S * 1e9), "heal.end", {"fault": "faults.x:X"}),
    ]
    with (folder / "events.jsonl").open("w") as lines:
        for at_ns, kind, detail in events:
            utc = datetime.fromtimestamp((UTC0_NS + at_ns - T0_NS) / 1e9, UTC).isoformat()
            line = {"at_ns": at_ns, "utc": utc, "kind": kind, **detail}
            lines.write(json.dumps(line) + "\n")


def peak_mb() -> float:
    """Return the most memory that this process has held; `getrusage` would begin with its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def judge(folder: Path) -> dict[str, object]:
    """Judge the drill in this process; say what that took."""
    before_mb = peak_mb()
    began_s, cpu_s = time.monotonic(), time.process_time()
    history, spec = History(folder), DRILLS["aurora-failover"]
    requests = len(history.requests)
    read_s = time.process_time() - cpu_s
    judgements = judge_drill(spec, history)
    figures = [figure.measure(history) for figure in spec.figures]
    return {
        "requests": requests,
        "seconds": round(time.monotonic() - began_s, 2),
        "CPU seconds": round(time.process_time() - cpu_s, 2),
        "of them reading the files": round(read_s, 2),
        "peak memory, MB": round(peak_mb()),
        "of it before, interpreter and libraries, MB": round(before_mb),
        "verdicts": {one.objective.name: one.verdict.value for one in judgements},
        "figures": len(figures),
    }


def main() -> None:
    """Write a history, judge it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=float, default=10e6)
    parser.add_argument("--judge", type=Path, help="judge this history, write none")
    arguments = parser.parse_args()
    if arguments.judge:
        print(json.dumps(judge(arguments.judge), indent=1))
        return
    with tempfile.TemporaryDirectory(prefix="blackstart-bench-") as directory:
        folder = Path(directory) / "history"
        write(folder, int(arguments.requests))
        subprocess.run([sys.executable, __file__, "--judge", str(folder)], check=True)


if __name__ == "__main__":
    main()
