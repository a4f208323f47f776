"""Whether the load arrived, and how much of the error budget was spent on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blackstart.drills import judge_drill
from blackstart.verdict import Verdict, judge
from catalogue import DRILLS
from objectives import LOAD_ARRIVED
from probes.budget import budget_spent, monthly_budget_spent
from probes.load_arrived import load_arrived
from tests.histories import Story, steady_load

if TYPE_CHECKING:
    from pathlib import Path


def ten_requests(folder: Path, **how: object) -> Story:
    story = Story(folder, rate=1.0, **how)  # type: ignore[arg-type]
    for at in range(10):
        story.request(float(at))
    return story


def test_everything_sent_is_everything(tmp_path: Path) -> None:
    history = steady_load(1000, 5, 1).into(Story(tmp_path)).tell()

    assert judge(LOAD_ARRIVED, history).verdict is Verdict.PASSED


@pytest.mark.parametrize(("lag", "sent"), [(0.9, 10), (1.1, 9)])
def test_what_is_sent_a_second_late_has_not_arrived(tmp_path: Path, lag: float, sent: int) -> None:
    story = ten_requests(tmp_path)
    story.rows.pop()

    measured = load_arrived(story.request(9.0, lag=lag).tell())

    assert measured.low == 10 * sent
    assert measured.note == f"{sent} of 10 arrivals were sent in time"


def test_dropped_arrivals_have_not_arrived(tmp_path: Path) -> None:
    story = ten_requests(tmp_path)
    story.rows[4][4:7] = ["failed", "dropped", 0]

    assert load_arrived(story.tell()).low == 90


def test_a_lost_worker_is_missed(tmp_path: Path) -> None:
    """Half of the arrivals are not even recorded, from the middle on nobody tells."""
    story = steady_load(500, 5, 1).into(Story(tmp_path, rate=1000.0, footer=False))
    history = story.event("phase", 10.0, name="final reads").tell()

    assert load_arrived(history).high < 30
    assert "1 workers were lost" in load_arrived(history).note
    assert judge(LOAD_ARRIVED, history).verdict is Verdict.FAILED


def test_a_drill_without_its_load_proves_nothing_and_fails_nobody(tmp_path: Path) -> None:
    history = steady_load(500, 5, 1).into(Story(tmp_path, rate=1000.0)).tell()

    first, *_ = judge_drill(DRILLS["aurora-failover"], history)

    assert (first.objective, first.verdict) == (LOAD_ARRIVED, Verdict.UNKNOWN)


def test_no_requests_or_no_rate_is_unknown(tmp_path: Path) -> None:
    empty = Story(tmp_path / "empty").tell()
    rateless = Story(tmp_path / "rateless", rate=0.0).request(1.0).tell()

    assert load_arrived(empty).samples == 0
    assert judge(LOAD_ARRIVED, rateless).verdict is Verdict.UNKNOWN


def test_the_budget_of_ten_requests_is_a_hundredth_of_one(tmp_path: Path) -> None:
    story = ten_requests(tmp_path)
    story.rows[3][4] = "unknown"

    assert budget_spent(story.tell()).low == pytest.approx(100 * 1 / 0.01)
    # at 1/s each stands for a thousand of the platform's own
    assert monthly_budget_spent(story.tell()).low == pytest.approx(100 * 1 / 2592)
    assert monthly_budget_spent(story.tell()).note == (
        "1,000 bad requests of 2,592,000 allowed, at the platform's 1,000 requests/s"
    )


def test_thirty_seconds_down_spend_a_hundredth_of_the_month(tmp_path: Path) -> None:
    story = Story(tmp_path, rate=10.0)
    for number in range(600):
        story.request(number / 10, outcome="failed" if 100 <= number < 400 else "ok")

    assert monthly_budget_spent(story.tell()).low == pytest.approx(1.16, abs=0.01)


def test_the_budget_of_a_lost_worker_is_uncertain(tmp_path: Path) -> None:
    story = ten_requests(tmp_path, footer=False).event("phase", 19.0, name="final reads")

    measured = budget_spent(story.tell())

    assert measured.low == 0
    assert measured.high == pytest.approx(100 * 10 / 0.02)


def test_the_budget_of_nothing_is_blind(tmp_path: Path) -> None:
    history = Story(tmp_path).request(1.0).event("phase", 2.0, name="baseline").tell()

    assert budget_spent(history).samples == 0
