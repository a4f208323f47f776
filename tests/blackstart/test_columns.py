"""The fast reader says what the JSON parser says, line by line, and never guesses."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from blackstart import columns, lines
from blackstart.columns import ENDPOINTS, OUTCOMES
from blackstart.history import History
from blackstart.lines import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Row = list[Any]
ENDS = (
    ("ok", "", 200), ("ok", "", 201), ("failed", "timeout", 0), ("failed", "dropped", 0),
    ("unknown", "http", 503), ("unknown", "unresolved", 0), ("failed", "refused", 0),
    ("unknown", "dropped", 0),
)  # fmt: skip


@pytest.fixture(autouse=True, params=["compiled", "parsed"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test reads once with compiled code and once with the JSON parser alone."""
    if request.param == "compiled":
        monkeypatch.setattr(columns, "MANY_BYTES", 0)
    return str(request.param)


def some_rows(count: int, seed: int, first_ns: int = 12_044_252_729_254) -> list[Row]:
    dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    rows, at_ns = [], first_ns
    for n in range(count):
        at_ns += dice.randrange(2_000_000)
        start_ns = at_ns + dice.randrange(1_000_000)
        endpoint, (outcome, reason, status) = dice.choice(ENDPOINTS), dice.choice(ENDS)
        transfer = endpoint == "transfer"
        rows.append(
            [
                at_ns, start_ns, start_ns + dice.randrange(2_000_000_000), endpoint, outcome, reason, status,
                f"run-0-{n}" if transfer else "", [1, 2, 3] if transfer else None, "task", "us-east-1a",
            ]
        )  # fmt: skip
    dice.shuffle(rows)
    return rows


def written(folder: Path, lines: list[Any], name: str = "requests-0.jsonl") -> Path:
    path = folder / name
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return path


def expected(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [
        (*row[:3], ENDPOINTS.index(row[3]), OUTCOMES.index(row[4]), row[5] == "dropped")
        for row in sorted(rows, key=lambda row: row[0])
    ]


def read(*paths: Path) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
    history = History(paths[0].parent)
    found = history.requests
    rest = found.endpoint, found.outcome, found.dropped
    lists = [column.tolist() for column in (found.intended_ns, found.start_ns, found.end_ns, *rest)]
    return list(zip(*lists, strict=True)), [*history.headers, *history.footers]


def json_lines(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the lines that the JSON parser was asked for."""
    asked: list[int] = []
    line = lines.Block.line

    def counted(block: lines.Block, begin: int, end: int) -> Any:
        asked.append(begin)
        return line(block, begin, end)

    monkeypatch.setattr(lines.Block, "line", counted)
    return asked


@pytest.mark.parametrize("seed", range(5))
def test_it_reads_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, reader: str
) -> None:
    asked = json_lines(monkeypatch)
    rows = some_rows(3000, seed)
    header, footer = {"kind": "header", "rate": 1.0}, {"kind": "footer"}

    found, objects = read(written(tmp_path, [header, *rows, footer]))

    assert found == expected(rows)
    assert objects == [header, footer]
    others = sum(row[3] == "transfer" and row[4] != "ok" for row in rows)
    assert reader == "parsed" or len(asked) == 2 + others  # all else went the fast way


@pytest.mark.parametrize("first_ns", [5, 999_999_990, 9_999_999_999_000, 10**15, 2 * 10**16])
def test_times_of_any_length_are_read(tmp_path: Path, first_ns: int) -> None:
    rows = some_rows(500, 1, first_ns)

    assert read(written(tmp_path, rows))[0] == expected(rows)


def test_files_of_several_workers_make_one_history(tmp_path: Path) -> None:
    one, other = some_rows(400, 1), some_rows(300, 2)

    found, _ = read(written(tmp_path, one), written(tmp_path, other, "requests-1.jsonl"))

    assert found == expected(one + other)


def test_blocks_of_any_size_hold_the_same_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = some_rows(200, 3)
    path = written(tmp_path, rows)
    for size in (256, 300, 1000, 4096):
        monkeypatch.setattr(lines, "BLOCK_BYTES", size)

        assert read(path)[0] == expected(rows)


def test_parts_of_any_size_hold_the_same_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = some_rows(200, 3)
    path = written(tmp_path, rows)
    for size in (1, 100, 1000, 7777):
        monkeypatch.setattr(lines, "PART_BYTES", size)

        parts = parts_of([path])
        assert [part.since for part in parts] == [0, *(part.until for part in parts[:-1])]
        assert parts[-1].until == path.stat().st_size
        assert read(path)[0] == expected(rows)


@pytest.mark.parametrize("late_ns", [(1 << 32) - 1, 1 << 32, 10**12, -5])
def test_a_request_may_take_any_time_and_even_less_than_none(tmp_path: Path, late_ns: int) -> None:
    rows = some_rows(100, 3)
    rows[50][1] = rows[50][0] + late_ns
    rows[60][2] = rows[60][1] + late_ns

    assert read(written(tmp_path, rows))[0] == expected(rows)


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    rows = some_rows(10, 1)
    path = written(tmp_path, rows)
    whole = path.read_bytes()

    for torn in range(1, len(orjson.dumps(rows[-1])) + 1):
        path.write_bytes(whole[:-torn])
        assert read(path)[0] == expected(rows[:-1])


def test_nothing_written_is_nothing_read(tmp_path: Path) -> None:
    assert read(written(tmp_path, [])) == ([], [])
    (tmp_path / "requests-0.jsonl").unlink()
    assert read(tmp_path / "requests-0.jsonl") == ([], [])


def test_other_spellings_of_the_same_are_read_too(tmp_path: Path) -> None:
    rows = some_rows(50, 4)
    path = tmp_path / "requests-0.jsonl"
    path.write_text("".join(str(row).replace("'", '"').replace("None", "null") + "\n" for row in rows))

    assert read(path)[0] == expected(rows)


@pytest.mark.parametrize("seed", range(3))
def test_a_changed_byte_is_never_read_otherwise_than_by_the_parser(tmp_path: Path, seed: int) -> None:
    """Of what the columns hold; what comes after a request's reason is not looked at here."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    rows = some_rows(20, seed)
    path = written(tmp_path, rows)
    whole = bytearray(path.read_bytes())
    begins = [0, *(n + 1 for n, byte in enumerate(whole) if byte == 10)][:-1]
    for _ in range(300):
        changed = bytearray(whole)
        changed[dice.choice(begins) + dice.randrange(60)] = dice.choice(b'0123456789",[]x \\')
        path.write_bytes(changed)
        assert readable(lambda path: read(path)[0], path) == readable(slowly, path)


def readable(how: Callable[[Path], Any], path: Path) -> Any:
    try:
        return how(path)
    except (ValueError, TypeError, IndexError, OverflowError):
        return "unreadable"


def slowly(path: Path) -> list[tuple[Any, ...]]:
    lines = map(orjson.loads, path.read_bytes().split(b"\n")[:-1])
    return expected([line for line in lines if isinstance(line, list)])
