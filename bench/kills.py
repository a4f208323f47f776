"""Kill drills with SIGKILL (or stop them with another signal) at random moments, heal, and compare staging.

    .venv/bin/python bench/kills.py --times 20 aurora-failover aurora-writer-crash az-loss
    .venv/bin/python bench/kills.py --times 20 --signal SIGTERM az-loss

Starts a local staging of its own in --home (a new folder by default, kept). One line per kill, then a sum.
A kill counts as good when afterwards `blackstart heal` exits with 0, nothing is open in the ledger, every
subnet has the network ACL of before, the databases are those of before, and staging becomes whole again. The
moments are drawn from --seed: between the start of the command line and the end of a whole drill.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from blackstart.context import Context
from blackstart.waiting import TooLate, wait_until
from probes import steady
from staging.local import lifecycle
from staging.local.options import Options

BLACKSTART = str(Path(sys.executable).with_name("blackstart"))
WHOLE_WITHIN_S = 180.0
ENDS_WITHIN_S = 300.0


def main() -> None:
    """Kill them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("drills", nargs="+")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--rate", default="100")
    parser.add_argument("--signal", default="SIGKILL", choices=["SIGKILL", "SIGTERM", "SIGINT"])
    parser.add_argument("--within-s", type=float, default=25.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path)
    chosen = parser.parse_args()
    home = chosen.home or Path(tempfile.mkdtemp(prefix="blackstart-bench-"))
    lifecycle.up(home / "local", Options(), lambda _: None)
    try:
        chance = random.Random(chosen.seed)  # noqa: S311 - moments, not secrets
        found = [
            one_kill(home, chosen.drills[n % len(chosen.drills)], chosen.rate, chosen.signal, moment_s)
            for n in range(chosen.times)
            for moment_s in [chance.uniform(0.5, chosen.within_s)]
        ]
    finally:
        lifecycle.down(home / "local")
    print(json.dumps({
        "signal": chosen.signal, "kills": len(found), "left open": sum(one["open"] for one in found),
        "as before, after heal": sum(not one["wrong"] for one in found),
    }))  # fmt: skip


def one_kill(home: Path, drill: str, rate: str, name: str, moment_s: float) -> dict[str, Any]:
    """Start a drill, end it at the moment, heal, compare."""
    context = Context(home=str(home))
    wait_until(lambda: not missing(context), within_s=WHOLE_WITHIN_S, what="staging is whole", every_s=0.5)
    before = shape(context)
    argv = [BLACKSTART, "--home", str(home), "drill", drill, "--rate", rate, "--seed", "1"]
    running = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        running.wait(moment_s)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.Signals[name])
    code = running.wait(ENDS_WITHIN_S)
    left = [entry.fault for entry in context.ledger.open_entries()]
    healed = subprocess.run([BLACKSTART, "--home", str(home), "heal"], check=False).returncode
    wrong = differences(context, before, healed)
    told = f"{name} {drill:20} at {moment_s:5.1f} s  exit {code:3}  open {left or '-'}"
    print(told, wrong or "as before", flush=True)
    return {"open": bool(left), "wrong": wrong}


def differences(context: Context, before: dict[str, Any], healed: int) -> list[str]:
    """Return what is not as it was."""
    wrong = [] if healed == 0 else [f"heal exits with {healed}"]
    wrong += [f"still open: {entry.fault}" for entry in context.ledger.open_entries()]
    try:
        wait_until(
            lambda: not missing(context), within_s=WHOLE_WITHIN_S, what="staging is whole", every_s=0.5
        )
    except TooLate:
        wrong += missing(context)
    after = shape(context)
    return wrong + [f"{name}: {after[name]}, was {was}" for name, was in before.items() if after[name] != was]


def missing(context: Context) -> list[str]:
    """Return what keeps staging from being whole."""
    return steady.unwhole(context.attach(), "ledger", ("bank", "bank-api"), "bank-api", "cache")


def shape(context: Context) -> dict[str, Any]:
    """Return what a drill may change and must put back."""
    staging = context.attach()
    acls = staging.aws("ec2").describe_network_acls()["NetworkAcls"]
    return {
        "ACL of each subnet": {
            association["SubnetId"]: acl["NetworkAclId"]
            for acl in acls
            for association in acl["Associations"]
        },
        "ACLs": len(acls),
        "databases": steady.databases(staging),
    }


if __name__ == "__main__":
    main()
