"""The watchdog: a process in a session of its own that heals when the runner of its drill is dead or hung.

Run as `python -m blackstart.watchdog PID` by `blackstart.watched`. One word on its standard input dismisses
it, another hands over what the runner could not heal; the end of that pipe without a word means that the
runner is gone, a heartbeat that does not change that it hangs: then it is killed first. Before anything is
healed the watchdog takes the staging's lock, which is free once nobody of the drill lives, and it looks what
is still open: somebody else may have healed meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from blackstart import as_before, context, healing, heartbeat
from blackstart.context import NoStaging
from blackstart.exit_code import ExitCode
from blackstart.fault import Conflict
from blackstart.holding import held_if_possible
from blackstart.lease import Leased
from blackstart.lock import Busy, only_one
from blackstart.watched import END, HEARTBEAT, LEFT, READY

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.context import Context
    from blackstart.staging import Staging

HANDED_OVER = "the runner could not heal what it broke"
LOOK_EVERY_S, HUNG_AFTER_S = 0.5, 10.0
_TRY_AGAIN_S, _DEAD_AFTER_S, _GIVE_UP_AFTER_S = 1.0, 30.0, 3600.0

log = logging.getLogger("watchdog")


def main() -> None:
    """Watch the drill of this process's context, and heal what it leaves."""
    # whoever ends everything of a job that was cancelled must not end its safety first
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    here = context.current()
    runner = os.pidfd_open(int(sys.argv[1]))
    staging: Staging = context.warmed_up(here.attach())
    with contextlib.suppress(BrokenPipeError):  # a runner that is gone already is found out next
        os.write(sys.stdout.fileno(), READY)
    why = watch(runner, sys.stdin.fileno(), here.place / HEARTBEAT)
    if why == HANDED_OVER:  # and has sealed its folder, in which nothing may change any more
        here = replace(here, folder=None)
        staging = _attached_anew(here) or staging
    if why is not None:
        sys.exit(ExitCode.PASSED if heal(here, staging, why) else ExitCode.NOT_HEALED)


def watch(runner: int, pipe: int, beats: Path) -> str | None:
    """Wait for the end of the drill; return what has become of the runner, None when it dismisses us.

    Looks are counted, not seconds: after a pause of the whole machine everybody gets the chance to go on.
    """
    unchanged, last = 0, b""
    while True:
        if select.select([pipe], [], [], LOOK_EVERY_S)[0]:
            return {END: None, LEFT: HANDED_OVER}.get(os.read(pipe, len(END)), "the runner is gone")
        beat = heartbeat.read(beats)
        unchanged, last = (0, beat) if beat != last else (unchanged + 1, last)
        if unchanged * LOOK_EVERY_S >= HUNG_AFTER_S:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(runner, signal.SIGKILL)
            return f"the runner gave no sign of life for {HUNG_AFTER_S:g} s and was killed"


def heal(here: Context, warm: Staging, why: str) -> bool:
    """Heal what the drill has left open, once nobody else is at work; tell whether staging is as before.

    It is tried again until it succeeds: the control plane may be away, or refuse for a while.
    """
    _say(here, "watchdog", found=why)
    began, said, staging = time.monotonic(), "", warm
    while time.monotonic() < began + _GIVE_UP_AFTER_S:
        try:
            with only_one(here.place):
                (here.place / HEARTBEAT).unlink(missing_ok=True)
                return _heal_ours(here, staging)
        except (Busy, Leased):  # somebody drills or heals, or somebody of our drill is still about to die
            if not here.ledger.open_entries_of(here.drill) and time.monotonic() > began + _DEAD_AFTER_S:
                return True
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, trying again is all that is left
            if (text := f"{type(error).__name__}: {error}") != said:
                _say(here, "watchdog.failed", error=text)
            said, staging = text, _attached_anew(here) or staging
        time.sleep(_TRY_AGAIN_S)
    return False


def _heal_ours(here: Context, staging: Staging) -> bool:
    if not here.ledger.open_entries_of(here.drill):
        _say(here, "watchdog.end", outcome="nothing is left to heal")
        _give_back(here)
        return True
    try:
        done = healing.heal(here, staging)
    except Conflict as conflict:  # to try again would change nothing: people must look
        _say(here, "watchdog.end", outcome=f"NOT HEALED, somebody else changed it: {conflict}")
        return False
    unlike = _unlike_before(here, staging)
    _say(here, "watchdog.end", outcome=f"{done}, but staging is NOT AS BEFORE: {unlike}" if unlike else done)
    return not unlike


def _unlike_before(here: Context, staging: Staging) -> str:
    """Return how staging differs from what the drill had found; nothing if it does not, or nobody looked."""
    before = as_before.found_by(here, here.drill)
    try:
        if before is not None:
            as_before.await_as_before(staging, before)
    except as_before.NotAsBefore as why:
        return str(why)
    return ""


def _give_back(here: Context) -> None:
    """Give back what the runner held in the account; if that does not work, it ends by itself."""
    with contextlib.suppress(NoStaging, Leased), held_if_possible(here, "giving back"):
        pass


def _attached_anew(here: Context) -> Staging | None:
    """Connect once more; what was broken on a local staging that has ended is closed, and None returned."""
    try:
        return here.attach()
    except NoStaging as gone:
        log.info("%s", gone)
        here.ledger.forget(None)
        return None


def _say(here: Context, kind: str, **detail: Any) -> None:
    log.info("%s %s", kind, detail)
    events = here.events()
    events.write(kind, **detail)
    events.close()


if __name__ == "__main__":
    main()
