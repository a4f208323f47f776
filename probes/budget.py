"""How much of the error budget the drill spent: bad requests against `(1 - SLO) x intended requests`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import measured_from_ns
from probes.schedule import rate_per_s, scheduled

if TYPE_CHECKING:
    from blackstart.history import History

SLO = 0.999
MONTH_S = 30 * 24 * 3600


def budget_spent(history: History) -> Measurement:
    """Measure the bad requests in percent of what the SLO allows for the drill's own length."""
    return _spent(history, scheduled(history, measured_from_ns(history)))


def monthly_budget_spent(history: History) -> Measurement:
    """Measure the bad requests in percent of what the SLO allows for thirty days at the drill's rate."""
    return _spent(history, rate_per_s(history) * MONTH_S)


def _spent(history: History, intended: float) -> Measurement:
    """Arrivals that nobody recorded may have been bad: the interval spans both."""
    from_ns = measured_from_ns(history)
    judged = history.requests.between(from_ns)
    if not len(judged):
        return blind("%", "no request was recorded")
    bad = int((~judged.ok).sum())
    lost = max(0.0, scheduled(history, from_ns) - len(judged))
    allowed = (1 - SLO) * intended
    return Measurement(
        low=100 * bad / allowed, high=100 * (bad + lost) / allowed, unit="%", samples=len(judged),
        note=f"{bad} bad requests of {allowed:.0f} allowed",
    )  # fmt: skip
