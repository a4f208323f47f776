"""What load costs the generator: ours, stock Locust's and a C program's, in turn, against the same server.

    .venv/bin/python bench/generators.py --rate 1000 --seconds 10 --rounds 3

The server is the calibration's target on loopback, in a process of its own. Each generator is to send as
many requests per second; what is counted is the CPU of its processes once it sends, in percent of one core,
and how many arrivals came of those intended. h2load (Debian: nghttp2-client) stands for what it must cost: it
sends reads over ten fixed connections and looks at nothing. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from blackstart.history import History
from blackstart.waiting import wait_until
from calibration.control import Target
from calibration.onlookers import looks_in
from loadgen.process import LoadProcess

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
WARM_S = 3.0
READS = "balance=1"
CONNECTIONS = 10  # of h2load
STOCK_USERS_EACH = 2  # requests per second, see calibration/stock_locustfile.py
SHARES = ("arrived, % of intended", "CPU, % of a core")

Measured = dict[str, float]


def main() -> None:
    """Let each of them send, in turn, several times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    generators: dict[str, Callable[[str, Path, float, float], Measured]] = {
        "ours, as in a drill": lambda *how: ours(*how, "--mix", "transfer=30,balance=69.7,login=0.3"),
        "ours, reads only": lambda *how: ours(*how, "--mix", READS),
        "stock Locust, FastHttpUser, reads only": stock,
    }
    if shutil.which("h2load"):
        generators["h2load, reads only"] = h2load
    found: dict[str, list[Measured]] = {name: [] for name in generators}
    for _ in range(chosen.rounds):
        for name, send in generators.items():
            with Target() as target, tempfile.TemporaryDirectory(prefix="blackstart-bench-") as folder:
                found[name].append(send(target.url, Path(folder), chosen.rate, chosen.seconds))
    print(json.dumps({name: told(rounds) for name, rounds in found.items()}, indent=1))


def told(rounds: list[Measured]) -> dict[str, str]:
    """Return median and extremes of each figure."""
    return {
        name: f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
        for name in rounds[0]
        for values in [[one[name] for one in rounds]]
    }


def ours(url: str, folder: Path, rate: float, seconds: float, *extra: str) -> Measured:
    """Send with our load, its history and all."""
    load = LoadProcess(url, rate, 1, "bench", folder / "history", folder / "load.log", extra=extra)
    load.start()
    try:
        wait_until(lambda: _lines(folder / "history") > rate, within_s=60, what="the load's first requests")
        used, from_ns, until_ns = _watched(load.cpu_s, seconds)
    finally:
        load.stop()
    came = len(History(folder / "history").requests.between(from_ns, until_ns))
    return dict(zip(SHARES, (100 * came / rate / seconds, used), strict=True))


def stock(url: str, folder: Path, rate: float, seconds: float) -> Measured:
    """Send with stock Locust: as many users as make the rate when every answer comes at once."""
    users = str(round(rate / STOCK_USERS_EACH))
    command = [
        sys.executable, "-m", "locust", "-f", str(ROOT / "calibration" / "stock_locustfile.py"), "--headless",
        "--only-summary", "--host", url, "--users", users, "--spawn-rate", users,
    ]  # fmt: skip
    env = {**os.environ, "CALIBRATION_LOOKS": str(folder / "stock.jsonl")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
    try:
        wait_until(lambda: len(looks_in(folder)) > rate, within_s=60, what="stock Locust's first requests")
        used, from_ns, until_ns = _watched(lambda: _cpu_s(process.pid), seconds)
    finally:
        process.kill()
        process.wait()
    asked = sum(from_ns <= look.start_ns < until_ns for look in looks_in(folder))
    return dict(zip(SHARES, (100 * asked / rate / seconds, used), strict=True))


def h2load(url: str, folder: Path, rate: float, seconds: float) -> Measured:
    """Send with a C program, which does not wait for the clock but for its connections."""
    lasts_s = seconds + 2 * WARM_S
    command = [
        "h2load", "--h1", "-c", str(CONNECTIONS), "--rps", f"{rate / CONNECTIONS:g}", "-D", f"{lasts_s:g}",
        f"{url}/accounts/1/balance",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    used, _, _ = _watched(lambda: _cpu_s(process.pid), seconds)
    process.wait()
    line = next(line for line in (folder / "log").read_text().splitlines() if line.startswith("requests:"))
    return dict(zip(SHARES, (100 * int(line.split()[1]) / rate / lasts_s, used), strict=True))


def _watched(cpu_s: Callable[[], float], seconds: float) -> tuple[float, int, int]:
    """Return the CPU that was used, in percent of a core, and from when until when."""
    time.sleep(WARM_S)
    before_s, from_ns = cpu_s(), time.monotonic_ns()
    time.sleep(seconds)
    used_s, until_ns = cpu_s() - before_s, time.monotonic_ns()
    return 100 * used_s / ((until_ns - from_ns) / 1e9), from_ns, until_ns


def _cpu_s(pid: int) -> float:
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
    return sum(one.user + one.system for one in times)


def _lines(history: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in history.glob("requests-*.jsonl"))


if __name__ == "__main__":
    main()
