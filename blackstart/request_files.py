"""Reads the request files of a history, part by part and several at once, into one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart.columns import LINE_BYTES_MIN, Keys, Reader
from blackstart.lines import at_once, blocks, parts_of
from blackstart.settled import Orders
from blackstart.table import Table, joined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from blackstart.lines import Part


def read(paths: Sequence[Path]) -> tuple[Table, list[dict[str, Any]], Orders]:
    """Return all requests in order of intended start, the objects in between, and the transfers."""
    parts = parts_of(paths)
    reader = Reader.of(parts, Keys())
    done = at_once(lambda part: _read(part, reader), parts)
    orders = Orders(reader)
    for _, _, more in done:
        orders.add(more)
    table = joined([table for table, _, _ in done])
    table.sort()
    return table, [line for _, objects, _ in done for line in objects], orders


def _read(part: Part, reader: Reader) -> tuple[Table, list[dict[str, Any]], Orders]:
    table, row = Table.room((part.until - part.since) // LINE_BYTES_MIN + 1), 0
    objects: list[dict[str, Any]] = []
    orders = Orders(reader)
    for block in blocks(part):
        found = reader.requests(block)
        table.fill(row, found.columns)
        row += len(found.columns.intended_ns)
        objects += found.objects
        orders.note(found.plain, found.transfers)
    table.select(slice(row))
    orders.pack()
    return table, objects, orders
