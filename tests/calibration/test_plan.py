from __future__ import annotations

from blackstart.drills import DEADLINE_S, hold_s
from calibration.kinds import Kind
from calibration.plan import Cell, batches, matrix, takes_s


def test_every_outage_is_watched_until_a_hold_was_seen_whole() -> None:
    cell = Cell(kind=Kind.HTTP, rate=1000, schedule="constant", seconds=(0.0, 2.0, 0.5))

    starts = cell.starts_s()
    gaps = [later - (at + lasts) for at, lasts, later in zip(starts, cell.seconds, starts[1:], strict=False)]

    assert min(gaps) > hold_s(1000) + DEADLINE_S + 1


def test_the_matrix_holds_every_combination_once() -> None:
    cells = matrix(workers=(1, 2))

    assert len({cell.name for cell in cells}) == len(cells) == len(Kind) * 2 * 2 * 2
    assert len({cell.seed for cell in cells}) == len(cells)


def test_fast_loads_run_alone_and_slow_ones_beside_each_other() -> None:
    cells = matrix()

    sizes = [len(batch) for batch in batches(cells, beside=4)]

    assert sizes == [4, 4, 4, 4, 2] + [1] * 18
    assert takes_s(cells, beside=4) < takes_s(cells, beside=1)
