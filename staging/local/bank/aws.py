"""The AWS services, called in a few threads: sessions, receipts and the secret are rare calls."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from staging.local.bank.http import Unavailable

if TYPE_CHECKING:
    from staging.local.bank.settings import Settings

CALL_S = 1.0
THREADS = 4

_CONFIG = Config(
    connect_timeout=CALL_S,
    read_timeout=CALL_S,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=THREADS,
    request_checksum_calculation="when_required",
    s3={"addressing_style": "path"},
)


class Aws:
    """Clients of the services that this task uses, each made when first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = botocore.session.Session()
        self._clients: dict[str, Any] = {}
        self._making = Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="aws")

    async def call(self, service: str, operation: str, **parameters: object) -> dict[str, Any]:
        """Call one operation; whatever keeps it from answering well is Unavailable."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._threads, partial(self._call, service, operation, parameters)
            )
        except (BotoCoreError, ClientError, OSError) as error:
            raise Unavailable(f"{service} {operation}: {error}") from error

    async def prepare(self, service: str) -> None:
        """Make a client now: it costs CPU that the first request should not have to wait for."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._client, service)

    def close(self) -> None:
        """Take no more calls; those under way end with their timeouts."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _call(self, service: str, operation: str, parameters: dict[str, object]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self._client(service), operation)(**parameters)
        return answer

    def _client(self, service: str) -> Any:
        with self._making:  # a botocore session is not thread-safe, its clients are
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def _make(self, service: str) -> Any:
        key_id, key = self._settings.aws_credentials
        return self._session.create_client(
            service,
            region_name=self._settings.region,
            endpoint_url=self._settings.aws_endpoint,
            aws_access_key_id=key_id,
            aws_secret_access_key=key,
            config=_CONFIG,
        )
