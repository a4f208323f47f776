"""The ledger's database loses its writer, by plan and by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalogue import DRILLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.drills import DrillSpec


@pytest.mark.scenario
def test_transfers_keep_flowing_while_a_reader_is_promoted(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 1: a planned failover."""
    drill(DRILLS["aurora-failover"])


@pytest.mark.scenario
def test_transfers_keep_flowing_when_the_writer_crashes(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 2: the writer dies without warning."""
    drill(DRILLS["aurora-writer-crash"])
