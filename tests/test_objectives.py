"""The page of promises is complete, and every drill keeps to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import catalogue
import objectives
from blackstart.drills import DrillSpec, hold_s
from blackstart.verdict import Objective
from tests.histories import Story

if TYPE_CHECKING:
    from pathlib import Path

PROMISES = {name: value for name, value in vars(objectives).items() if isinstance(value, Objective)}
DRILLS = catalogue.DRILLS.values()


@pytest.mark.parametrize("objective", PROMISES.values(), ids=PROMISES)
def test_each_promise_quotes_its_clause(objective: Objective) -> None:
    assert re.fullmatch(r"\d\.\d(\.[A-Z])?(, \d\.\d(\.[A-Z])?)*", objective.clause)
    assert re.search(r'"[^"]+"', objective.promise)


@pytest.mark.parametrize("objective", PROMISES.values(), ids=PROMISES)
def test_each_probe_measures_in_the_unit_of_its_promise(objective: Objective, tmp_path: Path) -> None:
    """A probe that is blind still has a unit; one that raises is judged in the promise's."""
    try:
        measured = objective.probe(Story(tmp_path).tell())
    except ValueError:
        return

    assert measured.unit == objective.unit


@pytest.mark.parametrize("spec", DRILLS, ids=lambda spec: spec.name)
def test_each_drill_promises_recovery_no_loss_and_the_slo(spec: DrillSpec) -> None:
    whole = {objectives.NO_LOST_RECORDS, objectives.RECONCILED}
    restored = {objectives.NO_HOLES, objectives.RECONCILED_AFTER_RESTORE}

    assert spec.recovery in spec.objectives
    assert (restored if spec.restores else whole) <= set(spec.objectives)
    assert {objectives.SLO, objectives.SPOT_SLO} & set(spec.objectives)
    assert spec.preconditions == (objectives.LOAD_ARRIVED, objectives.CLOCK_KEPT, objectives.BITTEN)
    assert spec.experiment == f"experiments/{spec.name}.yaml"
    assert spec.limit_s > spec.recovery.limit


@pytest.mark.parametrize("spec", DRILLS, ids=lambda spec: spec.name)
def test_no_two_objectives_of_a_drill_share_a_name(spec: DrillSpec) -> None:
    names = [objective.name for objective in (*spec.preconditions, *spec.objectives)]
    names += [figure.name for figure in spec.figures]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(("rate", "seconds"), [(5000, 3), (1000, 3), (100, 30), (10, 300)])
def test_the_hold_is_long_enough_to_prove_99_9_percent(rate: float, seconds: float) -> None:
    assert hold_s(rate) == seconds
    assert catalogue.DRILLS["az-loss"].hold_at(rate) > seconds + 2
