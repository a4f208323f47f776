"""What is settled is what the probes, looking at each transfer, would have found nothing wrong with."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from blackstart import columns, lines
from blackstart.history import History
from probes.readback import acknowledged, readback
from probes.reconciliation import Discrepancy, discrepancies

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNTS = 20


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have even these few read as many are: of fewer, none is settled without being looked at."""
    monkeypatch.setattr(columns, "MANY_BYTES", 0)


Books = dict[str, dict[str, Any]]


def told(folder: Path, rows: list[list[Any]], records: list[dict[str, Any]]) -> History:
    folder.mkdir(exist_ok=True)
    header: dict[str, Any] = {"kind": "header", "run": "r", "rate": 1000.0}
    write(folder / "requests-0.jsonl", [header, *rows, {"kind": "footer"}])
    accounts = [{"kind": "account", "id": 1, "opening": 5, "balance": 5, "entries_sum": 0}]
    write(folder / "final.jsonl", [*records, *accounts, {"kind": "complete"}])
    return History(folder)


def write(path: Path, lines: list[Any]) -> None:
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


def row(n: int, key: str = "", what: Any = (1, 2, 3), ended: tuple[Any, ...] = ("ok", "", 201)) -> list[Any]:
    at_ns = 12_044_252_729_254 + n * 1_000_000
    return [at_ns, at_ns + 5, at_ns + 9, "transfer", *ended, key or f"run-0-{n}", list(what), "task", "az"]


def record(n: int, key: str = "", what: Any = (1, 2, 3), **changes: Any) -> dict[str, Any]:
    debit, credit, cents = what
    found = {
        "kind": "transfer", "key": key or f"run-0-{n}", "debit": debit, "credit": credit, "cents": cents,
        "entries": 2, "entries_ok": True, "committed_at_ns": 1795423904838615000 + n,
    }  # fmt: skip
    return {**found, **changes}


def test_what_was_booked_as_ordered_is_settled(tmp_path: Path) -> None:
    history = told(tmp_path, [row(n) for n in range(50)], [record(n) for n in reversed(range(50))])

    assert history.unsettled.settled == 50
    assert history.unsettled.transfers == ()
    assert [one["kind"] for one in history.unsettled.final_reads] == ["account", "complete"]


def test_what_was_sent_again_and_known_is_settled_too(tmp_path: Path) -> None:
    again = [row(n + 100, f"run-0-{n}", ended=("ok", "", 200)) for n in range(0, 50, 5)]

    history = told(tmp_path, [*map(row, range(50)), *again], [record(n) for n in range(50)])

    assert history.unsettled.settled == 50
    assert history.unsettled.transfers == ()


def test_reads_that_nobody_can_read_are_the_affair_of_those_who_ask_for_them(tmp_path: Path) -> None:
    history = told(tmp_path, [row(1)], [record(1)])
    (tmp_path / "final.jsonl").write_text("no JSON\n")

    assert len(history.requests) == 1
    with pytest.raises(ValueError, match=r"JSON|expected"):
        _ = history.unsettled


@pytest.mark.parametrize(
    ("rows", "records"),
    [
        ([row(1, ended=("ok", "", 200))], [record(1)]),
        ([row(1), row(2, "run-0-1", what=(1, 2, 4), ended=("ok", "", 200))], [record(1)]),
        ([row(1), row(2, "run-0-1", ended=("ok", "", 200))], []),
        ([row(1), row(2, "run-0-1", ended=("ok", "", 200))], [record(1), record(1)]),
        ([row(1)], []),
        ([], [record(1)]),
        ([row(1)], [record(1), record(1)]),
        ([row(1), row(2, "run-0-1")], [record(1)]),
        ([row(1), row(2, "run-0-1", ended=("unknown", "timeout", 0))], [record(1)]),
        ([row(1)], [record(1, what=(1, 2, 4))]),
        ([row(1)], [record(1, what=(2, 1, 3))]),
        ([row(1)], [record(1, entries=1)]),
        ([row(1)], [record(1, entries_ok=False)]),
        ([row(1, ended=("unknown", "http", 503))], [record(1)]),
        ([row(1, ended=("failed", "refused", 0))], [record(1)]),
        ([row(1, "other-0-1")], [record(1)]),
        ([row(1, "run-0-01")], [record(1, "run-0-1")]),
        ([row(1, "no dash")], [record(1, "no dash")]),
        ([row(1, "run-0-99999999")], [record(1, "run-0-99999999")]),  # more digits than are read at once
        ([row(1, what=(1, 2, 1 << 23))], [record(1, what=(1, 2, 1 << 23))]),
    ],
)
def test_anything_else_is_left_to_be_looked_at(
    tmp_path: Path, rows: list[list[Any]], records: list[dict[str, Any]]
) -> None:
    usual = list(range(10, 20))
    history = told(tmp_path, [*map(row, usual), *rows], [*map(record, usual), *records])

    left = history.unsettled
    assert left.settled == 10
    assert sorted(one.key for one in left.transfers) == sorted(one[7] for one in rows)
    assert [one for one in left.final_reads if one["kind"] == "transfer"] == records


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_found_otherwise_than_one_by_one(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    rows, records = [], []
    for n in range(300):
        what = (dice.randrange(ACCOUNTS), dice.randrange(ACCOUNTS), dice.randrange(500))
        ended = dice.choice([("ok", "", 201)] * 20 + [("unknown", "http", 503), ("failed", "refused", 0)])
        rows.append(row(n, what=what, ended=ended))
        die = dice.random()
        if die < 0.95:
            records.append(record(n, what=what))
        if die < 0.02:
            records.append(record(n, what=what))
        if 0.5 < die < 0.52:
            records[-1]["cents"] += 1
        if 0.6 < die < 0.62:
            rows.append(row(n + 500, key=f"run-0-{n}", what=what))
    records.sort(key=lambda one: str(one["key"]))
    history = told(tmp_path, rows, records)

    whole = History(tmp_path)
    lost = {key for key in acknowledged(whole) if key not in {one.key for one in readback(whole).transfers}}
    left = history.unsettled
    still = {one.key for one in readback(left).transfers}
    assert {key for key in acknowledged(left) if key not in still} == lost
    assert left.settled + len(acknowledged(left)) == len(acknowledged(whole))
    assert by_key(discrepancies(history)) == by_key(_one_by_one(whole))


def by_key(found: tuple[Discrepancy, ...]) -> list[Discrepancy]:
    return sorted(found, key=lambda one: (one.kind, one.key, one.detail))


def _one_by_one(history: History) -> tuple[Discrepancy, ...]:
    history.__dict__["unsettled"] = history  # nothing is taken as settled
    return discrepancies(history)


def test_parts_read_at_the_same_time_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PART_BYTES", 1000)
    sent = list(range(400))
    lost = [7, 200, 399]
    back = [record(n) for n in sent if n not in lost]

    history = told(tmp_path, [row(n) for n in sent], back)

    assert history.unsettled.settled == 397
    assert [one.key for one in history.unsettled.transfers] == ["run-0-7", "run-0-200", "run-0-399"]
    assert len(history.headers) == len(history.footers) == 1
    assert history.requests.intended_ns.tolist() == sorted(history.requests.intended_ns.tolist())


def test_keys_of_more_workers_than_there_is_room_for_are_looked_at_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "PREFIXES_MAX", 2)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 300)  # a block or more for each
    keys = [f"run-{worker}-{n}" for worker in range(4) for n in range(20)]

    history = told(tmp_path, [row(n, key) for n, key in enumerate(keys)], [record(1, key) for key in keys])

    left = history.unsettled
    assert 0 < left.settled < 80
    assert left.settled + len(left.transfers) == 80
    assert by_key(discrepancies(history)) == by_key(_one_by_one(History(tmp_path)))
