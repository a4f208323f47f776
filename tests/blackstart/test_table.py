"""Rows come into order, however much out of it they are."""

from __future__ import annotations

import numpy as np
import pytest

from blackstart import table
from blackstart.table import Table

ROWS = 1000


def filled(intended: list[int]) -> Table:
    one = Table.room(len(intended))
    one.intended_ns[:] = intended
    for name in ("lag_ns", "took_ns", "endpoint", "outcome", "dropped"):
        getattr(one, name)[:] = np.array(intended) % 2
    one.lag_ns[:] = np.array(intended) * 2
    return one


@pytest.mark.parametrize("late_by", [0, 1, 5, 60, ROWS])
@pytest.mark.parametrize("seed", range(3))
def test_all_columns_come_into_the_order_of_the_first(
    monkeypatch: pytest.MonkeyPatch, late_by: int, seed: int
) -> None:
    monkeypatch.setattr(table, "PIECE_ROWS", 64)
    random = np.random.default_rng(seed)
    ended = np.arange(ROWS) + np.where(random.random(ROWS) < 0.05, late_by, 0) * random.random(ROWS)
    intended = np.argsort(ended, kind="stable").tolist()
    one = filled(intended)

    one.sort()

    assert one.intended_ns.tolist() == list(range(ROWS))
    assert one.lag_ns.tolist() == list(range(0, 2 * ROWS, 2))
    assert one.outcome.tolist() == [0, 1] * (ROWS // 2)


def test_two_workers_one_after_the_other_come_into_order() -> None:
    one = filled([*range(0, ROWS, 2), *range(1, ROWS, 2)])

    one.sort()

    assert one.intended_ns.tolist() == list(range(ROWS))
    assert one.lag_ns.tolist() == list(range(0, 2 * ROWS, 2))


def test_no_rows_are_in_order() -> None:
    one = filled([])

    one.sort()

    assert len(one.intended_ns) == 0
