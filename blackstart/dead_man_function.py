"""What the dead man's schedule calls: heal from the account's ledger. Not yet run on AWS.

An AWS Lambda function with the handler `blackstart.dead_man_function.handle`; `BLACKSTART_HOME` must be a
folder that it may write to, `BLACKSTART_STAGING` the staging's file in its package. While it heals, and when
it fails or is cut off, the schedule is armed: it goes on where it was, at the next instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart import context, healing
from blackstart.lock import only_one

if TYPE_CHECKING:
    from collections.abc import Mapping


def handle(event: Mapping[str, Any], _: object) -> dict[str, str]:
    """Heal everything that the account's ledger holds open; return what was done, in words.

    Raises Leased while a runner lives, which keeps its own schedule armed, and Conflict, for people.
    """
    here = context.current()
    with only_one(here.place):
        done = healing.heal(here, here.attach(), from_account=True)
    return {"environment": str(event.get("environment", "")), "done": done}
