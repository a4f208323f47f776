"""How old the oldest balance was that a customer was shown although a newer one had been."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import injection
from probes.schedule import workers_lost

if TYPE_CHECKING:
    from blackstart.history import History


def balance_age(history: History) -> Measurement:
    """Measure for how many seconds the most outdated balance that was shown had been out of date, at most.

    A worker of the load that was killed takes what it saw last with it.
    """
    if injection(history) is None:
        return blind("s", "nothing was injected")
    compared = sum(int(footer.get("balances_compared", 0)) for footer in history.footers)
    seen = [float(line["age_ns"]) / 1e9 for line in history.sightings]
    counted = [float(footer.get("balance_age_ns_max", 0)) / 1e9 for footer in history.footers]
    if not compared and not seen:
        return blind("s", "no answer said which version of a balance it holds")
    oldest_s = max([0.0, *seen, *counted])
    accounts = len({line["account"] for line in history.sightings})
    note = f"{accounts} accounts were shown an older balance than before" if accounts else "none was older"
    return Measurement(
        low=oldest_s, high=math.inf if workers_lost(history) else oldest_s, unit="s", samples=compared,
        note=note,
    )  # fmt: skip
