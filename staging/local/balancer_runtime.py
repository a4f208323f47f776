"""HAProxy's runtime API, over a unix socket."""

from __future__ import annotations

import asyncio
import csv
import io
import socket
from contextlib import suppress
from pathlib import Path

_ANSWER_WITHIN_S = 5.0
_ACKNOWLEDGED = ("changed from", "no need to change")

Row = dict[str, str]


class BalancerError(RuntimeError):
    """HAProxy did not do as it was told."""


class Runtime:
    """Tells HAProxy what to change, and asks what it sees."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def listen(self) -> socket.socket:
        """Make the socket for HAProxy to inherit: so nobody has to wait until it exists."""
        Path(self._path).unlink(missing_ok=True)
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(self._path))
        self._path.chmod(0o600)
        door.listen()
        return door

    def close(self) -> None:
        """Remove what `listen` left on disk."""
        with suppress(FileNotFoundError):
            self._path.unlink()

    async def tell(self, *commands: str) -> None:
        """Carry out commands in order; HAProxy is silent, or says what it changed, when all is well."""
        answer = await self.ask("; ".join(commands))
        complaints = [
            line for line in answer.splitlines() if line and not any(word in line for word in _ACKNOWLEDGED)
        ]
        if complaints:
            raise BalancerError("; ".join(complaints))

    async def rows(self, proxy: str) -> list[Row]:
        """Return the statistics of a proxy: one row for its front, each server, and its back."""
        answer = await self.ask(f"show stat {proxy} 7 -1")
        return list(csv.DictReader(io.StringIO(answer.removeprefix("# "))))

    async def ask(self, question: str) -> str:
        """Return the answer to one line."""
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                return await self._exchange(question)
        except OSError as error:  # TimeoutError is one too
            raise BalancerError(f"HAProxy does not answer: {error or 'time is up'}") from error

    async def _exchange(self, question: str) -> str:
        reader, writer = await asyncio.open_unix_connection(str(self._path))
        try:
            writer.write(question.encode() + b"\n")
            return (await reader.read()).decode()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
