"""All of a calibration: outages, data loss, availability; a cell that fails is named, the rest goes on.

Everything is kept in one folder. What is there already is measured again but not run again, so that a long
calibration can be run in pieces.
"""

from __future__ import annotations

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from blackstart.waiting import TooLate
from calibration import summary
from calibration.availability import Availability, measure
from calibration.judge import Reading, reading
from calibration.losses import Loss, losses
from calibration.plan import batches, takes_s
from calibration.run import LoadFailed, run
from calibration.seen import is_kept, kept_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from calibration.plan import Cell

_CODES = "codes.json"
_OTHERS_TAKE_S = 60.0  # data loss, availability


@dataclass
class Campaign:
    """What is to be done, and what has come of it so far."""

    folder: Path
    say: Callable[[str], None]
    code: str = "unknown"  # commit and tree that it is run and judged by
    for_s: float = math.inf  # nothing is begun that would end later than this

    def __post_init__(self) -> None:
        self.readings: list[Reading] = []
        self.losses: list[Loss] = []
        self.availabilities: list[Availability] = []
        self.failed: list[str] = []
        self.left = 0  # outages, and other measurements, that are still to be run, or void
        self.codes = self._note_code()
        self._began_s = time.monotonic()

    def outages(self, cells: Sequence[Cell], *, beside: int) -> None:
        """Run what is missing of every cell, slow loads beside each other, and read all that is there."""
        for folder in sorted(self.folder.glob("*/")):
            if is_kept(folder):
                self.readings += [reading(seen) for seen in kept_in(folder)]
        missing = [cell for cell in map(self._missing, cells) if cell.seconds]
        for batch in batches(missing, beside=beside):
            if not self._has_time(takes_s(batch, beside=beside)):
                continue
            with ThreadPoolExecutor(max_workers=len(batch)) as pool:
                for found in pool.map(self._outages_of, batch):
                    self.readings += found
            self.say(f"{', '.join(cell.name for cell in batch)}: {self._score()}")
        self.left += sum(len(self._missing(cell).seconds) for cell in cells)

    def data_loss(self, *, rate: float, seed: int) -> None:
        """Spoil the books in every way."""
        name = f"data loss at {rate:g}/s"
        kept = self._kept(name, lambda own: [asdict(one) for one in losses(own, rate=rate, seed=seed)])
        self.losses += [Loss(**one) for one in kept]
        if kept:
            self.say(f"{name}: {sum(one['right'] for one in kept)} of {len(kept)} right")

    def availability(self, *, rate: float, seed: int) -> None:
        """Run the case in which a closed generator goes wrong."""
        name = f"availability at {rate:g}/s"
        kept = self._kept(name, lambda own: [asdict(measure(own / "run", rate=rate, seed=seed))])
        self.availabilities += [Availability(**one) for one in kept]
        if kept:
            said = "void" if kept[0]["is_void"] else "right" if kept[0]["right"] else "WRONG"
            self.say(f"{name}: {said}")

    def result(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return summary.build(
            self.readings, self.losses, self.availabilities, self.failed, self.left, codes=self.codes
        )

    def _missing(self, cell: Cell) -> Cell:
        """Return the part of a cell whose truth has not been seen yet: a void outage is to be run again."""
        seen = {
            reading.seconds
            for reading in self.readings
            if not reading.is_void
            and (reading.kind, reading.rate, reading.schedule) == (cell.kind, cell.rate, cell.schedule)
            and (reading.workers, reading.generator_stops) == (cell.workers, cell.generator_stops)
        }
        return replace(cell, seconds=tuple(seconds for seconds in cell.seconds if seconds not in seen))

    def _outages_of(self, cell: Cell) -> list[Reading]:
        folder, found = self._new_folder(cell.name), list[Reading]()

        def measure_all() -> None:
            run(cell, folder)
            found.extend(reading(seen) for seen in kept_in(folder))

        self._try(cell.name, measure_all)
        return found

    def _kept(self, name: str, measured: Callable[[Path], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Return what was measured in an earlier run, else measure it now; nothing when that cannot be.

        What was void then is measured again, and what is void now is left for later.
        """
        named = name.replace(" ", "-").replace("/", "-per-")
        file = self.folder / f"{named}.json"
        if not _is_whole(_read(file)) and self._has_time(_OTHERS_TAKE_S):
            self._try(name, lambda: _write(file, measured(self._new_folder(named))))
        found = _read(file)
        self.left += not _is_whole(found)
        return found

    def _note_code(self) -> list[str]:
        """Return which code has worked in this folder, this one included."""
        file = self.folder / _CODES
        known: list[str] = json.loads(file.read_text()) if file.exists() else []
        if self.code not in known:
            self.folder.mkdir(parents=True, exist_ok=True)
            known.append(self.code)
            file.write_text(json.dumps(known))
        return known

    def _new_folder(self, name: str) -> Path:
        return next(path for n in count(1) if not (path := self.folder / f"{name}-{n}").exists())

    def _has_time(self, needs_s: float) -> bool:
        return time.monotonic() - self._began_s + needs_s <= self.for_s

    def _try(self, name: str, do: Callable[[], None]) -> None:
        try:
            do()
        except (LoadFailed, TooLate, OSError) as error:
            self.failed.append(f"{name}: {type(error).__name__}: {error}")
            self.say(f"{name} could not be run: {error}")

    def _score(self) -> str:
        known = [reading for reading in self.readings if not reading.is_void]
        return f"{sum(reading.covered for reading in known)} of {len(known)} covered"


def _read(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    return found


def _is_whole(found: list[dict[str, Any]]) -> bool:
    return bool(found) and not any(one.get("is_void") for one in found)


def _write(file: Path, measured: list[dict[str, Any]]) -> None:
    file.write_text(json.dumps(measured))
