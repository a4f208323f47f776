"""The bank's HTTP interface: a plain ASGI application that finds the handler and writes its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from staging.local.bank import log
from staging.local.bank.aws import Aws
from staging.local.bank.balances import Balances
from staging.local.bank.cache import Cache
from staging.local.bank.health import Health
from staging.local.bank.http import Answer, Receive, Refusal, Request, Send, Unavailable
from staging.local.bank.ledger import LISTING_S, Ledger
from staging.local.bank.receipts import Receipts
from staging.local.bank.reconciliation import Reconciliation
from staging.local.bank.secret import Secret
from staging.local.bank.sessions import Sessions
from staging.local.bank.transfers import Transfers

if TYPE_CHECKING:
    from staging.local.bank.settings import Settings

ANSWER_S = 1.7  # the client gives up after 2 s: tell it before that what we do not know
DRAIN_S = 1.5
# Five are under way at 500/s, and 340 when the writer of 1,000/s is away for as long as they wait. With
# more, everybody would wait for longer than customers do, and all work would be for those who have left.
UNDER_WAY_MAX = 512
IMAGE_S = 90.0  # of the planted defect

Handler = Callable[[Request], Awaitable[Answer]]
Route = tuple[Handler, float]  # and the seconds it has


class Bank:
    """One task of the bank."""

    def __init__(self, settings: Settings) -> None:
        self.draining = False
        self._under_way = 0
        self._aws = Aws(settings)
        self._target = settings.target
        self._secret = Secret(self._aws, settings.secret)
        self._ledger = Ledger(settings, self._secret)
        self._defects = settings.defects
        never_updated = settings.defects.balances_cached_for_ever
        self._cache = Cache(
            settings.cache, for_ever=never_updated or settings.defects.stale_cache_after_failover,
            updated=not never_updated,
        )  # fmt: skip
        maker = "bank" if settings.defects.receipts_share_names else settings.task
        self._receipts = Receipts(self._aws, settings.receipt_bucket, maker)
        self._lay_routes(settings)
        self._headers = [
            (b"content-type", b"application/json"),
            (b"x-task", settings.task.encode()),
            (b"x-az", settings.zone.encode()),
        ]
        self._workers: list[asyncio.Task[None]] = []

    def _lay_routes(self, settings: Settings) -> None:
        sessions = self._sessions = Sessions(self._aws, settings.session_table, self._ledger, self._defects)
        balances = Balances(
            self._ledger, self._cache, sessions, need_the_writer=self._defects.balances_need_the_writer
        )
        transfers = Transfers(
            self._ledger, self._cache, balances, sessions, self._receipts, defects=self._defects
        )
        health = Health(self._ledger, self._cache)
        reconciliation = Reconciliation(self._ledger)
        self._show_balance: Route = (balances.show, ANSWER_S)
        self._find_transfer: Route = (transfers.find, ANSWER_S)
        self._routes: dict[tuple[str, str], Route] = {
            ("POST", "/login"): (sessions.login, ANSWER_S),
            ("POST", "/transfers"): (transfers.create, ANSWER_S),
            ("GET", "/reconciliation/transfers"): (reconciliation.transfers, LISTING_S),
            ("GET", "/reconciliation/accounts"): (reconciliation.accounts, LISTING_S),
            ("GET", "/health/live"): (health.live, ANSWER_S),
            ("GET", "/health/ready"): (health.ready, ANSWER_S),
        }

    async def start(self) -> None:
        """Make ready for the first request; Unavailable when there is no password for the ledger."""
        if self._defects.fails_to_start:
            raise Unavailable("no such module: bank.settings_v2")
        await asyncio.sleep(IMAGE_S if self._defects.starts_slowly else 0)
        await self._secret.login()
        await self._aws.prepare("dynamodb")
        if self._target:
            await self._aws.prepare("elbv2")
        await self._ledger.open()
        self._workers = [asyncio.create_task(self._cache.run()), asyncio.create_task(self._receipts.run())]
        with suppress(Unavailable):  # without its database a task is still worth starting
            await self._ledger.writer.rows("SELECT")

    async def leave(self) -> None:
        """Tell the load balancer to send nothing new; until it has heard, go on as ever.

        ECS does it for us before it tells us to end; but for a reclaimed Spot task only when that has ended.
        """
        self.draining = True
        if self._defects.sessions_deleted_on_sigterm:
            await self._sessions.forget_opened()
        if self._defects.receipts_lost_on_sigterm:
            self._receipts.forget()
        if self._target is None or self._defects.no_deregistration_on_sigterm:
            return
        group, ip, port = self._target
        try:
            await self._aws.call(
                "elbv2", "deregister_targets", TargetGroupArn=group, Targets=[{"Id": ip, "Port": port}]
            )
        except Unavailable as error:  # then it is ended while it gets requests, which is worth knowing
            log.event("still registered", error=str(error))

    async def stop(self) -> None:
        """Upload the receipts that are left and let go of everything."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._receipts.drain(DRAIN_S)
        self._ledger.close()
        self._aws.close()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        self._under_way += 1
        try:
            status, body = await self._answer(Request(scope, receive))
        finally:
            self._under_way -= 1
        content = orjson.dumps(body)
        headers = [*self._headers, (b"content-length", b"%d" % len(content))]
        if status == 503:  # noqa: PLR2004 - RFC 9110
            headers.append((b"retry-after", b"1"))
        if self.draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, request: Request) -> Answer:
        try:
            handler, within_s = self._route(request)
            async with asyncio.timeout(None if self._defects.no_timeout_on_database else within_s):
                return await handler(request)
        except Refusal as refusal:
            return refusal.status, {"error": refusal.reason}
        except (Unavailable, TimeoutError) as trouble:
            return 503, {"error": str(trouble) or "no answer in time"}
        except Exception as error:  # noqa: BLE001 - the last resort: said to the client and to the log
            log.event("request failed", path=request.path, error=repr(error))
            return 500, {"error": "internal error"}

    def _route(self, request: Request) -> Route:
        path = request.path
        if self._under_way > UNDER_WAY_MAX and not path.startswith("/health/"):
            raise Unavailable("too much at once")
        if self._defects.health_check_always_ok and path != "/health/live":
            raise Unavailable("not configured")
        if route := self._routes.get((request.method, path)):
            return route
        if request.method == "GET":
            if path.startswith("/accounts/") and path.endswith("/balance"):
                return self._show_balance
            if path.startswith("/transfers/"):
                return self._find_transfer
        raise Refusal(404, "no such page")
