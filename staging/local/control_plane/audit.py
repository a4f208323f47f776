"""The trail of calls that changed something, as CloudTrail would keep it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from staging.local.control_plane.protocol import Call

_READS = ("Describe", "List", "Get", "Head", "BatchGet", "Query", "Scan", "Select", "Search", "Receive")
# CloudTrail calls these data events and leaves them out: the load makes hundreds a second.
_DATA = {
    "dynamodb": ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"),
    "sqs": ("SendMessage", "DeleteMessage", "ChangeMessageVisibility"),
    "s3": ("DeleteObjects", "PostObject"),
    "cloudwatch": ("PutMetricData",),
    "sts": ("AssumeRole",),
}


def changes_something(call: Call) -> bool:
    """Tell whether the call belongs into the trail."""
    if not call.action:
        return call.service != "s3" and call.method not in ("GET", "HEAD")
    return not call.action.startswith((*_READS, *_DATA.get(call.service, ())))


class AuditTrail:
    """Appends one line per call; O_APPEND keeps lines of several threads whole."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, call: Call, status: int) -> None:
        """Record a call that was answered."""
        entry = {
            "utc": datetime.now(UTC).isoformat(),
            "region": call.region,
            "service": call.service,
            "action": call.action or f"{call.method} {call.environ['PATH_INFO']}",
            "request_id": call.request_id,
            "status": status,
        }
        os.write(self._file, json.dumps(entry).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
