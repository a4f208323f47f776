"""Damage at rest, on purpose: what a bad disk, a lost segment, a forgetful backup or a deleted key leaves."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from staging.local.control_plane.backup import manifest
from staging.local.control_plane.backup.sealed import SEAL, read_sealed, seal
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from staging.local.control_plane.backup.points import RecoveryPoint

_PAGE = 8192
_BEFORE_END = 40  # of a page: inside the row that was written first
_SEGMENT_NAME = 24  # characters
_VICTIM = "transfers"


def damage(point: RecoveryPoint, how: str) -> str:
    """Damage a recovery point, its files or the key they need; return what was changed."""
    of_aurora = point.resource_type == "Aurora"
    if of_aurora and how == "byte":
        return _flip_in_table(point)
    if of_aurora and how == "wal":
        return _lose_segment(point.path)
    if of_aurora and how == "table":
        return _empty_table(point)
    if how == "key":
        return _lose_key(point)
    if how == "byte":
        return _flip(max(_files(point.path), key=lambda path: path.stat().st_size))
    if point.resource_type == "DynamoDB" and how == "table":
        return _empty_items(point.path)
    message = f"a recovery point of {point.resource_type} cannot be damaged like this: {how}"
    raise AwsError("InvalidParameterValueException", message)


def _flip_in_table(point: RecoveryPoint) -> str:
    path = _heap(point)
    pages = path.stat().st_size // _PAGE
    offset = (pages // 2) * _PAGE + _PAGE - _BEFORE_END
    return _flip(path, offset)


def _flip(path: Path, offset: int | None = None) -> str:
    at = path.stat().st_size // 2 if offset is None else offset
    with path.open("r+b") as file:
        file.seek(at)
        before = file.read(1)[0]
        file.seek(at)
        file.write(bytes([before ^ 0xFF]))
    return f"byte {at} of {path}: {before:#04x} became {before ^ 0xFF:#04x}"


def _lose_segment(directory: Path) -> str:
    segments = {
        path.name: path
        for folder in directory.rglob("pg_wal")
        for path in folder.iterdir()
        if len(path.name) == _SEGMENT_NAME and path.is_file()
    }
    if not segments:
        raise AwsError("InvalidRequestException", f"there is no write-ahead log in {directory}")
    # a backup may hold more than it needs: one that PostgreSQL had made in advance would not be missed
    needed = manifest.last_segment(directory, next(iter(segments.values())).stat().st_size)
    if needed not in segments:
        raise AwsError("InvalidRequestException", f"{directory} lacks {needed} already")
    segments[needed].unlink()
    return f"{segments[needed]} was removed"


def _empty_table(point: RecoveryPoint) -> str:
    """Leave no row of one table, and a manifest that finds nothing wrong with that."""
    path = _heap(point)
    size = path.stat().st_size
    path.write_bytes(b"")
    for fork in ("_vm", "_fsm"):  # they speak of pages that are no more
        path.with_name(path.name + fork).unlink(missing_ok=True)
    manifest.rewrite(point.path)
    return f"{path} was emptied of {size} bytes, and the manifest made to agree"


def _lose_key(point: RecoveryPoint) -> str:
    """Leave the recovery point under a key that KMS no longer knows."""
    before = point.key_arn
    point.key_arn = f"{before.rpartition('/')[0]}/{uuid.uuid4()}"
    return f"it was under {before}, and is under {point.key_arn} now, which KMS does not know"


def _heap(point: RecoveryPoint) -> Path:
    """Return the file of a table that a ledger cannot do without."""
    tables: Mapping[str, str] = point.content.tables
    root = next(point.path.rglob(manifest.NAME)).parent
    for table in (_VICTIM, "accounts"):  # a ledger without transfers has no page of them
        path = root / tables.get(table, "none")
        if path.is_file() and path.stat().st_size >= _PAGE:
            return path
    raise AwsError("InvalidRequestException", f"no table of the ledger was found in {root}")


def _empty_items(directory: Path) -> str:
    files = read_sealed(directory, trusting=True)
    name, content = next(iter(files.items()))
    table: dict[str, Any] = json.loads(content)
    lost, table["items"] = len(table["items"]), []
    seal(directory, {name: json.dumps(table).encode()})
    return f"{lost} items were removed from {directory / name}, and its checksum made to agree"


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.is_file() and path.name != SEAL]
