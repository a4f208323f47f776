"""What is measured beside the judgements, by whoever runs a drill and by whoever verifies its evidence."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import catalogue
from blackstart.drills import books_count
from blackstart.experiment import doubts, read_journal
from probes import restored
from probes.readback import Incomplete
from probes.reconciliation import discrepancies
from probes.reconciliation_after_restore import discrepancies_after_restore
from reports.evidence.again import Measurer
from reports.evidence.plan import PAGES, code_of, code_told, pages_of

if TYPE_CHECKING:
    from blackstart.drills import DrillSpec
    from blackstart.history import History

ROOT = Path(catalogue.__file__).parent


def books_wrong(spec: DrillSpec, history: History) -> list[dict[str, str]]:
    """Return where the books do not agree, one by one; nothing where they do not count."""
    if not books_count(history):
        return []
    probe = discrepancies_after_restore if spec.restores else discrepancies
    try:
        found = probe(history)
    except Incomplete:  # the probe says so in its own words: it is blind
        return []
    return [{"kind": d.kind, "key": d.key, "detail": d.detail} for d in found]


def lost(history: History) -> tuple[dict[str, object], ...]:
    """Return the acknowledged transfers that are gone, one by one; nothing where they do not count."""
    if not books_count(history):
        return ()
    try:
        return restored.lost_one_by_one(history)
    except Incomplete:  # the probe says so in its own words: it is blind
        return ()


def unproven(folder: Path) -> tuple[str, ...]:
    """Return what Chaos Toolkit's journal in a drill's folder leaves unproven."""
    return doubts(read_journal(folder / "journal.json"))


def measurer() -> Measurer:
    """Return what this version measures a bundle's history with."""
    return Measurer(
        specs=catalogue.DRILLS,
        pages={page: (ROOT / page).read_bytes() for page in PAGES},
        pages_of=partial(pages_of, ROOT),
        code=code_told(code_of(ROOT)),
        discrepancies=books_wrong,
        lost=lost,
        doubts=unproven,
    )
