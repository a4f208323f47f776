"""Is a restored ledger as new as it should be? Held against the receipts, which are kept elsewhere.

A replay that ends early leaves a ledger that is sound in itself and too old. The bank writes a receipt of
every payment to S3 soon after its commit, so whatever has a receipt from before the recovery point must be
in it.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blackstart.staging import Staging
    from runbooks.data_api import Sql

_RESOLUTION = timedelta(seconds=1)  # S3 knows when an object was written to the second
_FILES = 2  # the newest ones: what a replay misses, it misses at the end
_SETTLED = timedelta(seconds=5)  # by then the bank has written its receipts of before an earlier healing
_SAFE_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/")


def found(
    staging: Staging, bucket: str, since: datetime | None, until: datetime, sql: Sql
) -> tuple[int, int] | None:
    """Return how many of the last payments with a receipt from before `until` are there, and of how many.

    None when there is none. Those up to `since` do not count: an earlier recovery may have lost them.
    """
    files = _newest_files(staging, bucket, since, until)
    keys = [key for name in files for key in _payments(staging, bucket, name)]
    if not keys:
        return None
    listed = ", ".join(f"'{key}'" for key in keys)
    there = sql.one(f"SELECT count(*) FROM transfers WHERE key IN ({listed})")  # noqa: S608 - checked characters
    return int(there), len(keys)


def _newest_files(staging: Staging, bucket: str, since: datetime | None, until: datetime) -> list[str]:
    """Return the last receipts that were surely written before the instant."""
    days = {f"receipts/{day:%Y-%m-%d}/" for day in (until - timedelta(days=1), until)}
    written = [
        (object_["LastModified"], object_["Key"])
        for prefix in sorted(days)
        for object_ in _objects(staging, bucket, prefix)
        if object_["LastModified"] + _RESOLUTION < until
        and (since is None or object_["LastModified"] > since + _SETTLED)
    ]
    return [name for _, name in sorted(written)[-_FILES:]]


def _objects(staging: Staging, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    pages = staging.aws("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return (object_ for page in pages for object_ in page.get("Contents", []))


def _payments(staging: Staging, bucket: str, name: str) -> set[str]:
    body: bytes = staging.aws("s3").get_object(Bucket=bucket, Key=name)["Body"].read()
    keys = {str(json.loads(line)["key"]) for line in body.splitlines()}
    return {key for key in keys if set(key) <= _SAFE_KEY}
