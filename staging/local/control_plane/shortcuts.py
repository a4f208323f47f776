"""Sessions without moto's request layers, which cost more than the rest of a login.

Only the plain forms are taken; any option, condition or surprise is left to moto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.protocol import Answer, Call

if TYPE_CHECKING:
    from staging.local.control_plane.front import Front


def register(front: Front) -> None:
    """Offer the shortcuts to the front."""
    front.shortcut("dynamodb", "GetItem")(_get_item)
    front.shortcut("dynamodb", "PutItem")(_put_item)


def _get_item(call: Call) -> Answer | None:
    asked = orjson.loads(call.body)
    table = _simple_table(call.region, asked, {"TableName", "Key", "ConsistentRead"})
    if table is None or list(asked["Key"]) != [table.hash_key_attr]:
        return None
    item = backend("dynamodb", call.region).get_item(asked["TableName"], asked["Key"])
    return _json(call, {"Item": item.to_json()["Attributes"]} if item else {})


def _put_item(call: Call) -> Answer | None:
    asked = orjson.loads(call.body)
    table = _simple_table(call.region, asked, {"TableName", "Item"})
    key = asked.get("Item", {}).get(table.hash_key_attr) if table else None
    if not key or not key.get("S"):
        return None
    backend("dynamodb", call.region).put_item(asked["TableName"], asked["Item"], overwrite=True)
    return _json(call, {})


def _simple_table(region: str, asked: dict[str, Any], known: set[str]) -> Any:
    """Return the table if the call has no options and the table a single key, else None."""
    table = backend("dynamodb", region).tables.get(asked.get("TableName"))
    return table if table and not table.has_range_key and asked.keys() <= known else None


def _json(call: Call, members: dict[str, Any]) -> Answer:
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-RequestId", call.request_id)]
    return Answer(200, headers, orjson.dumps(members))
