"""A bank without money that fails on command and writes down exactly when: `python -m calibration.target`.

Commands come as JSON lines on its standard input, and each is carried out at the instant it names:

    {"do": "outage", "kind": "hung", "at_ns": ..., "seconds": 2.0, "seed": 1}
    {"do": "spoil", "how": "the last 7", "before_ns": ...}

What really happened goes to its standard output, one JSON line each; all times are nanoseconds of the
host's CLOCK_MONOTONIC, the clock that the load generator's history goes by. It ends with its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import sys
import time
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

import orjson
import uvloop
from httptools import HttpRequestParser

from calibration.frozen import Frozen, good_again
from calibration.kinds import AZS, FLAP_DOWN_S, FLAP_S, SLOWER_S, Kind
from calibration.ledger import Ledger, accounts_page, transfers_page

SERVICE_S: Final = 0.002
BACKLOG: Final = 4096
WATCH_EVERY_S: Final = 0.01
STILL_S_MIN: Final = 0.02
OTHERS: Final = "/other"  # begins the paths of those that look on: not in the log's counts


def say(what: str, **detail: object) -> None:
    """Write one line of the log."""
    sys.stdout.buffer.write(orjson.dumps({"what": what, **detail}, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


class Target:
    """Serves on loopback; at most one outage is on at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ledger = Ledger()
        self.shown = self.ledger.rows  # what the reconciliation reads give
        self.connections: set[Connection] = set()
        self.port = 0
        self._loop = loop
        self._server: asyncio.Server | None = None
        self._kind: Kind | None = None
        self._random = random.Random(0)  # noqa: S311 - to be repeated, not to be secret
        self._mends_ns = 0
        self._asked, self._hits = 0, 0
        self._frozen = Frozen()
        self._door = self._closed_door()

    def listen(self) -> None:
        """Listen, on the same port as before; one system call, so that it is known when."""
        self._door.listen(BACKLOG)

    async def serve(self) -> None:
        """Take in whoever comes to the door."""
        self._server = await self._loop.create_server(
            lambda: Connection(self), sock=self._door, backlog=BACKLOG
        )

    async def outage(self, kind: Kind, at_ns: int, seconds: float, seed: int) -> None:
        """Break at the given instant, mend again after so many seconds, and log both."""
        await _until(at_ns)
        self._random.seed(seed)
        self._hits = 0
        from_ns = time.monotonic_ns()
        if seconds > 0:
            self._kind = kind
            if kind is Kind.REFUSED:
                self._cut()
        until_ns = time.monotonic_ns()
        say("broken", kind=kind, from_ns=from_ns, until_ns=until_ns)
        self._mends_ns = until_ns + int(seconds * 1e9)
        await _until(self._mends_ns)
        await self._mend(kind)

    async def _mend(self, kind: Kind) -> None:
        refused = self._kind is Kind.REFUSED  # an outage of no time closed no door
        from_ns = time.monotonic_ns()
        if refused:
            self.listen()
        self._kind = None
        until_ns = time.monotonic_ns()
        if refused:
            await self.serve()
        again_ns = from_ns, until_ns
        if kind is Kind.STALLED:
            self._hits, again_ns = good_again(await self._frozen.thaw(), again_ns)
        say("mended", kind=kind, from_ns=from_ns, until_ns=until_ns, hits=self._hits, again_ns=again_ns)

    def spoil(self, how: str, before_ns: int) -> None:
        """Change the books behind the API's back, and log what was touched."""
        self.shown, touched = self.ledger.spoiled(how, before_ns)
        say("spoiled", how=how, rows=[[row.key, row.at_ns, row.debit, row.credit] for row in touched])

    def receive(self, ask: Ask) -> None:
        """Answer a request, or do to it what the outage does."""
        self._asked += 1
        kind = self._kind
        if kind is None or not self._hits_this(kind, ask):
            self._loop.call_later(SERVICE_S, ask.answer_well)
            return
        if not ask.path.startswith(OTHERS):
            self._hits += 1
        if kind is Kind.STALLED:
            self._frozen.hold(ask.answer_well)
        elif kind is Kind.SLOW:
            self._loop.call_later(SLOWER_S, ask.answer_well)
        elif kind is not Kind.HUNG:
            ask.answer(503, {"error": "away"})

    def _hits_this(self, kind: Kind, ask: Ask) -> bool:
        if kind is Kind.HALF:
            return self._random.random() < 0.5  # noqa: PLR2004 - half
        if kind is Kind.ENDPOINT:
            return bool(ask.key)
        if kind is Kind.AZ:
            return ask.az == AZS[0]
        if kind is Kind.FLAPPING:
            left_s = max(0, self._mends_ns - time.monotonic_ns()) / 1e9
            return left_s % FLAP_S < FLAP_DOWN_S  # counted from the end, so that it ends being down
        return True

    def next_az(self) -> str:
        """Return the zone that a load balancer would choose next."""
        return AZS[self._asked % len(AZS)]

    def _cut(self) -> None:
        if self._server:
            self._server.close()
        self._door = self._closed_door()
        for connection in list(self.connections):
            connection.cut()

    def _closed_door(self) -> socket.socket:
        """Return a socket that has the port, and refuses everybody until it listens."""
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.setblocking(False)  # noqa: FBT003 - its only argument
        door.bind(("127.0.0.1", self.port))
        self.port = door.getsockname()[1]
        return door


class Connection(asyncio.Protocol):
    """One connection, and the parser of the requests that come over it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._transport: asyncio.Transport
        self._parser = HttpRequestParser(self)
        self._url, self._key, self._body = "", "", b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it, so that an outage can cut it."""
        self._transport = cast("asyncio.Transport", transport)
        self._target.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Forget it."""
        self._target.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Hand on what came."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Keep the path (called by the parser)."""
        self._url = url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the idempotency key (called by the parser)."""
        if name.lower() == b"idempotency-key":
            self._key = value.decode()

    def on_body(self, body: bytes) -> None:
        """Collect the body (called by the parser)."""
        self._body += body

    def on_message_complete(self) -> None:
        """Hand the request on (called by the parser)."""
        ask = Ask(self._target, self._transport, self._url, self._key, self._body)
        self._url, self._key, self._body = "", "", b""
        self._target.receive(ask)

    def cut(self) -> None:
        """Reset the connection."""
        with contextlib.suppress(OSError):  # it is gone already
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


class Ask:
    """One request, and the ways to answer it."""

    def __init__(self, target: Target, transport: asyncio.Transport, url: str, key: str, body: bytes) -> None:
        self.az, self.key = target.next_az(), key
        self._target, self._transport = target, transport
        parts = urlsplit(url)
        self.path, self._query, self._body = parts.path, parts.query, body

    def answer_well(self) -> None:
        """Answer as the bank does."""
        if self.key:
            self._book()
        elif self.path == "/login":
            self.answer(200, {"token": f"t{orjson.loads(self._body)['account']}"})
        elif self.path == "/reconciliation/transfers":
            asked = {name: values[0] for name, values in parse_qs(self._query).items()}
            rows, limit = self._target.shown, int(asked["limit"])
            self.answer(200, transfers_page(rows, asked["prefix"], asked.get("after", ""), limit))
        elif self.path == "/reconciliation/accounts":
            self.answer(200, accounts_page(self._target.shown, self._target.ledger.balances))
        else:
            self.answer(200, {"account": 1, "balance": 1, "version": 1, "source": "cache"})

    def answer(self, status: int, answer: dict[str, Any]) -> None:
        """Send this answer, unless whoever asked has gone."""
        if self._transport.is_closing():
            return
        body = orjson.dumps(answer)
        head = (
            f"HTTP/1.1 {status} x\r\nX-Task: {self.az}-task\r\nX-AZ: {self.az}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)

    def _book(self) -> None:
        if self._transport.is_closing():
            return  # whoever asked will never know, so it was not acknowledged, and is not booked
        order = orjson.loads(self._body)
        self._target.ledger.book(
            self.key, order["debit"], order["credit"], order["cents"], time.monotonic_ns()
        )
        self.answer(201, {"key": self.key, "balance": 1})


async def watch_itself() -> None:
    """Write down whenever this process itself stood still: what it did to requests then is no clean truth."""
    while True:
        from_ns = time.monotonic_ns()
        await asyncio.sleep(WATCH_EVERY_S)
        until_ns = time.monotonic_ns()
        if until_ns - from_ns > (WATCH_EVERY_S + STILL_S_MIN) * 1e9:
            say("stood still", from_ns=from_ns, until_ns=until_ns)


async def _until(at_ns: int) -> None:
    """Wait, and spin through the last two milliseconds, for the loop's own timers are that coarse."""
    while (left_ns := at_ns - time.monotonic_ns()) > 0:  # noqa: ASYNC110 - a clock sets no event
        await asyncio.sleep(max(0.0, left_ns / 1e9 - 0.002))


async def serve() -> None:
    """Listen, say where, and carry out commands until the input ends."""
    loop = asyncio.get_running_loop()
    target, commands = Target(loop), asyncio.StreamReader()
    target.listen()
    await target.serve()
    say("listening", port=target.port)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch_itself())]
        async for line in commands:
            command = orjson.loads(line)
            if command["do"] == "spoil":
                target.spoil(command["how"], command["before_ns"])
            else:
                kind, at_ns = Kind(command["kind"]), command["at_ns"]
                outage = target.outage(kind, at_ns, command["seconds"], command["seed"])
                tasks.append(group.create_task(outage))
        for task in tasks:  # nobody is there any more to read what would become of them
            task.cancel()


if __name__ == "__main__":
    uvloop.run(serve())
