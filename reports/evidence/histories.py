"""Whether the raw files hang together: chains, checkpoints, ledger lines, all of the same run."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from blackstart import chain
from reports.evidence.sums import Problem, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHECKPOINT = re.compile(rb'\{"bytes":(\d+),"sha256":"([0-9a-f]{64})"\}')
_CHUNK = 1 << 20
READ_BACK = "read.back"  # the event that tells which bytes a file had when it had been read back
FINAL, RECEIPTS = "final.jsonl", "receipts.jsonl"


def problems(folder: Path, run: str, *, is_sealed: bool, notes: list[str]) -> Iterator[Problem]:
    """Yield every break; add to `notes` what is no break but should be known."""
    history = folder / "history"
    yield from _events(history, notes)
    yield from _read_back(history, notes)
    for path in sorted(history.glob("requests-*.jsonl")):
        yield from _of_the_run(path, run)
        yield from _checkpoints(path, notes)
    if is_sealed:
        yield from _ledger(folder, run)


def _events(history: Path, notes: list[str]) -> Iterator[Problem]:
    path = history / "events.jsonl"
    try:
        events = list(chain.read(path))
    except chain.ChainBroken as error:
        yield Problem(check="chain", where=f"history/{path.name}", what=str(error))
        return
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        notes.append("the last event was torn while it was written")
    notes.append(f"{len(events)} events hang together")


def _read_back(history: Path, notes: list[str]) -> Iterator[Problem]:
    """Hold what was read back after the drill against the event that told of it; of two the later one."""
    told = {str(event.get("file")): event for event in _told(history) if event.get("kind") == READ_BACK}
    for name in (FINAL, RECEIPTS):
        path, where = history / name, f"history/{name}"
        if name not in told:
            if path.exists():
                notes.append(f"{name}: no event tells that it was read back; only the seal vouches for it")
        elif not path.exists():
            yield Problem(check="chain", where=where, what="was read back, and is gone")
        elif (path.stat().st_size, sha256(path)) != (told[name].get("bytes"), told[name].get("sha256")):
            yield Problem(check="chain", where=where, what="was changed after it was read back")
        else:
            notes.append(f"{name}: is what was read back")


def _of_the_run(path: Path, run: str) -> Iterator[Problem]:
    where = f"history/{path.name}"
    with path.open("rb") as lines:
        first = lines.readline()
    try:
        header: dict[str, Any] = json.loads(first)
        told = header["run"]
    except (ValueError, KeyError, TypeError):
        yield Problem(check="run", where=where, what="does not say which run it is of")
        return
    if told != run:
        yield Problem(check="run", where=where, what=f"is of the run {told}, not of {run}")


def _checkpoints(path: Path, notes: list[str]) -> Iterator[Problem]:
    """Hash the file once, and compare at each checkpoint that was written beside it."""
    where = f"history/{path.name}"
    try:
        marks = _marks(path.with_suffix(".chain"))
    except (OSError, ValueError) as error:
        yield Problem(check="chain", where=f"history/{path.stem}.chain", what=f"cannot be read: {error}")
        return
    digest, done, size = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        for number, (until, expected) in enumerate(marks, start=1):
            done = _follow(file, digest, done, until)
            if done != until or digest.hexdigest() != expected:
                what = f"was changed before its checkpoint {number} of {len(marks)}, at byte {until}"
                yield Problem(check="chain", where=where, what=what)
                return
    if done == size:
        notes.append(f"{path.name}: {len(marks)} checkpoints cover every byte")
    elif _has_ended(path):
        yield Problem(
            check="chain", where=where, what=f"its last {size - done} bytes are after the last checkpoint"
        )
    else:
        notes.append(f"{path.name}: its writer was killed; {size - done} bytes are after the last checkpoint")


def _follow(file: Any, digest: Any, done: int, until: int) -> int:
    while done < until and (chunk := file.read(min(_CHUNK, until - done))):
        digest.update(chunk)
        done += len(chunk)
    return done


def _marks(path: Path) -> list[tuple[int, str]]:
    """Return bytes and hash of each checkpoint; a torn last one was never finished."""
    marks = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        match = _CHECKPOINT.fullmatch(line)
        if match is None:
            raise ValueError(f"not a checkpoint: {line[:80]!r}")
        marks.append((int(match[1]), match[2].decode()))
    if marks != sorted(marks, key=lambda mark: mark[0]):
        raise ValueError("checkpoints go backwards")
    return marks


def _has_ended(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _CHUNK))
        return b'\n{"kind":"footer"' in file.read()


def _ledger(folder: Path, run: str) -> Iterator[Problem]:
    try:
        lines = list(chain.read(folder / "ledger.jsonl", first=None))
    except chain.ChainBroken as error:
        yield Problem(check="chain", where="ledger.jsonl", what=str(error))
        return
    opened = {line["id"]: line for line in lines if line["do"] == "open"}
    for line in opened.values():
        if line["drill"] != run:
            what = f"holds an entry of the run {line['drill']}, not of {run}"
            yield Problem(check="run", where="ledger.jsonl", what=what)
    healed = {line["id"] for line in lines if line["do"] == "healed"}
    injected = _injected(folder)
    if sorted(line["fault"] for line in opened.values() if line["fault"] in injected) != sorted(injected):
        what = "does not announce exactly the faults that the history injects"
        yield Problem(check="ledger", where="ledger.jsonl", what=what)
    if set(opened) - healed and _exit_code(folder) != 6:  # noqa: PLR2004 - not healed
        what = "an entry is still open, though the record does not say that staging is not healed"
        yield Problem(check="ledger", where="ledger.jsonl", what=what)


def _injected(folder: Path) -> list[str]:
    events = _told(folder / "history")
    return [str(event.get("fault")) for event in events if event.get("kind") == "inject.start"]


def _told(history: Path) -> list[dict[str, Any]]:
    try:
        return list(chain.read(history / "events.jsonl"))
    except chain.ChainBroken:  # told already
        return []


def _exit_code(folder: Path) -> object:
    try:
        return json.loads((folder / "record.json").read_bytes()).get("exit_code")
    except (OSError, ValueError, AttributeError):  # told by whoever reads the record
        return None
