"""Calls that no AWS has: POST /_local/NAME, JSON in and JSON out, for the double's optional powers."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from staging.local.control_plane.protocol import Answer, AwsError, Call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

_PREFIX = "/_local/"


def is_meant(environ: Mapping[str, Any]) -> bool:
    """Tell whether the request is such a call; no path of AWS begins like this, unsigned."""
    return environ["PATH_INFO"].startswith(_PREFIX) and "HTTP_AUTHORIZATION" not in environ


def read_call(environ: dict[str, Any]) -> Call:
    """Read which call it is; for the audit trail its service is "local"."""
    return Call("local", environ["PATH_INFO"].removeprefix(_PREFIX), environ, str(uuid4()))


def answer(call: Call, handlers: Mapping[str, Callable[[Mapping[str, Any]], Any]]) -> Answer:
    """Let the handler answer; what goes wrong is said in the answer, with AWS's own kind of code."""
    try:
        handle: Callable[[Mapping[str, Any]], Any] = handlers.get(call.action, _unknown)
        return _json(HTTPStatus.OK, handle(json.loads(call.body)))
    except AwsError as error:
        return _json(error.status, {"code": error.code, "message": error.message})
    except Exception as error:
        log.exception("local %s failed", call.action)
        message = f"{type(error).__name__}: {error}"
        return _json(HTTPStatus.INTERNAL_SERVER_ERROR, {"code": "InternalFailure", "message": message})


def _unknown(_: Mapping[str, Any]) -> None:
    raise AwsError("UnknownOperation", "The local staging has no such operation.", HTTPStatus.NOT_FOUND)


def _json(status: int, content: Any) -> Answer:
    return Answer(int(status), [("Content-Type", "application/json")], json.dumps(content).encode())
