"""S3 buckets in AWS Backup: the newest version of every object."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from staging.local.backups import Progress
from staging.local.control_plane.backup.kinds import Captured, tags_of
from staging.local.control_plane.backup.sealed import read_sealed, seal
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import REGION, arn
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from staging.local.control_plane.backup.points import RecoveryPoint

_INDEX = "objects.json"
_ARN = "arn:aws:s3:::"


class S3Kind:
    """Implements `kinds.Kind`."""

    name = "S3"

    def resources(self, region: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Return the buckets; all of moto's lie in the first region unless they say otherwise."""
        s3 = backend("s3")
        for bucket in list(s3.buckets.values()):
            if (bucket.region_name or REGION) == region:
                yield _ARN + bucket.name, tags_of(s3.tagger.list_tags_for_resource(bucket.arn)["Tags"])

    def point_arn(self, region: str, job: str) -> str:
        """Return an ARN of AWS Backup's own."""
        return arn("backup", f"recovery-point:{job}", region)

    def key_arn(self, resource_arn: str, vault_key: str) -> str:  # noqa: ARG002 - of the protocol
        """Return the vault's key."""
        return vault_key

    async def capture(self, point: RecoveryPoint, on_progress: Callable[[Progress], None]) -> Captured:
        """Read every object."""
        bucket = backend("s3").get_bucket(point.resource_arn.removeprefix(_ARN))
        taken_at = datetime.now(UTC)
        objects = [key for key in list(bucket.keys.values()) if hasattr(key, "value")]
        size = await asyncio.to_thread(_write, point.path, objects)
        on_progress(Progress("base backup", size, size))
        return Captured(taken_at=taken_at, size_bytes=size, content=None)

    def adopt(self, point: RecoveryPoint, source: RecoveryPoint) -> None:
        """Nothing: the files say it all."""

    def forget(self, point: RecoveryPoint) -> None:
        """Nothing: there are only the files."""

    def metadata(self, point: RecoveryPoint) -> Mapping[str, str]:
        """Return what a restore of a bucket may be told."""
        name = point.resource_arn.removeprefix(_ARN)
        return {"DestinationBucketName": name, "NewBucket": "false", "Encrypted": "false"}

    async def restore(
        self, point: RecoveryPoint, path: Path, metadata: Mapping[str, str],
        tags: Sequence[Mapping[str, str]], on_progress: Callable[[Progress], None],
    ) -> str:  # fmt: skip
        """Put the objects into a bucket, which may be a new one."""
        files = await asyncio.to_thread(read_sealed, path)
        s3, name = backend("s3"), metadata["DestinationBucketName"]
        if metadata.get("NewBucket") == "true":
            if name in s3.buckets:
                raise AwsError("InvalidParameterValueException", f"Bucket {name} already exists.")
            s3.create_bucket(name, point.region)
            s3.put_bucket_versioning(name, "Enabled")  # AWS Backup refuses buckets without
            s3.put_bucket_tagging(name, tags_of(tags))
        elif name not in s3.buckets:
            raise AwsError("InvalidParameterValueException", f"Bucket {name} does not exist.")
        objects = json.loads(files[_INDEX])
        for number, known in enumerate(objects, start=1):
            stored = s3.put_object(name, known["key"], files[known["file"]])
            stored.set_metadata(known["metadata"])
            on_progress(Progress("copy", number, len(objects)))
        return _ARN + name

    def certify(self, path: Path) -> None:
        """Seal whatever lies there."""
        seal(path, read_sealed(path, trusting=True))


def _write(directory: Path, objects: Sequence[Any]) -> int:
    files, index = {}, []
    for number, found in enumerate(objects):
        file = f"{number:08d}"
        files[file] = found.value
        index.append({"key": found.name, "file": file, "metadata": dict(found.metadata)})
    seal(directory, {**files, _INDEX: json.dumps(index).encode()})
    return sum(len(content) for content in files.values())
