"""What counts as the truth, and whether it was covered: on outages told by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from calibration.control import Truth
from calibration.judge import Reading, reading, true_s
from calibration.kinds import Kind
from calibration.onlookers import Look, availability, said_s
from calibration.plan import Cell
from calibration.seen import Seen
from tests.histories import MS, S, Story, ns, steady_load

if TYPE_CHECKING:
    from pathlib import Path

BROKEN_S, SECONDS = 3.0, 0.5


def truth(kind: Kind, seconds: float = SECONDS, hits: int = 500) -> Truth:
    broken, mended = ns(BROKEN_S), ns(BROKEN_S + seconds)
    return Truth(
        kind=kind, broken_ns=(broken, broken + 20), mended_ns=(mended, mended + 20),
        again_ns=(mended, mended + 20), hits=hits,
    )  # fmt: skip


def measured(folder: Path, true: Truth, *, really_s: float = SECONDS, lag_ms: int = 0) -> Reading:
    """Let the target be away for `really_s`, whatever its log says."""
    load = steady_load(1000, 9, 1)
    hit = (load.start_ns >= ns(BROKEN_S)) & (load.start_ns < ns(BROKEN_S + really_s))
    load = replace(load, ok=load.ok & ~hit)
    if lag_ms:
        late = np.flatnonzero(load.start_ns >= ns(BROKEN_S + really_s))[:1]
        start = load.start_ns.copy()
        start[late] += lag_ms * MS
        load = replace(load, start_ns=start, end_ns=np.maximum(load.end_ns, start + MS))
    history = load.into(Story(folder)).fault(BROKEN_S).healed(8.5).tell()
    cell = Cell(kind=true.kind, rate=1000.0, schedule="stratified", seconds=(SECONDS,))
    return reading(
        Seen(
            cell=cell,
            seconds=SECONDS,
            truth=true,
            history=history,
            until_ns=ns(8.5),
            stalls=[],
            polled=[],
            stock=[],
        )
    )


def test_an_outage_as_logged_is_covered_and_narrow(tmp_path: Path) -> None:
    found = measured(tmp_path, truth(Kind.HTTP))

    assert found.covered
    assert found.is_known
    assert found.kept_time
    assert found.is_regular
    assert found.width_ms is not None
    assert found.width_ms < 20


@pytest.mark.parametrize("really_s", [0.45, 0.55, 0.0])
def test_an_outage_of_another_length_than_logged_is_not_covered(tmp_path: Path, really_s: float) -> None:
    assert not measured(tmp_path, truth(Kind.HTTP), really_s=really_s).covered


def test_a_generator_that_was_late_is_said_to_have_been(tmp_path: Path) -> None:
    found = measured(tmp_path, truth(Kind.HTTP), lag_ms=60)

    assert found.covered
    assert not found.kept_time
    assert not found.is_regular


@pytest.mark.parametrize(
    ("kind", "seconds", "hits", "expected", "is_close"),
    [
        (Kind.HTTP, 0.5, 500, 0.5, False),
        (Kind.HTTP, 0.0, 0, 0.0, True),  # nobody would call it an outage, but three failures would be none
        (Kind.HALF, 0.005, 3, 0.0, True),  # 99.9 % of 3,000 forgive three
        (Kind.HALF, 0.005, 4, 0.005, True),
        (Kind.HALF, 0.02, 10, 0.02, False),
        (Kind.SLOW, 0.02, 20, 0.0, False),  # 99 % forgive thirty
        (Kind.STALLED, 0.5, 300, 0.5, False),
        (Kind.STALLED, 0.15, 0, 0.0, False),
    ],
)
def test_the_truth_is_what_the_promise_calls_an_outage(
    kind: Kind, seconds: float, hits: int, expected: float, is_close: bool
) -> None:
    true = true_s(truth(kind, seconds), 1000.0, hits)

    assert true.is_outage == (expected > 0)
    assert true.is_close == (is_close and hits > 0)
    assert true.low_s == pytest.approx(expected, abs=1e-6)
    assert true.high_s == pytest.approx(seconds if true.is_close else expected, abs=1e-6)


def looks(*bad_at: int, seconds: int = 10) -> list[Look]:
    return [
        Look(start_ns=n * S, end_ns=n * S + MS, ok=n not in bad_at) for n in range(seconds)
    ]  # fmt: skip


def test_a_poller_says_whole_seconds() -> None:
    assert said_s(looks(4, 5), 0, 10 * S) == 2
    assert said_s(looks(), 0, 10 * S) == 0
    assert said_s(looks(9), 0, 10 * S) == 1  # never good again, as far as it looked
    assert availability(looks(4, 5)) == pytest.approx(80)
    assert availability([]) is None


def test_an_answer_that_came_late_was_not_good() -> None:
    late = Look(start_ns=0, end_ns=S, ok=True)

    assert said_s([late, *looks()[2:]], 0, 10 * S) == 2
