"""DynamoDB tables in AWS Backup: every item, and what the table is made of."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from staging.local.backups import Progress
from staging.local.control_plane.backup.kinds import Captured, Damaged, tags_of
from staging.local.control_plane.backup.sealed import read_sealed, seal
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import arn
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from staging.local.control_plane.backup.points import RecoveryPoint

_FILE = "table.json"


class DynamoDbKind:
    """Implements `kinds.Kind`."""

    name = "DynamoDB"

    def resources(self, region: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Return the tables."""
        for table in list(backend("dynamodb", region).tables.values()):
            yield table.table_arn, tags_of(table.tags)

    def point_arn(self, region: str, job: str) -> str:
        """Return an ARN of AWS Backup's own."""
        return arn("backup", f"recovery-point:{job}", region)

    def key_arn(self, resource_arn: str, vault_key: str) -> str:  # noqa: ARG002 - of the protocol
        """Return the vault's key."""
        return vault_key

    async def capture(self, point: RecoveryPoint, on_progress: Callable[[Progress], None]) -> Captured:
        """Write every item down."""
        table = backend("dynamodb", point.region).tables[point.resource_arn.rpartition("/")[2]]
        taken_at = datetime.now(UTC)
        written = json.dumps(_written(table)).encode()
        await asyncio.to_thread(seal, point.path, {_FILE: written})
        on_progress(Progress("base backup", len(written), len(written)))
        return Captured(taken_at=taken_at, size_bytes=len(written), content=None)

    def adopt(self, point: RecoveryPoint, source: RecoveryPoint) -> None:
        """Nothing: the files say it all."""

    def forget(self, point: RecoveryPoint) -> None:
        """Nothing: there are only the files."""

    def metadata(self, point: RecoveryPoint) -> Mapping[str, str]:
        """Return the name of the table, under AWS's key."""
        return {"originalTableName": point.resource_arn.rpartition("/")[2], "encryptionType": "Default"}

    async def restore(
        self, point: RecoveryPoint, path: Path, metadata: Mapping[str, str],
        tags: Sequence[Mapping[str, str]], on_progress: Callable[[Progress], None],
    ) -> str:  # fmt: skip
        """Make a table with another name."""
        files = await asyncio.to_thread(read_sealed, path)
        dynamodb, name = backend("dynamodb", point.region), metadata["targetTableName"]
        if name in dynamodb.tables:
            raise AwsError("InvalidParameterValueException", f"Table already exists: {name}")
        try:
            written = json.loads(files[_FILE])
        except ValueError as error:
            raise Damaged(f"{_FILE} cannot be read: {error}") from error
        table = dynamodb.create_table(
            name, **written["table"], streams=None, sse_specification=None, tags=list(tags),
            deletion_protection_enabled=False, warm_throughput=None,
        )  # fmt: skip
        items = written["items"]
        for number, item in enumerate(items, start=1):
            dynamodb.put_item(name, item, overwrite=True)
            on_progress(Progress("copy", number, len(items)))
        return str(table.table_arn)

    def certify(self, path: Path) -> None:
        """Seal whatever lies there."""
        seal(path, read_sealed(path, trusting=True))


def _written(table: Any) -> dict[str, Any]:
    return {
        "table": {
            "schema": table.schema,
            "attr": table.attr,
            "throughput": None if table.billing_mode == "PAY_PER_REQUEST" else table.throughput,
            "billing_mode": table.billing_mode,
            "indexes": [index.describe() for index in table.indexes] or None,
            "global_indexes": [index.describe() for index in table.global_indexes] or None,
        },
        "items": [item.to_json()["Attributes"] for item in table.all_items()],
    }
