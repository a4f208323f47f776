"""Puts a sealed bundle where nobody can change or delete it before its time: S3 with Object Lock."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from reports.evidence.sums import SIGNATURE

if TYPE_CHECKING:
    from pathlib import Path

_YEAR = timedelta(days=366)  # never a day short
PREFIX = "blackstart/"  # of every key
LOCK_MODE = "COMPLIANCE"  # not even the account's root can shorten it


class NotArchived(Exception):
    """The bundle is not safe; the message says why."""


def until(years: int, now: datetime | None = None) -> datetime:
    """Return until when what is archived now is kept."""
    return (now or datetime.now(UTC)) + years * _YEAR


def archive(  # noqa: PLR0917 - where to, and until when
    s3: Any, folder: Path, bucket: str, prefix: str, keep_until: datetime, owner: str
) -> list[str]:
    """Upload every file of a sealed bundle under retention; return the keys, each looked at again.

    Only into a bucket of the account that is its owner: names of buckets are everybody's.

    Raises NotArchived, also when the bucket has no Object Lock: a copy that can be deleted is none.
    """
    if not (folder / SIGNATURE).is_file():
        raise NotArchived(f"{folder.name} is not sealed")
    try:
        place = {"Bucket": bucket, "ExpectedBucketOwner": owner}
        _check_lock(s3, place)
        return [
            _upload(s3, path, place, f"{prefix}{folder.name}/{path.relative_to(folder)}", keep_until)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]
    except (BotoCoreError, ClientError) as error:
        raise NotArchived(str(error)) from error


def _check_lock(s3: Any, place: dict[str, str]) -> None:
    try:
        lock = s3.get_object_lock_configuration(**place)["ObjectLockConfiguration"]
    except ClientError as error:
        raise NotArchived(f"{place['Bucket']} has no Object Lock: {error}") from error
    if lock.get("ObjectLockEnabled") != "Enabled":
        raise NotArchived(f"{place['Bucket']} has no Object Lock")


def _upload(s3: Any, path: Path, place: dict[str, str], key: str, keep_until: datetime) -> str:
    body = path.read_bytes()
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")
    put = s3.put_object(
        **place, Key=key, Body=body, ChecksumAlgorithm="SHA256", ChecksumSHA256=checksum,
        ObjectLockMode=LOCK_MODE, ObjectLockRetainUntilDate=keep_until,
    )  # fmt: skip
    there = s3.head_object(**place, Key=key, VersionId=put["VersionId"])
    kept = there.get("ObjectLockRetainUntilDate")
    if there.get("ObjectLockMode") != LOCK_MODE or kept is None or there["ContentLength"] != len(body):
        raise NotArchived(f"{key} was uploaded, and is not under retention")
    return key
