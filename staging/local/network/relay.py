"""A process that carries TCP over wires which can be slow, or stop carrying: orders come as JSON lines.

    {"open": {"host", "target": [host, port], "ends": [subnet, ...], "delay_s"}}  ->  {"port"}
    {"close": port}    {"dark": [subnet, ...]}                                    ->  {}

A wire whose end is dark carries nothing and refuses nothing: established connections hang, new ones
are never answered, and everything flows on when it is light again.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, cast

import uvloop

_BACKLOG = 512


class End(Enum):
    """How the bytes of one direction may end."""

    FINISHED = auto()
    CLOSED = auto()
    RESET = auto()


@dataclass(frozen=True)
class Plan:
    """What a wire joins."""

    host: str
    target: tuple[str, int]
    ends: frozenset[str]
    delay_s: float


class Side(asyncio.Protocol):
    """One side of a connection: what it hears is told to the other side, when due and when light."""

    transport: asyncio.Transport
    other: Side

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._heard: deque[tuple[float, bytes | End]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._other_full = False
        self._reading = False
        self._finished = False
        self._joined = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hear nothing, as far as that can be helped, until joined to the other side."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.pause_reading()
        self._wire.sides.add(self)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, at once where nothing stands in the way."""
        if self._joined and self._wire.straight and not self._heard:
            self.other.transport.write(data)
        else:
            self._hear(data)

    def eof_received(self) -> bool:
        """Pass the end on; the other direction may go on."""
        self._hear(End.FINISHED)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the loss on."""
        self._wire.sides.discard(self)
        self._hear(End.CLOSED if exc is None else End.RESET)

    def pause_writing(self) -> None:
        """Stop the other side from reading what this one cannot take."""
        self.other.regulate(other_full=True)

    def resume_writing(self) -> None:
        """Let the other side read again."""
        self.other.regulate(other_full=False)

    def join(self) -> None:
        """Begin to tell the other side, which exists now."""
        self._joined = True
        self.regulate()
        self.flush()

    def regulate(self, *, other_full: bool | None = None) -> None:
        """Read only while the other side can take it and the wire is light."""
        if other_full is not None:
            self._other_full = other_full
        wanted = not (self._other_full or self._wire.dark)
        if wanted == self._reading or self.transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def flush(self) -> None:
        """Tell the other side what is due."""
        self._alarm = None
        loop = asyncio.get_running_loop()
        while self._heard and self._joined and not self._wire.dark:
            wait_s = self._heard[0][0] - loop.time()
            if wait_s > 0:
                self._alarm = loop.call_later(wait_s, self.flush)
                return
            self._tell(self._heard.popleft()[1])

    def _hear(self, what: bytes | End) -> None:
        due = asyncio.get_running_loop().time() + self._wire.plan.delay_s
        self._heard.append((due, what))
        if self._alarm is None:
            self.flush()

    def _tell(self, what: bytes | End) -> None:
        transport = self.other.transport
        if isinstance(what, bytes):
            transport.write(what)
        elif what is End.RESET:
            transport.abort()
        elif what is End.CLOSED or self.other._finished:  # noqa: SLF001 - of the same class
            transport.close()
            self.transport.close()
        elif not transport.is_closing():
            self._finished = True
            transport.write_eof()


class Wire:
    """Listens for one source and connects to one target."""

    def __init__(self, plan: Plan, *, dark: bool) -> None:
        self.plan = plan
        self.sides: set[Side] = set()
        self.dark = False
        self._filler: socket.socket | None = None
        self._pairings: set[asyncio.Task[None]] = set()
        self._door = socket.create_server((plan.host, 0), backlog=_BACKLOG)
        self._door.settimeout(0)
        self.port: int = self._door.getsockname()[1]
        self._open_door()
        if dark:
            self.darken()

    @property
    def straight(self) -> bool:
        """Whether bytes may pass at once."""
        return not (self.dark or self.plan.delay_s)

    def darken(self) -> None:
        """Stop carrying and accepting."""
        self.dark = True
        asyncio.get_running_loop().remove_reader(self._door)
        # a full queue of one is the only thing that makes the kernel ignore, not refuse, those who knock
        self._door.listen(0)
        self._filler = socket.socket()
        self._filler.settimeout(0)
        with suppress(BlockingIOError):
            self._filler.connect(self._door.getsockname())
        for side in self.sides:
            side.regulate()

    def lighten(self) -> None:
        """Carry on with everything where it stopped."""
        self.dark = False
        self._door.listen(_BACKLOG)
        self._open_door()
        self._accept()
        self._drop_filler()
        for side in tuple(self.sides):
            side.flush()
            side.other.flush()  # which may have been lost meanwhile, with its last words unsaid
            side.regulate()

    def close(self) -> None:
        """End the wire and what it carries."""
        asyncio.get_running_loop().remove_reader(self._door)
        self._door.close()
        self._drop_filler()
        for pairing in self._pairings:
            pairing.cancel()
        for side in tuple(self.sides):
            side.transport.abort()

    def _open_door(self) -> None:
        asyncio.get_running_loop().add_reader(self._door, self._accept)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while True:
                client, knocker = self._door.accept()
                if self._filler and knocker == self._filler.getsockname():
                    client.close()
                else:
                    self._pair(client)

    def _drop_filler(self) -> None:
        if self._filler:
            self._filler.close()
            self._filler = None

    def _pair(self, client: socket.socket) -> None:
        client.settimeout(0)
        pairing = asyncio.get_running_loop().create_task(self._join(client))
        self._pairings.add(pairing)
        pairing.add_done_callback(self._pairings.discard)

    async def _join(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        near, far = Side(self), Side(self)
        near.other, far.other = far, near
        try:
            await loop.create_connection(lambda: far, *self.plan.target)
            await loop.connect_accepted_socket(lambda: near, client)
        except (OSError, asyncio.CancelledError):
            _reset(client)
            return
        near.join()
        far.join()


class Relay:
    """All wires of one process."""

    def __init__(self) -> None:
        self._wires: dict[int, Wire] = {}
        self._dark: frozenset[str] = frozenset()

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order and return the answer."""
        match order:
            case {"open": spec}:
                return {"port": self._open(spec)}
            case {"close": port}:
                self._wires.pop(port).close()
            case {"dark": subnets}:
                self._darken(frozenset(subnets))
            case _:
                return {"error": f"unknown order {order}"}
        return {}

    def _open(self, spec: dict[str, Any]) -> int:
        host, port = spec["target"]
        plan = Plan(spec["host"], (host, port), frozenset(spec["ends"]), spec["delay_s"])
        wire = Wire(plan, dark=bool(plan.ends & self._dark))
        self._wires[wire.port] = wire
        return wire.port

    def _darken(self, subnets: frozenset[str]) -> None:
        self._dark = subnets
        for wire in self._wires.values():
            dark = bool(wire.plan.ends & subnets)
            if dark != wire.dark:
                (wire.darken if dark else wire.lighten)()


def _reset(client: socket.socket) -> None:
    # refusal came too late for the connect: a reset is the nearest thing to it
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


async def serve(control: socket.socket) -> None:
    """Obey orders until the host hangs up."""
    reader, writer = await asyncio.open_connection(sock=control)
    relay = Relay()
    while line := await reader.readline():
        writer.write(json.dumps(relay.obey(json.loads(line))).encode() + b"\n")


if __name__ == "__main__":
    uvloop.run(serve(socket.socket(fileno=int(sys.argv[1]))))
