"""Receipts: after the commit, in batches, to S3; no payment ever waits for them."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from staging.local.bank import log
from staging.local.bank.http import Unavailable
from staging.local.bank.log import Dependency

if TYPE_CHECKING:
    from staging.local.bank.aws import Aws

EVERY_S = 1.0
BACKOFF_S_MAX = 8.0
WAITING_MAX = 20_000  # some minutes of payments; the ledger remains the truth when S3 is away for longer


class Receipts:
    """A queue in memory and the worker that empties it."""

    def __init__(self, aws: Aws, bucket: str, task: str) -> None:
        self._aws = aws
        self._bucket = bucket
        self._task = task
        self._dependency = Dependency("receipt store")
        self._waiting: deque[dict[str, Any]] = deque(maxlen=WAITING_MAX)
        self._overflowed = 0
        self._batch: tuple[str, list[dict[str, Any]]] | None = None  # until it is surely uploaded
        self._sequence = 0

    def add(self, receipt: dict[str, Any]) -> None:
        """Queue a receipt; the oldest one gives way when the queue is full."""
        self._overflowed += len(self._waiting) == WAITING_MAX
        self._waiting.append(receipt)

    def take_back(self, key: str) -> None:
        """Plant the defect: the receipt of this transfer is not uploaded, if it still waits for it."""
        self._waiting = deque((one for one in self._waiting if one["key"] != key), maxlen=WAITING_MAX)

    def forget(self) -> None:
        """Plant the defect: what waits now, and what comes from now on, is never uploaded."""
        self._batch, self._waiting = None, deque(maxlen=0)

    async def run(self) -> None:
        """Upload what is waiting once a second, for ever; ever less often while the store is away."""
        pause_s = EVERY_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = EVERY_S if await self._upload() else min(2 * pause_s, BACKOFF_S_MAX)
            self._confess()

    async def drain(self, within_s: float) -> None:
        """Upload all that is left, or say how many receipts were lost."""
        try:
            async with asyncio.timeout(within_s):
                while self._batch or self._waiting:
                    await self._upload()
        except TimeoutError:
            lost = len(self._waiting) + (len(self._batch[1]) if self._batch else 0)
            log.event("receipts lost", receipts=lost)

    async def _upload(self) -> bool:
        if self._batch is None and self._waiting:
            self._batch = self._next_key(), list(self._waiting)
            self._waiting.clear()
        if self._batch is None:
            return True
        key, receipts = self._batch
        body = b"".join(orjson.dumps(receipt) + b"\n" for receipt in receipts)
        try:
            await self._aws.call("s3", "put_object", Bucket=self._bucket, Key=key, Body=body)
        except Unavailable as error:
            self._dependency.failed(error)
            return False
        self._batch = None
        self._dependency.answered()
        return True

    def _next_key(self) -> str:
        self._sequence += 1
        return f"receipts/{datetime.now(UTC):%Y-%m-%d}/{self._task}-{self._sequence:06d}.jsonl"

    def _confess(self) -> None:
        if self._overflowed:
            log.event("receipts lost", receipts=self._overflowed)
            self._overflowed = 0
