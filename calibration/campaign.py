"""All of a calibration: outages, data loss, availability; a cell that fails is named, the rest goes on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackstart.waiting import TooLate
from calibration import summary
from calibration.availability import Availability, measure
from calibration.judge import Reading, reading
from calibration.losses import Loss, losses
from calibration.plan import batches
from calibration.run import LoadFailed, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from calibration.plan import Cell


@dataclass
class Campaign:
    """What is to be done, and what has come of it so far."""

    folder: Path
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self.readings: list[Reading] = []
        self.losses: list[Loss] = []
        self.availabilities: list[Availability] = []
        self.failed: list[str] = []

    def outages(self, cells: Sequence[Cell], *, beside: int) -> None:
        """Run every cell, slow loads beside each other."""
        for batch in batches(cells, beside=beside):
            with ThreadPoolExecutor(max_workers=len(batch)) as pool:
                for found in pool.map(self._outages_of, batch):
                    self.readings += found
            self.say(f"{', '.join(cell.name for cell in batch)}: {self._score()}")

    def data_loss(self, *, rate: float, seed: int) -> None:
        """Spoil the books in every way."""
        self._try(f"data loss at {rate:g}/s", lambda: self._data_loss(rate, seed))

    def availability(self, *, rate: float, seed: int) -> None:
        """Run the case in which a closed generator goes wrong."""
        self._try(f"availability at {rate:g}/s", lambda: self._availability(rate, seed))

    def result(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return summary.build(self.readings, self.losses, self.availabilities, self.failed)

    def _outages_of(self, cell: Cell) -> list[Reading]:
        found: list[Reading] = []

        def measure_all() -> None:
            found.extend(reading(seen) for seen in run(cell, self.folder / cell.name))

        self._try(cell.name, measure_all)
        return found

    def _data_loss(self, rate: float, seed: int) -> None:
        found = losses(self.folder / f"losses-{rate:g}", rate=rate, seed=seed)
        self.losses += found
        self.say(f"data loss at {rate:g}/s: {sum(one.right for one in found)} of {len(found)} right")

    def _availability(self, rate: float, seed: int) -> None:
        one = measure(self.folder / f"availability-{rate:g}", rate=rate, seed=seed)
        self.availabilities.append(one)
        self.say(f"availability at {rate:g}/s: {'right' if one.right else 'WRONG'}")

    def _try(self, name: str, do: Callable[[], None]) -> None:
        try:
            do()
        except (LoadFailed, TooLate, OSError) as error:
            self.failed.append(f"{name}: {type(error).__name__}: {error}")
            self.say(f"{name} could not be run: {error}")

    def _score(self) -> str:
        return f"{sum(one.covered for one in self.readings)} of {len(self.readings)} covered"
