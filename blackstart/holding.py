"""Holding an environment while one works on it: the lease, renewed, and the dead man, put off."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from blackstart import account_ledger, context, dead_man
from blackstart.account_ledger import AccountLedger
from blackstart.choke import Refused
from blackstart.dead_man import DeadMan
from blackstart.guards import NoIdentity
from blackstart.lease import LEASE_S, RENEW_EVERY_S, Lease, holder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blackstart.context import Context
    from blackstart.own import Own

log = logging.getLogger(__name__)


class Unheld(Refused):
    """The environment could not be held: its table or its schedule did not answer as it should."""


class Hold:
    """The environment, as long as it is ours; `lost` says why it no longer is."""

    def __init__(self, own: Own, lease: Lease) -> None:
        self._account = AccountLedger(own, lease)
        self._lease = lease
        self._dead_man = DeadMan(own) if own.safeguards.heal_function else None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._renewed = time.monotonic()
        self._trouble = ""
        self._taken = False

    @property
    def lost(self) -> str | None:
        """Why the environment is no longer surely ours, None while it is; also while a call hangs."""
        if self._taken:
            return "another machine has taken the lease"
        if time.monotonic() - self._renewed > LEASE_S - RENEW_EVERY_S:
            return f"the lease could not be renewed{self._trouble}"
        return None

    def start(self) -> None:
        """Arm the dead man, and begin to renew; without the one there is no lease either."""
        try:
            if self._dead_man is not None:
                self._dead_man.arm()
        except BaseException:
            self._lease.release()
            raise
        self._thread.start()

    def stop(self) -> None:
        """End renewing and give the lease back. The dead man goes unless anybody has left something to heal.

        What does not work here ends by itself.
        """
        self._ended.set()
        self._thread.join()
        try:
            if self._dead_man is not None and self.lost is None and not self._account.open_entries():
                self._dead_man.disarm()
            self._lease.release()
        except (ClientError, BotoCoreError, Refused) as error:
            log.warning("the environment was not given back: %s", error)

    def _keep(self) -> None:
        armed = self._renewed
        while not self._ended.wait(RENEW_EVERY_S):
            asked = time.monotonic()  # the lease runs from then on, however long the answer takes
            try:
                if not self._lease.renew():
                    self._taken = True
                    return
                self._renewed, self._trouble = asked, ""
                if self._dead_man is not None and asked - armed > dead_man.RENEW_EVERY_S:
                    self._dead_man.arm()
                    armed = asked
            except (ClientError, BotoCoreError, Refused) as error:
                log.warning("the environment is not renewed: %s", error)
                self._trouble = f": {type(error).__name__}: {error}"


@contextmanager
def held(here: Context, own: Own | None, what: str) -> Iterator[tuple[Context, Hold | None]]:
    """Hold the environment for a drill or for healing; yield the context with its token.

    A staging without a table of ours is held by the lock of this machine alone. Raises Leased and Unheld.
    """
    if own is None or not own.safeguards.table:
        yield here, None
        return
    lease = Lease(own, holder_of(here.place))
    hold = Hold(own, lease)
    try:
        inside = replace(here, token=lease.take(what))
        hold.start()
    except (ClientError, BotoCoreError, NoIdentity) as error:
        raise Unheld(f"the account's safeguards cannot be used: {error}") from error
    try:
        yield inside, hold
    finally:
        hold.stop()


@contextmanager
def held_if_possible(here: Context, what: str, *, must: bool = False) -> Iterator[Context]:
    """Hold the environment, for what must go on also while the account's table is away, unless it `must`.

    Raises Leased while another machine holds it.
    """
    with ExitStack() as stack:
        try:
            inside, _ = stack.enter_context(held(here, here.own(), what))
        except Unheld as error:
            if must:
                raise
            log.warning("working without the environment's lease: %s", error)
            inside = here
        yield inside


def check_account(here: Context) -> None:
    """Refuse to start while another machine has left something open in the account."""
    if here.token:
        account_ledger.check_nothing_open(context.account_ledger(here), here.ledger)
