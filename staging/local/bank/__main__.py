"""Run one task of the bank: `python -m staging.local.bank`."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn
import uvloop

from staging.local.bank import log
from staging.local.bank.app import Bank
from staging.local.bank.http import Unavailable
from staging.local.bank.settings import Settings

if TYPE_CHECKING:
    from types import FrameType

    from staging.local.bank.defects import Defects

GRACE_S = 0.3  # for kept-alive connections to hear that they shall close
FINISH_S = 2  # for the requests that have begun
KEEP_ALIVE_S = 75  # longer than the load balancer's, so that it is never us who hangs up on it


class Server(uvicorn.Server):
    """Uvicorn, but gentler at the end: connections are told to close before they are closed."""

    def __init__(self, bank: Bank, defects: Defects) -> None:
        super().__init__(
            uvicorn.Config(
                bank, interface="asgi3", http="httptools", ws="none", lifespan="off", loop="uvloop",
                access_log=False, log_config=None, date_header=False, server_header=False,
                proxy_headers=False, timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=FINISH_S,
            )
        )  # fmt: skip
        self._bank = bank
        self._defects = defects

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        if self._defects.ignores_sigterm:
            return
        if self._defects.no_drain_on_sigterm:
            os._exit(0)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Leave the load balancer, take no new connections, finish what has begun, hang up at last."""
        log.event("stopping", connections=len(self.server_state.connections))
        await self._bank.leave()
        # what the load balancer has sent on its way before it heard of it still arrives
        lingers = self.server_state.connections and not self._defects.no_deregistration_on_sigterm
        await asyncio.sleep(GRACE_S if lingers else 0)
        for server in self.servers:
            server.close()
        await super().shutdown(sockets)


async def serve(settings: Settings) -> None:
    """Start, serve until told to stop, stop."""
    bank = Bank(settings)
    await bank.start()
    gc.freeze()  # what the start has left in memory stays: no collection needs to look at it again
    listener = socket.create_server(settings.listen, backlog=2048)
    host, port = listener.getsockname()[:2]
    log.event("started", listen=f"{host}:{port}")
    server = Server(bank, settings.defects)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn hands a signal that ended it to whoever had it before: it must not end us as well
        signal.signal(number, server.handle_exit)
    await server.serve(sockets=[listener])
    await bank.stop()


def main() -> int:
    """Run until SIGTERM; one line says why a start has failed."""
    log.adopt_libraries()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until there is something to finish
    try:
        settings = Settings.from_environment(os.environ)
        log.bind(task=settings.task, az=settings.zone)
        uvloop.run(serve(settings))
    except (KeyError, ValueError, OSError, Unavailable) as error:
        log.event("start failed", error=f"{type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    log.event("stopped", code=code)
    sys.stdout.flush()
    os._exit(code)  # a thread that still hangs in a call to AWS must not hold up the end
