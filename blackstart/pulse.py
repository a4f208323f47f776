"""What the load says right now: rate, success, latency, and whether service has held.

For the live view and for the conductor's decision when to heal. Judging is done later, from the history.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_SLO = 0.999
_FAST_SHARE = 0.99
_FAST_NS = 200_000_000
_ARRIVED = 0.9
_STRETCHES = 6  # a stretch begins every sixth of its length
_SETTLE_NS = 250_000_000  # a request without an answer after this is not a fast one
_NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """One second of load: arrivals per second, share that ended well, p99 of the answers in ms."""

    rate: float
    success: float
    p99_ms: float


class Recent:
    """The last requests of a running drill.

    `rate` is the arrival rate that was asked for, per second. Service has held when every stretch of
    `hold_s` within the last `window_s` seconds went well: as the recovery time is judged afterwards.
    """

    def __init__(self, rate: float, hold_s: float, window_s: float) -> None:
        self._rate = rate
        self._hold_ns = int(hold_s * _NS)
        self._window_ns = int(window_s * _NS)
        self._rows: deque[tuple[int, int, bool]] = deque()  # intended start, latency, ok

    def add(self, rows: Iterable[list[Any]]) -> None:
        """Take newly recorded rows (see `columns.COLUMNS`), forget what is older than the window."""
        self._rows.extend((row[0], row[2] - row[0], row[4] == "ok") for row in rows)
        oldest = time.monotonic_ns() - self._window_ns - 4 * _NS
        while self._rows and self._rows[0][0] < oldest:
            self._rows.popleft()

    def pulse(self) -> Pulse:
        """Summarise the last whole second."""
        until = time.monotonic_ns() - _SETTLE_NS
        rows = self._between(until - _NS, until)
        latencies = sorted(latency for _, latency, _ in rows)
        return Pulse(
            rate=float(len(rows)),
            success=sum(ok for _, _, ok in rows) / len(rows) if rows else 0.0,
            p99_ms=latencies[int(0.99 * (len(latencies) - 1))] / 1e6 if latencies else 0.0,
        )

    def quiet(self, seconds: float) -> bool:
        """Tell whether the load arrived in the last so many seconds, and every request of it ended well."""
        until = time.monotonic_ns() - _SETTLE_NS
        rows = self._between(until - int(seconds * _NS), until)
        return len(rows) >= _ARRIVED * self._rate * seconds and all(ok for _, _, ok in rows)

    def held_since(self, earliest_ns: int) -> int | None:
        """Return since when service has held for the whole window, None when it has not.

        Every arrival that the schedule wanted counts; one that is not recorded yet has not gone well.
        """
        until = time.monotonic_ns() - _SETTLE_NS
        since = until - self._window_ns
        if since < earliest_ns:
            return None
        rows = self._between(since, until)
        starts = range(since, until - self._hold_ns + 1, max(1, self._hold_ns // _STRETCHES))
        return since if all(self._went_well(rows, start) for start in starts) else None

    def _went_well(self, rows: list[tuple[int, int, bool]], start: int) -> bool:
        stretch = [row for row in rows if start <= row[0] < start + self._hold_ns]
        wanted = self._rate * self._hold_ns / _NS
        good = sum(ok for _, _, ok in stretch)
        fast = sum(ok and latency <= _FAST_NS for _, latency, ok in stretch)
        # the schedule may put one arrival per worker on the other side of each edge
        return good >= _SLO * wanted - 2 and fast >= _FAST_SHARE * wanted

    def _between(self, since: int, until: int) -> list[tuple[int, int, bool]]:
        return [row for row in self._rows if since <= row[0] < until]
