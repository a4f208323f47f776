"""Reads back, after a drill, the receipts that the platform has stored, into `receipts.jsonl`.

One line for each object: `{"kind": "object", "name", "keys"}`, with the keys of the run's transfers, and last
of all `{"kind": "complete"}`: without that line nobody may conclude that a receipt is missing.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from blackstart.waiting import TooLate, wait_until

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

PREFIX: Final = "receipts/"
QUIET_S: Final = 3.0  # as long as nothing new may come before it is said that all have come
WITHIN_S: Final = 20.0


def read_receipts(s3: Any, bucket: str, run_id: str, history: Path, *, since: datetime) -> bool:
    """Write what the bucket holds of this run; return whether that is all.

    Receipts are uploaded a while after their payments, so it is read until nothing new has come for a while.
    `since` is when the load began, by the wall clock.
    """
    seen: dict[tuple[str, str], list[str]] = {}
    last_new_s = time.monotonic()

    def is_quiet() -> bool:
        nonlocal last_new_s
        for name, version in _objects(s3, bucket, since):
            if (name, version) not in seen:
                seen[name, version] = _keys(s3, bucket, name, f"{run_id}-")
                last_new_s = time.monotonic()
        return time.monotonic() - last_new_s > QUIET_S

    why = ""
    try:
        wait_until(is_quiet, within_s=WITHIN_S, what="the last receipt", every_s=0.5)
    except (TooLate, ClientError, BotoCoreError) as error:
        why = str(error)
    _write(history / "receipts.jsonl", {name: keys for (name, _), keys in seen.items()}, why)
    return not why


def _objects(s3: Any, bucket: str, since: datetime) -> list[tuple[str, str]]:
    """Return name and content tag of every object that was written since then, as they are now."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
    return [
        (one["Key"], one["ETag"])
        for page in pages
        for one in page.get("Contents", ())
        if one["LastModified"] >= since
    ]


def _keys(s3: Any, bucket: str, name: str, prefix: str) -> list[str]:
    lines = s3.get_object(Bucket=bucket, Key=name)["Body"].read().splitlines()
    return [key for line in lines if (key := str(orjson.loads(line)["key"])).startswith(prefix)]


def _write(path: Path, objects: dict[str, list[str]], why: str) -> None:
    """Write each object as it was read last: of one that was overwritten, what it held before is gone."""
    lines = [{"kind": "object", "name": name, "keys": keys} for name, keys in sorted(objects.items())]
    last = {"kind": "incomplete", "why": why} if why else {"kind": "complete", "objects": len(lines)}
    with path.open("wb") as file:
        file.writelines(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in [*lines, last])
        file.flush()
        os.fsync(file.fileno())
