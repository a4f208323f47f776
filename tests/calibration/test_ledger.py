from __future__ import annotations

from typing import Any, cast

import pytest

from calibration.ledger import ACCOUNTS, Ledger, accounts_page, transfers_page

NOW_NS = 100


def booked(transfers: int) -> Ledger:
    ledger = Ledger()
    for n in range(transfers):
        ledger.book(f"r-{n:03}", 1 + n % 5, 10, 100, n)
    return ledger


def page(rows: Any, after: str, limit: int) -> dict[str, Any]:
    return cast("dict[str, Any]", transfers_page(rows, "r-", after, limit))


def test_a_known_key_is_booked_once() -> None:
    ledger = booked(3)
    ledger.book("r-001", 1, 2, 3, NOW_NS)

    assert [row.key for row in ledger.rows] == ["r-000", "r-001", "r-002"]


@pytest.mark.parametrize(
    ("how", "gone", "rows"),
    [
        ("nothing", [], 20),
        ("the last 7", ["r-011", "r-012", "r-013", "r-014", "r-015", "r-016", "r-017"], 13),
        ("one in the middle", ["r-009"], 19),
        ("a duplicated one", [], 21),
        ("a changed amount", [], 20),
    ],
)
def test_books_are_spoiled_as_told(how: str, gone: list[str], rows: int) -> None:
    ledger = booked(20)

    left, touched = ledger.spoiled(how, before_ns=18)

    assert len(left) == rows
    assert sorted({row.key for row in ledger.rows} - {row.key for row in left}) == gone
    assert len(touched) == {"nothing": 0, "the last 7": 7}.get(how, 1)


def test_an_unknown_way_is_an_error() -> None:
    with pytest.raises(ValueError, match="by magic"):
        booked(2).spoiled("by magic", NOW_NS)


def test_pages_give_every_transfer_once() -> None:
    rows, found, after = booked(7).rows, [], ""
    while True:
        one = page(rows, after, 3)
        found += [row[0] for row in one["transfers"]]
        if one["next"] is None:
            break
        after = one["next"]

    assert found == [row.key for row in rows]


def test_balances_agree_with_entries_until_a_row_goes() -> None:
    ledger = booked(5)
    left, _ = ledger.spoiled("one in the middle", NOW_NS)

    def unbalanced(rows: Any) -> int:
        accounts = cast("dict[str, Any]", accounts_page(rows, ledger.balances))["accounts"]
        assert len(accounts) == ACCOUNTS
        return sum(balance != opening + entries for _, opening, balance, entries in accounts)

    assert unbalanced(ledger.rows) == 0
    assert unbalanced(left) == 2
