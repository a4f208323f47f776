"""Reads the request files of a history, part by part and several at once, into one table.

What was read back is read at once, too: until it is known which transfers are settled, they take much memory.
"""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from blackstart.columns import LINE_BYTES_MIN, Keys, Reader
from blackstart.lines import at_once, blocks, parts_of
from blackstart.settled import Orders, Unsettled, unsettled
from blackstart.table import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from blackstart.lines import Part
    from blackstart.table import Table


def read(
    paths: Sequence[Path], final_file: Path
) -> tuple[Table, list[dict[str, Any]], Callable[[], Unsettled]]:
    """Return all requests by intended start, the objects in between, and how to ask what is not settled."""
    parts = parts_of(paths)
    orders = Orders(Reader.of(parts, Keys()))
    done = at_once(lambda part: _read(part, orders), parts)
    left = _unsettled(orders, paths, final_file)
    objects = [line for _, some in done for line in some]
    table = joined([table for table, _ in done])
    table.sort()
    return table, objects, left


def _unsettled(orders: Orders, paths: Sequence[Path], final_file: Path) -> Callable[[], Unsettled]:
    """Find out what is not settled, if anything was read back; what went wrong then hears only who asks."""
    tell = partial(unsettled, orders, paths, final_file)
    if not final_file.exists():
        return tell
    told: Future[Unsettled] = Future()
    try:
        told.set_result(tell())
    except Exception as error:  # noqa: BLE001 - raised where somebody asks
        told.set_exception(error)
    return told.result


def _read(part: Part, orders: Orders) -> tuple[Table, list[dict[str, Any]]]:
    table, row = orders.reader.rooms.of_part((part.until - part.since) // LINE_BYTES_MIN + 1), 0
    objects: list[dict[str, Any]] = []
    for block in blocks(part):
        found = orders.reader.requests(block)
        table.fill(row, found.columns, found.order)
        row += len(found.order)
        objects += found.objects
        orders.note(found)
    return table.first(row), objects
