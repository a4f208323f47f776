"""Reads a history while it is being written, for those who watch a running drill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

if TYPE_CHECKING:
    from pathlib import Path

Row = list[Any]  # one request in the order of columns.COLUMNS


class Tail:
    """Follows all `requests-*.jsonl` of a folder, also those that appear later."""

    def __init__(self, folder: Path) -> None:
        self.headers: list[dict[str, Any]] = []
        self.footers: list[dict[str, Any]] = []
        self._folder = folder
        self._files: dict[Path, BinaryIO] = {}
        self._torn: dict[Path, bytes] = {}  # the beginning of a line whose end is still to come

    def poll(self) -> list[Row]:
        """Return the requests that have been written since the last call."""
        for path in sorted(self._folder.glob("requests-*.jsonl")):
            if path not in self._files:
                self._files[path] = path.open("rb", buffering=0)
        return [row for path in self._files for row in self._new_rows(path)]

    @property
    def rate(self) -> float:
        """Return the arrivals per second that the load was asked for; 0 before it has said so."""
        return max((float(header["rate"]) for header in self.headers), default=0.0)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _new_rows(self, path: Path) -> list[Row]:
        *lines, self._torn[path] = (self._torn.get(path, b"") + self._files[path].read()).split(b"\n")
        return [row for row in map(orjson.loads, lines) if not self._keep_object(row)]

    def _keep_object(self, line: Row | dict[str, Any]) -> bool:
        if isinstance(line, dict):
            (self.headers if line["kind"] == "header" else self.footers).append(line)
        return isinstance(line, dict)
