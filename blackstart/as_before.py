"""After healing from outside a drill: whether staging is as that drill had found it, and serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart import observe
from blackstart.history import History
from blackstart.waiting import TooLate, wait_until
from probes import snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blackstart.context import Context
    from blackstart.staging import Staging

WITHIN_S = 180.0
STEADY_S = 5.0
_LOOK_AGAIN_S = 1.0


class NotAsBefore(Exception):
    """Everything is healed, and staging is still not what it was; the message says what differs."""


def found_by(here: Context, drill: str) -> dict[str, Any] | None:
    """Return the snapshot that a drill took of staging before it broke anything, None if there is none."""
    folder = here.drills / drill / "history"
    if not (folder / "events.jsonl").is_file():
        return None
    taken = History(folder).event("snapshot")
    return None if taken is None else dict(taken.detail["state"])


def await_as_before(staging: Staging, before: Mapping[str, Any]) -> None:
    """Wait until staging equals that snapshot, and its bank has answered well for a while.

    Raises NotAsBefore when it does not come to that.
    """
    # a drill after which people may have another database has left it out of its snapshot
    but = () if any(name.startswith(snapshot.DATABASES) for name in before) else snapshot.DATABASES
    wrong: list[str] = []

    def equal() -> bool:
        wrong[:] = snapshot.differences(before, snapshot.snapshot(staging, but))
        return not wrong

    try:
        wait_until(equal, within_s=WITHIN_S, what="staging is as before", every_s=_LOOK_AGAIN_S)
        serves = observe.healthy_for(STEADY_S, staging.facts.base_url)
        wait_until(serves, within_s=WITHIN_S, what=f"the bank answers well for {STEADY_S:g} s")
    except TooLate as why:
        raise NotAsBefore("; ".join([str(why), *wrong])) from why
