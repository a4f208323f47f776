"""A runner without load, as a process: lock, watchdog, injection; then it does what its argument says."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from blackstart import activities, context
from blackstart.holding import check_account, held
from blackstart.lock import only_one
from blackstart.watched import watched
from faults import subnet_blackhole

ROOT = Path(__file__).parents[2]


def main() -> None:
    what, zone = sys.argv[1:]
    free = context.current()
    with (
        only_one(free.place),
        held(free, free.own(), free.drill) as (here, _),
        watched(here, Path(here.folder or ""), ROOT) as dog,
    ):
        os.environ.update(here.environment())
        check_account(here)
        dog.await_ready()
        subnet_blackhole.inject(vpc="bank", az=zone, tiers=["data"], target_group="bank-api")
        sys.stdout.write("broken\n")
        sys.stdout.flush()
        if what == "ends":
            activities.heal_open(here, context.attached())
            dog.dismiss()
            return
        if what == "gives up":
            dog.hand_over()
            return
        dog.promise(600.0)
        signal.pause()


if __name__ == "__main__":
    main()
