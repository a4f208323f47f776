"""A small calibration, for real: a server that fails on command, the load against it, and the judgement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from calibration.campaign import Campaign
from calibration.kinds import Kind
from calibration.losses import WAYS
from calibration.plan import Cell, matrix

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.local


def test_the_truth_lies_in_the_interval_and_what_was_seen_is_not_run_again(tmp_path: Path) -> None:
    cell = Cell(kind=Kind.REFUSED, rate=600, schedule="stratified", seconds=(0.4,))  # held for 5 s
    said: list[str] = []
    campaign, later = Campaign(tmp_path, said.append), Campaign(tmp_path, pytest.fail)

    campaign.outages([cell], beside=1)
    if not campaign.readings[0].is_void:  # else it is to be run again
        later.outages([cell], beside=1)

    found = campaign.readings
    assert campaign.failed == []
    assert [(reading.is_outage, reading.covered) for reading in found] == [(True, True)]
    assert found[0].stock_s is not None
    assert said
    assert found[0].is_void or later.readings == found


def test_what_there_is_no_time_for_is_left(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, print, for_s=1.0)

    campaign.outages(matrix(rates=(1000.0,)), beside=1)
    campaign.data_loss(rate=100, seed=1)

    assert campaign.left == len(Kind) * 2 * 4 + 1
    assert campaign.readings == []
    assert campaign.result()["summary"]["still to be run"] == campaign.left


def test_what_was_void_is_measured_again_and_left_for_later(tmp_path: Path) -> None:
    campaign, later = Campaign(tmp_path, print, code="abc clean"), Campaign(tmp_path, print, code="def clean")

    kept = campaign._kept("availability", lambda _: [{"is_void": True}])
    assert (kept, campaign.left) == ([{"is_void": True}], 1)

    kept = later._kept("availability", lambda _: [{"is_void": False}])
    assert (kept, later.left) == ([{"is_void": False}], 0)
    assert later._kept("availability", lambda _: pytest.fail("measured again")) == kept
    assert later.result()["code"] == ["abc clean", "def clean"]


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
