"""Data loss against a known truth: rows change behind the API's back, and the probes must say which."""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from blackstart.history import EventLog, History
from calibration.control import Target
from calibration.kinds import Kind
from calibration.plan import Cell
from calibration.run import begin_load
from loadgen.final_reads import read_back
from probes.data_loss import lost_records, lost_seconds
from probes.reconciliation import discrepancies
from probes.sight import service_time_ns

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.verdict import Measurement

WAYS: Final = ("nothing", "the last 7", "one in the middle", "a duplicated one", "a changed amount")
LASTS_S: Final = 6.0
_GONE, _UNBALANCED = "acknowledged, and gone", "balance is not its entries"


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One way in which the books were spoiled: what is true, and what was measured."""

    how: str
    true_lost: int
    measured_lost: tuple[float, float | None]
    true_age_s: float
    measured_age_s: tuple[float, float | None]
    true_kinds: dict[str, int]
    measured_kinds: dict[str, int] = field(default_factory=dict)
    right: bool = False


def losses(folder: Path, *, rate: float, seed: int = 1) -> list[Loss]:
    """Send one load, then spoil and read back the books in each of the ways in turn."""
    cell = Cell(kind=Kind.HTTP, rate=rate, schedule="stratified", seconds=(0.0,), seed=seed)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        target = stack.enter_context(Target())
        load = begin_load(target.url, cell, folder, stack)
        time.sleep(LASTS_S)  # the load's length: nothing is waited for
        fault_ns = time.monotonic_ns()
        load.stop()
        return [_judge(target, how, cell, folder, fault_ns) for how in WAYS]


def _judge(target: Target, how: str, cell: Cell, folder: Path, fault_ns: int) -> Loss:
    touched = target.spoil(how, fault_ns)
    history = _told(folder, how, fault_ns)
    read_back(target.url, cell.name, history.folder)
    lost = len(touched) if how in {"the last 7", "one in the middle"} else 0
    true_age_s = (fault_ns - min(row[1] for row in touched)) / 1e9 if lost else 0.0
    records, age = lost_records(history), lost_seconds(history)
    kinds = dict(Counter(found.kind for found in discrepancies(history)))
    true_kinds = _true_kinds(how, touched)
    right = (
        records.low == records.high == lost
        and kinds == true_kinds
        and _close(age, true_age_s, service_time_ns(history) / 1e9 if lost else 0.0)
    )
    return Loss(
        how=how, true_lost=lost, measured_lost=(records.low, _bound(records)), true_age_s=true_age_s,
        measured_age_s=(age.low, _bound(age)), true_kinds=true_kinds,
        measured_kinds=kinds, right=right,
    )  # fmt: skip


def _bound(measured: Measurement) -> float | None:
    return measured.high if math.isfinite(measured.high) else None


def _close(age: Measurement, true_s: float, service_s: float) -> bool:
    """Tell whether the age is right: customers hear of a booking up to one service time after it was made."""
    return age.low <= true_s and true_s - service_s <= age.high <= true_s


def _true_kinds(how: str, touched: list[tuple[str, int, int, int]]) -> dict[str, int]:
    """Return what is wrong with the books, by kind: a row that goes, or doubles, takes its entries along."""
    if not touched:
        return {}
    if how == "a changed amount":
        return {"not as ordered": 1, "entries are not a pair": 1}
    accounts = {account for _, _, debit, credit in touched for account in (debit, credit)}
    kind = "booked more than once" if how == "a duplicated one" else _GONE
    return {kind: len(touched), _UNBALANCED: len(accounts)}


def _told(folder: Path, how: str, fault_ns: int) -> History:
    own = folder / how.replace(" ", "-")
    log = EventLog(own)
    for path in (folder / "history").glob("requests-*.jsonl"):
        (own / path.name).symlink_to(path.resolve())
    log.write("inject.start", at_ns=fault_ns, fault=f"calibration: {how}", targets=["the target's books"])
    log.write("inject.end", at_ns=fault_ns, fault=f"calibration: {how}")
    log.close()
    return History(own)
