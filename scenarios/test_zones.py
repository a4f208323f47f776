"""A whole availability zone goes dark, and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalogue import DRILLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.drills import DrillSpec


@pytest.mark.scenario
def test_transfers_keep_flowing_while_the_writers_zone_is_dark(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 3: app, data and cache of one zone at once."""
    drill(DRILLS["az-loss"])
