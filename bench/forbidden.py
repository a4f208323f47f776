"""Try every generated forbidden plan on the control plane, and count changes: at the choke point, and there.

    .venv/bin/python bench/forbidden.py --seed 1

One line per kind: how many were tried, refused, came to the choke point as a change, and changed something by
the control plane's own trail. Exit code 1 when one was let through. Before, the same attempts with nothing
wrong must be let through: a guard that always refuses would prove nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.safety import forbidden
from tests.safety.scene import Scene


def main() -> None:
    """Try them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="blackstart-forbidden-") as directory:
        scene = Scene(Path(directory))
        try:
            let_through = forbidden.controls(scene)
            outcomes = [forbidden.run(scene, case) for case in forbidden.cases(scene, chosen.seed)]
        finally:
            scene.stop()
    print(f"allowed, and let through: {sum(not said for said in let_through.values())} of {len(let_through)}")
    wrong = [outcome for outcome in outcomes if not outcome.held]
    show(outcomes)
    for outcome in wrong:
        print(f"NOT HELD {outcome.case.kind}: {outcome.case.name}: {outcome.said!r} {outcome.in_the_trail}")
    print(f"seed {chosen.seed}, {time.monotonic() - begun:.0f} s")
    sys.exit(bool(wrong or any(let_through.values())))


def show(outcomes: list[forbidden.Outcome]) -> None:
    """Print a table by kind, and its sum."""
    kinds = defaultdict[str, list[forbidden.Outcome]](list)
    for outcome in outcomes:
        kinds[outcome.case.kind].append(outcome)
    print("| kind | plans | refused | changes at the choke point | changes in the trail |")
    for kind, some in [*sorted(kinds.items()), ("all", outcomes)]:
        choke = sum(len(outcome.at_the_choke) for outcome in some)
        trail = sum(len(outcome.in_the_trail) for outcome in some)
        print(f"| {kind} | {len(some)} | {sum(bool(o.said) for o in some)} | {choke} | {trail} |")


if __name__ == "__main__":
    main()
