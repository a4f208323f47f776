"""The ledger is lost, or spoilt, or so is its backup: people recover it by their runbooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalogue import DRILLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.drills import DrillSpec


@pytest.mark.scenario
def test_the_ledger_comes_back_from_its_backup(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 6: the whole cluster is destroyed."""
    drill(DRILLS["backup-restore"])


@pytest.mark.scenario
def test_the_ledger_is_rewound_to_before_a_logic_bug(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 7: wrong balances and deleted transfers, on writer and reader alike."""
    drill(DRILLS["point-in-time"])


@pytest.mark.scenario
def test_a_damaged_backup_is_found_out(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 8: the newest recovery point has rotted when it is needed."""
    drill(DRILLS["corrupted-backup"])


@pytest.mark.scenario
def test_a_backup_without_all_of_its_log_is_found_out(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 8: a segment of write-ahead log is missing."""
    drill(DRILLS["corrupted-backup-wal"])


@pytest.mark.scenario
def test_a_backup_that_lacks_a_table_is_found_out(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 8: every checksum agrees, and the rows of a table are not there."""
    drill(DRILLS["corrupted-backup-table"])


@pytest.mark.scenario
def test_a_backup_whose_key_is_gone_is_found_out(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 8: it cannot be restored, and says so only when that is tried."""
    drill(DRILLS["corrupted-backup-key"])
