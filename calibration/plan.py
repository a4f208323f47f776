"""What is calibrated: which outages, under which loads, and how long that takes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from blackstart.drills import DEADLINE_S, hold_s
from calibration.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

RATES: Final = (100.0, 1000.0)
SCHEDULES: Final = ("constant", "poisson")
SHORT_S: Final = (0.0, 0.05, 0.5, 2.0)
LONG_S: Final = (29.0, 31.0)
OPENING_S: Final = 6.0  # until the load has started and logged in, about
CALM_S: Final = 2.0  # before each outage: how long a good answer takes, and a baseline
APART_S: Final = 0.7  # before each outage but the first, the last one is "healed"
STOPS: Final = 0.3  # seconds for which a stopped generator stands still, across the outage's end


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One load, and the outages that it goes through one after the other."""

    kind: Kind
    rate: float
    schedule: str
    seconds: tuple[float, ...]
    workers: int = 1
    generator_stops: bool = False  # the load generator is stopped for a while as each outage ends
    onlookers: bool = True  # a 1-second poller and stock Locust watch the same target
    seed: int = 1

    @property
    def name(self) -> str:
        """Return a name for files and people."""
        return f"{self.load}-{'_'.join(f'{seconds:g}' for seconds in self.seconds)}"

    @property
    def load(self) -> str:
        """Return what its outages have in common."""
        stops = "-stopped" if self.generator_stops else ""
        kind = self.kind.replace(" ", "-").lower()
        return f"{kind}-{self.rate:g}-{self.schedule}-{self.workers}{stops}"

    @property
    def watch_s(self) -> float:
        """Return how long to go on after each outage: until a hold has been seen whole."""
        return hold_s(self.rate) + DEADLINE_S + 1.0

    def starts_s(self) -> list[float]:
        """Return when each outage begins, counted from the first arrival."""
        starts, at_s = [], CALM_S
        for seconds in self.seconds:
            starts.append(at_s)
            at_s += seconds + self.watch_s + APART_S + CALM_S
        return starts

    @property
    def takes_s(self) -> float:
        """Return how long all of it takes, about."""
        return OPENING_S + self.starts_s()[-1] + self.seconds[-1] + self.watch_s


def matrix(
    *,
    kinds: Sequence[Kind] = tuple(Kind),
    rates: Sequence[float] = RATES,
    schedules: Sequence[str] = SCHEDULES,
    lengths: Sequence[Sequence[float]] = (SHORT_S,),
    workers: Sequence[int] = (1,),
    seed: int = 1,
) -> list[Cell]:
    """Return every combination, the slow loads first, for they can run beside each other.

    Each of the `lengths` is what one load goes through.
    """
    combined = product(sorted(rates), lengths, workers, schedules, kinds)
    return [
        _seeded(seed, kind=kind, rate=rate, schedule=schedule, seconds=tuple(seconds), workers=count)
        for rate, seconds, count, schedule, kind in combined
    ]


def stopped(*, rates: Sequence[float] = RATES, seed: int = 1) -> list[Cell]:
    """Return the cells in which the generator itself stands still: it must never answer narrow and wrong."""
    return [
        _seeded(
            seed, kind=kind, rate=rate, schedule="stratified", seconds=(0.0, 0.5, 2.0), generator_stops=True
        )
        for rate, kind in product(sorted(rates), (Kind.HTTP, Kind.HUNG))
    ]


def _seeded(seed: int, **fields: Any) -> Cell:
    """Return a cell whose random choices are its own, whatever else is run beside it."""
    cell = Cell(**fields)
    return replace(cell, seed=seed + zlib.crc32(cell.name.encode()) % 1_000_000)


def batches(cells: Sequence[Cell], *, beside: int) -> list[list[Cell]]:
    """Return what runs at the same time: slow loads beside each other, a fast one alone."""
    slow = [cell for cell in cells if cell.rate <= min(RATES)]
    fast = [[cell] for cell in cells if cell.rate > min(RATES)]
    return [slow[n : n + beside] for n in range(0, len(slow), beside)] + fast


def takes_s(cells: Sequence[Cell], *, beside: int) -> float:
    """Return how long all cells take, about."""
    return sum(max(cell.takes_s for cell in batch) for batch in batches(cells, beside=beside))
