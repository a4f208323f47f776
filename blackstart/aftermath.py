"""What comes after the experiment: heal, look whether all is as it was, and read everything back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_result, wait_fixed

from blackstart import activities, observe
from blackstart.exit_code import NOT_AS_BEFORE, UNHEALED
from blackstart.underway import NotProven, Stopped, ask, phase, wait_for

if TYPE_CHECKING:
    from blackstart.parts import Drill, Left
    from blackstart.underway import Underway

READS_WITHIN_S = 3600.0
_HEALS_WITHIN_S = 7200.0
_AS_BEFORE_WITHIN_S = 180.0
_STEADY_S, _STEADY_WITHIN_S = 5.0, 60.0
_ASK_AGAIN_S = 1.0
_GONE_WITHIN_S = 20.0


def heal(drill: Drill, one: Underway) -> bool:
    """Heal whatever the ledger still holds open; nothing, when the experiment's rollbacks did."""
    drill.safety.watchdog.promise(_HEALS_WITHIN_S)
    try:
        if drill.context.ledger.open_entries():
            drill.context.tell("phase", name="heal")  # a full disk must not keep staging broken
            drill.view.phase("heal")
            activities.heal_open(drill.context, drill.staging)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, people must hear that staging is broken
        one.reasons.append(f"{UNHEALED}: {type(error).__name__}: {error}")
        return False
    return True


def verify(drill: Drill, one: Underway) -> bool:
    """Tell whether staging is as it was before and serves; the load is still on.

    Not that the calls of healing were answered well, but that what they were for has come true.
    """
    phase(drill, one, "aftermath")
    wrong: list[str] = []

    def as_before() -> bool:
        wrong[:] = ask(drill, one, lambda: [*drill.unwhole(), *drill.differences()])
        return not wrong

    try:
        wait_for(
            drill, one, as_before, within_s=_AS_BEFORE_WITHIN_S, what="staging is as before",
            every_s=_ASK_AGAIN_S,
        )  # fmt: skip
        wait_for(
            drill, one, _serves(drill, one), within_s=_STEADY_WITHIN_S,
            what=f"no request fails for {_STEADY_S:g} s",
        )  # fmt: skip
    except Exception as why:  # noqa: BLE001 - what cannot be verified is not verified
        said = [f"{type(why).__name__}: {why}", *wrong]
        one.events.write("steady", ok=False, when="after", detail=said)
        one.reasons.append(f"{NOT_AS_BEFORE} after healing: {'; '.join(said)}")
        return False
    one.events.write("steady", ok=True, when="after", detail=[])
    return True


def keep_watching(drill: Drill, one: Underway) -> None:
    """Keep the load on until service has held again: nothing may break on return. A stop ends the waiting.

    Where the load has ended already, for healing leads customers to another ledger, there is nothing to see.
    """
    if one.read:
        return
    since = time.monotonic_ns()
    window_s = drill.spec.hold_at(drill.traffic.rate)
    try:
        wait_for(
            drill, one, lambda: bool(one.stop_reason or one.recent.held_since(since) is not None),
            within_s=window_s * 10, what="service holds again",
        )  # fmt: skip
    except NotProven as why:
        one.reasons.append(f"after healing: {why}")


def look_what_is_left(drill: Drill, one: Underway) -> None:
    """Look for what costs money and was not there before: that nothing was left is only said after a look."""
    try:
        left = _left_at_last(drill)
    except Exception as error:  # noqa: BLE001 - whatever it was, nobody may say that nothing was left
        one.reasons.append(f"what was left running is not known: {type(error).__name__}: {error}")
        return
    one.events.write("left", looked_at=left.looked_at, regions=left.regions, found=left.found)
    if left.found:
        one.reasons.append(f"left running: {', '.join(left.found)}")


def read_back(drill: Drill, one: Underway) -> None:
    """Read every transfer back into the history. Raises Stopped when that comes while all is still broken."""
    drill.safety.watchdog.promise(READS_WITHIN_S)
    try:
        if one.healing:
            drill.read_back()
        else:
            ask(drill, one, drill.read_back)
    except Stopped:
        raise
    except Exception as error:  # noqa: BLE001 - the probes find no complete reads and say UNKNOWN
        one.reasons.append(f"final reads: {type(error).__name__}: {error}")


def _serves(drill: Drill, one: Underway) -> observe.Condition:
    """Return the question whether customers are served: those of the load, or one of ours if it is gone."""
    if not one.read and drill.load.failed_because() is None and one.heard_s is not None:
        return lambda: one.recent.quiet(_STEADY_S)
    return observe.healthy_for(_STEADY_S, drill.staging.facts.base_url)


def _left_at_last(drill: Drill) -> Left:
    """Return what is left when that is nothing, or when enough time has passed for it to go."""
    deadline = time.monotonic() + _GONE_WITHIN_S
    attempts = Retrying(
        retry=retry_if_result(lambda left: bool(left.found)),
        stop=lambda _: time.monotonic() > deadline,
        wait=wait_fixed(_ASK_AGAIN_S),
        retry_error_callback=lambda _: drill.left(),
    )
    return attempts(drill.left)
