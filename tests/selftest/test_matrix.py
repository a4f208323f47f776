"""The matrix as data: all that it names exists, and nothing that can be planted is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from catalogue import DRILLS
from selftest import matrix
from staging.local.bank.defects import Defects
from staging.local.bank.ledger_defects import NAMES as OF_THE_LEDGER
from staging.local.defects import Defect, of_part

if TYPE_CHECKING:
    from selftest.cells import Defect as Cell


@pytest.mark.parametrize("cell", matrix.DEFECTS, ids=lambda cell: cell.name)
def test_defect_drill_and_objective_exist(cell: Cell) -> None:
    assert set(cell.defects) <= {defect.value for defect in Defect}
    assert cell.objective in {objective.name for objective in DRILLS[cell.drill].objectives}


def test_no_run_is_there_twice() -> None:
    names = Counter(cell.name for cell in (*matrix.DEFECTS, *matrix.SABOTAGES))

    assert [name for name, count in names.items() if count > 1] == []


def test_every_defect_is_in_the_matrix_and_there_are_forty_at_least() -> None:
    planted = {defect for cell in matrix.DEFECTS for defect in cell.defects}

    assert {defect.value for defect in Defect} == planted
    assert len(planted) >= 40


def test_every_drill_is_tried_with_a_defect_of_its_own_kind() -> None:
    assert set(DRILLS) == {cell.drill for cell in matrix.DEFECTS}


def test_every_part_knows_the_switches_that_it_is_given() -> None:
    every = frozenset(Defect)
    bank = {field.name for field in fields(Defects)}

    assert {name.replace("-", "_") for name in (*of_part(every, "bank"), *of_part(every, "later"))} == bank
    assert set(of_part(every, "ledger")) == set(OF_THE_LEDGER)


def test_what_healthy_runs_there_are() -> None:
    cells = matrix.healthy(("az-loss", "aurora-failover"), 3)

    assert len({cell.name for cell in cells}) == 6
    assert [cell.drill for cell in cells[:2]] == ["az-loss", "aurora-failover"]
