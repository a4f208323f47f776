"""How much of the error budget the drill spent: bad requests against `(1 - SLO) x intended requests`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import measured_from_ns
from probes.schedule import rate_per_s, scheduled

if TYPE_CHECKING:
    from blackstart.history import History

SLO = 0.999
PLATFORM_RATE = 1000.0  # requests per second: "the 1,000 TPS requirement" (3.1)
MONTH_S = 30 * 24 * 3600


def budget_spent(history: History) -> Measurement:
    """Measure the bad requests in percent of what the SLO allows for the drill's own length."""
    return _spent(history, scheduled(history, measured_from_ns(history)), 1.0)


def monthly_budget_spent(history: History) -> Measurement:
    """Measure the bad requests in percent of what the SLO allows for thirty days of the platform's traffic.

    A drill at a tenth of that traffic would have hit ten times as many requests, had it been the platform.
    """
    return _spent(history, PLATFORM_RATE * MONTH_S, PLATFORM_RATE / rate_per_s(history))


def _spent(history: History, intended: float, each: float) -> Measurement:
    """Return what was spent when each bad request stands for `each` of them.

    Arrivals that nobody recorded may have been bad: the interval spans both.
    """
    from_ns = measured_from_ns(history)
    judged = history.requests.between(from_ns)
    if not len(judged):
        return blind("%", "no request was recorded")
    bad = each * int((~judged.ok).sum())
    lost = each * max(0.0, scheduled(history, from_ns) - len(judged))
    allowed = (1 - SLO) * intended
    return Measurement(
        low=100 * bad / allowed, high=100 * (bad + lost) / allowed, unit="%", samples=len(judged),
        note=f"{bad:,.0f} bad requests of {allowed:,.0f} allowed" + _traffic(each),
    )  # fmt: skip


def _traffic(each: float) -> str:
    return "" if each == 1 else f", at the platform's {PLATFORM_RATE:,.0f} requests/s"
