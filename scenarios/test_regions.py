"""A whole region is lost: people go on in the other one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalogue import DRILLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.drills import DrillSpec


@pytest.mark.scenario
def test_the_bank_goes_on_in_the_other_region(drill: Callable[[DrillSpec], None]) -> None:
    """Catalogue 9: us-east-1 answers nothing, and the copied recovery points are all there is."""
    drill(DRILLS["region-loss"])
