"""Requests and answers, as thin as ASGI allows: a thousand a second pass through here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import orjson

BODY_BYTES_MAX = 16_384

Answer = tuple[int, dict[str, Any]]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Refusal(Exception):
    """The client asked for something that it shall not have; nothing has been changed."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Unavailable(Exception):
    """Something that we depend on does not answer; a write may or may not have been carried out."""


class Request:
    """One request."""

    __slots__ = ("_headers", "_query", "_receive", "method", "path")

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._query: bytes = scope["query_string"]
        self._headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive

    def header(self, name: bytes) -> str:
        """Return a header by its lower-case name, "" when it is absent."""
        for held, value in self._headers:
            if held == name:
                return value.decode("latin-1")
        return ""

    def parameters(self) -> dict[str, str]:
        """Return the query's parameters, of each name the last."""
        return {name: values[-1] for name, values in parse_qs(self._query.decode("latin-1")).items()}

    async def json(self) -> dict[str, Any]:
        """Return the body, which must be a JSON object."""
        try:
            body = orjson.loads(await self._body())
        except orjson.JSONDecodeError as error:
            raise Refusal(400, "the body is not JSON") from error
        if not isinstance(body, dict):
            raise Refusal(400, "the body is not a JSON object")
        return body

    async def _body(self) -> bytes:
        body = b""
        while True:
            message = await self._receive()
            part: bytes = message.get("body", b"")
            body += part
            if len(body) > BODY_BYTES_MAX:
                raise Refusal(400, "the body is too long")
            if not message.get("more_body", False):
                return body


def whole_number(body: dict[str, Any], name: str, most: int) -> int:
    """Return a field that must be a whole number from 1 to `most`."""
    number = body.get(name)
    if type(number) is not int or not 1 <= number <= most:
        raise Refusal(400, f"{name} must be a whole number from 1 to {most}")
    return number
