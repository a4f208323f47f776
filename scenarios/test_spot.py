"""Spot capacity is taken back, and does not return."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalogue import DRILLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.drills import DrillSpec


@pytest.mark.scenario
@pytest.mark.parametrize("name", ["spot-interruption", "spot-interruption-az", "spot-interruption-all"])
def test_no_customer_notices_that_spot_tasks_are_taken_back(
    name: str, drill: Callable[[DrillSpec], None]
) -> None:
    """Catalogue 4: one task, those of a zone, all of them."""
    drill(DRILLS[name])


@pytest.mark.scenario
def test_tasks_on_demand_take_over_when_there_is_no_spot_capacity(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 5: nothing comes back."""
    drill(DRILLS["spot-unavailable"])
