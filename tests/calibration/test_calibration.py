"""A small calibration, for real: a server that fails on command, the load against it, and the judgement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from calibration.campaign import Campaign
from calibration.kinds import Kind
from calibration.losses import WAYS
from calibration.plan import Cell

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.local


def test_the_truth_lies_in_the_interval(tmp_path: Path) -> None:
    said: list[str] = []
    campaign = Campaign(tmp_path, said.append)

    # at 300/s a hold takes 10 s
    campaign.outages(
        [
            Cell(kind=Kind.HTTP, rate=300, schedule="stratified", seconds=(0.4, 0.0)),
            Cell(kind=Kind.REFUSED, rate=300, schedule="stratified", seconds=(0.4,), onlookers=False),
        ],
        beside=2,
    )

    found = campaign.readings
    assert campaign.failed == []
    assert [reading.is_outage for reading in found] == [True, False, True]
    assert [reading.covered for reading in found] == [True, True, True]
    assert found[0].stock_s is not None
    assert found[2].poller_s is None
    assert said


def test_every_way_of_spoiling_the_books_is_named(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, print)

    campaign.data_loss(rate=100, seed=3)

    assert campaign.failed == []
    assert [(loss.how, loss.right) for loss in campaign.losses] == [(how, True) for how in WAYS]


def test_a_cell_that_cannot_be_run_is_named_and_makes_it_wrong(tmp_path: Path) -> None:
    cell = Cell(kind=Kind.HTTP, rate=100, schedule="no such schedule", seconds=(0.0,), onlookers=False)
    campaign = Campaign(tmp_path, print)

    campaign.outages([cell], beside=1)

    assert len(campaign.failed) == 1
    assert campaign.failed[0].startswith(cell.name)
    assert not campaign.result()["summary"]["right"]
