"""Every payment has its receipt, and every receipt its payment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from blackstart.verdict import Verdict, judge
from objectives import RECEIPTED
from probes.receipts import wrong_receipts
from tests.histories import Story

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.history import History

COMPLETE = {"kind": "complete"}


def history(folder: Path, receipts: list[str], last: dict[str, Any] | None = None) -> History:
    told = (
        Story(folder).fault(5.0).transfer("a", 1.0).transfer("b", 2.0).transfer("c", 6.0, outcome="unknown")
    )
    told.transfer("c", 7.0)  # who did not hear of it asked again
    told.transfer("d", 8.0, outcome="unknown")
    told.final = [
        {
            "kind": "transfer", "key": key, "debit": 1, "credit": 2, "cents": 100, "entries": 2,
            "entries_ok": True,
        }
        for key in "abc"
    ]  # fmt: skip
    told.final.append(COMPLETE)
    told.receipts = [{"kind": "object", "name": "receipts/1", "keys": receipts}, last or COMPLETE]
    return told.tell()


@pytest.mark.parametrize(
    ("receipts", "wrong"),
    [
        (["a", "b", "c"], 0),
        (["a", "b", "c", "c"], 0),
        (["a", "c"], 1),
        (["a", "b", "c", "d"], 1),
        ([], 3),
    ],
)
def test_what_is_missing_and_what_is_for_nothing_is_counted(
    tmp_path: Path, receipts: list[str], wrong: int
) -> None:
    measured = wrong_receipts(history(tmp_path, receipts))

    assert (measured.low, measured.high, measured.samples) == (wrong, wrong, 3)


def test_receipts_that_were_not_all_read_prove_nothing(tmp_path: Path) -> None:
    broken = history(tmp_path / "a", ["a"], {"kind": "incomplete", "why": "no S3"})
    never = Story(tmp_path / "b").fault(5.0).transfer("a", 1.0).tell()

    assert judge(RECEIPTED, broken).verdict is Verdict.UNKNOWN
    assert judge(RECEIPTED, never).verdict is Verdict.UNKNOWN
