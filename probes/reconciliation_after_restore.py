"""Whether the books agree after a restore, which cannot bring back what came after its recovery point.

That much is loss, and counted as loss. Everything else that is wrong is a discrepancy as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.readback import Incomplete
from probes.reconciliation import GONE, Discrepancy, count, discrepancies
from probes.restored import losses

if TYPE_CHECKING:
    from blackstart.history import History


def reconciliation_after_restore(history: History) -> Measurement:
    """Measure the number of discrepancies that no recovery point explains."""
    try:
        found = discrepancies_after_restore(history)
    except Incomplete as why:
        return blind("discrepancies", str(why))
    return count(found, history)


def discrepancies_after_restore(history: History) -> tuple[Discrepancy, ...]:
    """Return what is wrong with the books. Raises Incomplete when they were not read whole."""
    found = losses(history)
    explained = {gone.key for gone in found.lost} - {gone.key for gone in found.holes}
    return tuple(d for d in discrepancies(history) if d.kind != GONE or d.key not in explained)
