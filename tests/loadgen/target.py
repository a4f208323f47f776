"""A bank without money, to send load to: real sockets, its own log, and every way to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, cast

import orjson
from httptools import HttpRequestParser

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future


@dataclass
class Target:
    """Serves on loopback from a thread of its own; what it does is up to `mode`."""

    mode: str = "well"  # or another of the ways in _Answer.give
    login_mode: str = "well"
    delay_s: float = 0.0
    port: int = 0
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, key
    unanswered: int = 0
    acknowledged: list[str] = field(default_factory=list)  # keys of the transfers that got a 201
    connections: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: asyncio.Server | None = None
    _protocols: set[_Protocol] = field(default_factory=set)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listen, on the same port as before."""

        async def listen() -> asyncio.Server:
            return await self._loop.create_server(
                lambda: _Protocol(self), "127.0.0.1", self.port, backlog=4096
            )

        self._server = self._do(listen())
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Stop listening and cut every connection."""

        async def close() -> None:
            assert self._server
            self._server.close()
            for protocol in list(self._protocols):
                protocol.cut()
            await asyncio.sleep(0)

        self._do(close())

    def close_idle(self) -> None:
        """Close every connection politely, as a server does with idle ones."""

        async def close() -> None:
            for protocol in list(self._protocols):
                protocol.transport.close()
            await asyncio.sleep(0.05)

        self._do(close())

    def keys(self) -> list[str]:
        return [key for _, _, key in self.requests if key]

    def count(self, path: str) -> int:
        return sum(path in asked for _, asked, _ in self.requests)

    def _do(self, coroutine: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(timeout=10)


class _Protocol(asyncio.Protocol):
    def __init__(self, target: Target) -> None:
        self.target = target
        self.transport: asyncio.Transport
        self._parser = HttpRequestParser(self)
        self._url, self._body = "", b""
        self._headers: dict[bytes, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.target.connections += 1
        self.target._protocols.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.target._protocols.discard(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        key = self._headers.get(b"idempotency-key", "")
        self.target.requests.append((method, self._url, key))
        answer = _Answer(self, method, self._url, key, self._body)
        if self.target.delay_s:
            self.target._loop.call_later(self.target.delay_s, answer.give)
        else:
            answer.give()
        self._url, self._headers, self._body = "", {}, b""

    def cut(self) -> None:
        """Reset the connection."""
        with contextlib.suppress(OSError):
            sock: socket.socket = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


@dataclass
class _Answer:
    connection: _Protocol
    method: str
    url: str
    key: str
    body: bytes

    def give(self) -> None:
        target = self.connection.target
        mode = target.login_mode if self.url == "/login" and target.mode == "well" else target.mode
        ways: dict[str, Callable[[], None]] = {
            "well": self._well, "hang": self._hang, "reset": self.connection.cut, "half": self._half,
            "503": lambda: self._send(503, {"error": "away"}), "401": lambda: self._send(401, {}),
            "close": self._then_close, "junk": self._junk,
        }  # fmt: skip
        ways[mode]()

    def _well(self) -> None:
        if self.key:
            self.connection.target.acknowledged.append(self.key)
            self._send(201, {"key": self.key, "balance": 1})
        elif self.url == "/login":
            self._send(200, {"token": f"t{orjson.loads(self.body)['account']}"})
        else:
            self._send(200, {"account": 1, "balance": 1, "version": 1, "source": "cache"})

    def _hang(self) -> None:
        self.connection.target.unanswered += 1

    def _half(self) -> None:
        self.connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")
        self.connection.transport.close()

    def _junk(self) -> None:
        self.connection.transport.write(b"\x00\x01 this is not HTTP\r\n\r\n")

    def _then_close(self) -> None:
        self._send(200, {}, "Connection: close\r\n")
        self.connection.transport.close()

    def _send(self, status: int, answer: dict[str, Any], headers: str = "") -> None:
        body = orjson.dumps(answer)
        head = (
            f"HTTP/1.1 {status} x\r\nX-Task: task-1\r\nX-AZ: us-east-1a\r\n{headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.connection.transport.write(head.encode() + body)
