"""The whole double under load, nothing broken: arrivals, latency, failures, and who uses the CPU.

    .venv/bin/python bench/steady_load.py --rate 1000 --seconds 60

Starts a local staging of its own in a temporary folder. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import psutil

from blackstart.history import History
from loadgen.process import LoadProcess
from staging.local import lifecycle
from staging.local.options import Options

WARM_UP_S = 5.0


def kind(process: psutil.Process) -> str:
    """Name the part of the double that a process belongs to."""
    words = process.cmdline() or [process.name()]
    for name in ("staging.local.bank", "staging.local.host", "relay", "locustfile"):
        if any(name in word for word in words):
            return name.rpartition(".")[2]
    if words[0].startswith("postgres:"):  # its children say what they do instead of who they are
        return "postgres"
    command = Path(words[0]).name.split(" ")[0].rstrip(":")
    return {"valkey-server": "cache"}.get(command, command)


def cpu_s(root: psutil.Process) -> dict[str, float]:
    """Return the CPU seconds that a process and its descendants have used, by part."""
    used: dict[str, float] = defaultdict(float)
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
            used[kind(process)] += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return used


def figures(history: History, from_ns: int, until_ns: int) -> dict[str, float]:
    """Return what the requests of a span of time say."""
    requests = history.requests
    requests = requests.where((requests.intended_ns >= from_ns) & (requests.intended_ns < until_ns))
    ms = requests.latency_ns / 1e6
    return {
        "requests": len(requests),
        "not ok": int((~requests.ok).sum()),
        **{f"p{q:g} ms": round(float(np.percentile(ms, q)), 1) for q in (50, 95, 99, 99.9)},
        "max ms": round(float(ms.max()), 1),
        "generator lag p99 ms": round(float(np.percentile(requests.lag_ns / 1e6, 99)), 1),
    }


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--isolation")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blackstart-bench-") as directory:
        folder = Path(directory)
        options = Options(isolation=arguments.isolation, owner_pid=os.getpid())
        staging = lifecycle.up(folder / "local", options, lambda _: None)
        try:
            print(json.dumps(measure(staging.facts.base_url, folder, arguments), indent=1))
        finally:
            lifecycle.down(folder / "local")


def measure(url: str, folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """Run the load and return the figures."""
    me, log = psutil.Process(), folder / "load.log"
    load = LoadProcess(url, arguments.rate, arguments.seed, "bench", folder / "history", log)
    load.start()
    until_warm(folder, load)
    before, from_ns = cpu_s(me), time.monotonic_ns()
    time.sleep(arguments.seconds)
    after, until_ns = cpu_s(me), time.monotonic_ns()
    load.stop()
    wanted = arguments.rate * (until_ns - from_ns) / 1e9
    seen = figures(History(folder / "history"), from_ns, until_ns)
    share = {part: round(100 * (after[part] - before[part]) / arguments.seconds, 1) for part in after}
    return {
        "arrivals, % of intended": round(100 * seen["requests"] / wanted, 2),
        **seen,
        "CPU, % of one core": dict(sorted(share.items(), key=lambda item: -item[1])),
        "CPU, % of one core, all": round(sum(share.values()), 1),
    }


def until_warm(folder: Path, load: LoadProcess) -> None:
    """Wait for the first requests, then let connections and caches settle."""
    deadline = time.monotonic() + 60
    while not any((folder / "history").glob("requests-*.jsonl")):
        assert time.monotonic() < deadline, load.failed_because()
        time.sleep(0.1)
    time.sleep(WARM_UP_S)


if __name__ == "__main__":
    main()
