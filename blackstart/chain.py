"""Append-only files of JSON lines, each with the hash of the line before it and its own.

A line that is changed, cut out or put in between is noticed. A torn last line is cut off: whoever wrote it
had not been told that it is on the disk. Only an anchor outside the file can tell that its tail was cut.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

START = "0" * 64
LINKS = ("previous", "hash")
_TAIL = 1 << 16


class ChainBroken(Exception):
    """A line does not follow from the one before it: somebody edited the file."""


def append(file: int, body: Mapping[str, Any]) -> str:
    """Append a line to a file that is open for reading and appending; return the line's hash.

    Other processes may append at the same time; the caller keeps its own threads apart.
    """
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        linked = _link(body, _last_hash(file))
        _write_whole(file, (json.dumps(linked) + "\n").encode())
        return str(linked["hash"])
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def read(path: Path, *, first: str | None = START) -> Iterator[dict[str, Any]]:
    """Yield each whole line. `first` is the hash that the first one must follow, None for a cut-out piece.

    Raises ChainBroken.
    """
    if not path.exists():
        return
    previous = first
    for number, text in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        line = _parsed(text, f"{path.name}:{number}")
        if line["hash"] != _hash(line):
            raise ChainBroken(f"{path.name}:{number}: the line was changed")
        if previous is not None and line["previous"] != previous:
            raise ChainBroken(f"{path.name}:{number}: it does not follow the line before it")
        previous = line["hash"]
        yield line


def open_for_append(path: Path) -> int:
    """Open a file for `append`, and make it if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)


def _write_whole(file: int, line: bytes) -> None:
    """Write all of the line, or nothing of it: a disk that becomes full takes a part without complaining."""
    size = os.fstat(file).st_size
    rest = memoryview(line)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
    except OSError:
        os.ftruncate(file, size)
        raise


def _last_hash(file: int) -> str:
    """Return the hash of the last whole line, and cut off what is torn after it."""
    size = os.fstat(file).st_size
    reach = _TAIL
    while True:
        since = max(0, size - reach)
        tail = os.pread(file, size - since, since)
        whole = tail.rfind(b"\n") + 1
        lines = tail[:whole].splitlines()
        if len(lines) > 1 or since == 0:
            break
        reach *= 4  # the last line is longer than that
    if whole != len(tail):
        os.ftruncate(file, since + whole)
    try:
        return str(_parsed(lines[-1], "the last line")["hash"]) if lines else START
    except ChainBroken:
        # who reads the file will see the break; who heals must not be kept from writing
        return START


def _parsed(text: bytes, where: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError as error:
        raise ChainBroken(f"{where}: not a line of a chain: {error}") from error
    if not isinstance(line, dict) or not all(isinstance(line.get(name), str) for name in LINKS):
        raise ChainBroken(f"{where}: not a line of a chain: it has no link")
    if json.dumps(line).encode() != text:
        raise ChainBroken(f"{where}: not as it was written")
    return line


def _link(body: Mapping[str, Any], previous: str) -> dict[str, Any]:
    plain = json.loads(json.dumps(dict(body)))  # what is hashed is what will be read
    linked: dict[str, Any] = {**plain, "previous": previous}
    return {**linked, "hash": _hash(linked)}


def _hash(line: Mapping[str, Any]) -> str:
    body = {name: value for name, value in line.items() if name != "hash"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
