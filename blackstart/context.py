"""Where a process of ours works: which staging, which ledger, which drill.

The conductor hands it to the experiment's process in one environment variable; without it (plain
`chaos run`) the staging is the one that `BLACKSTART_STAGING` names, or the local one.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blackstart import choke, clients, guards, powers, reach
from blackstart import rules as staging_rules
from blackstart.account_ledger import AccountLedger, NotCopied
from blackstart.calls import CALLS, CallLog
from blackstart.choke import ChokePoint
from blackstart.history import EventLog
from blackstart.lease import Lease, holder_of
from blackstart.ledger import Ledger
from blackstart.own import Own
from blackstart.staging import Credentialed, Safeguarded, Safeguards

if TYPE_CHECKING:
    from collections.abc import Collection

    from blackstart.choke import Seen
    from blackstart.rules import Rules
    from blackstart.staging import AnyPower, Facts, Staging

_VARIABLE = "BLACKSTART_CONTEXT"
NEWEST = "newest"
ANSWERS, JOB = "answers", "job"


class NoStaging(Exception):
    """There is no such staging, or it does not run."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What every part of one drill must agree on. `folder` is the drill's own, None outside a drill."""

    home: str
    staging: str = "local"
    drill: str = "by hand"
    folder: str | None = None
    seed: int = 0  # repeats the drill's random choices
    token: int = 0  # of the lease on the environment; 0 where there is none
    which: str = NEWEST  # which recovery point a restore begins with
    trusts: str = ANSWERS  # of the restored ledger itself, or the word of a restore JOB: a planted defect
    ends_by: str = ""  # UTC; when the drill is over at its worst, healing included; "" outside a drill

    @property
    def ledger(self) -> Ledger:
        """The ledger of this staging; while the lease is held, with its copy in the account."""
        copy = partial(account_ledger, self) if self.token else None
        return Ledger(self.place / "ledger.jsonl", copy)

    @property
    def staging_name(self) -> str:
        """A file name for this staging: "local", or the name of its configuration file."""
        return Path(self.staging).stem

    @property
    def place(self) -> Path:
        """The folder of this staging: its ledger, its lock, its stop switch."""
        return Path(self.home) / self.staging_name

    @property
    def drills(self) -> Path:
        """Where each drill has a folder of its own."""
        return Path(self.home) / "drills"

    @property
    def stop_switch(self) -> Path:
        """The file whose existence stops a running drill of this staging, and refuses a new one."""
        return self.place / "stop"

    @property
    def history(self) -> Path:
        """Where the drill's history is; outside a drill, events alone, beside the ledger."""
        return Path(self.folder) / "history" if self.folder else self.place

    def events(self) -> EventLog:
        """The event log of the drill."""
        return EventLog(self.history)

    def attach(self) -> Guarded:
        """Connect to the staging, every client behind the choke point. Raises NoStaging."""
        return self.guard(self._bare())

    def own(self) -> Own | None:
        """Return what the harness keeps in the account, None when it keeps nothing. Raises NoStaging."""
        bare = self._bare()
        return Own(bare, bare.safeguards) if isinstance(bare, Safeguarded) else None

    def _bare(self) -> Staging:
        kind = "local" if self.staging == "local" else "aws"
        factory = next(iter(entry_points(group="blackstart.stagings", name=kind))).load()
        bare: Staging = factory(Path(self.home), self.staging)
        return bare

    def guard(self, staging: Staging) -> Guarded:
        """Put a staging behind the choke point, where each change is checked once more."""
        facts = staging.facts
        log = CallLog(Path(self.folder) / CALLS, facts.account, facts.region) if self.folder else None

        def check(seen: Seen) -> None:
            if seen.role == choke.HEALER:
                # never too late for that; and who cannot be asked who we are must not keep us from it
                with suppress(guards.NoIdentity):
                    guards.check_account(guarded, seen.region)
                return
            guards.check_account(guarded, seen.region)
            guards.check_time(guarded, datetime.fromisoformat(self.ends_by) if self.ends_by else None)

        guarded = Guarded(
            staging,
            ChokePoint(
                ledger=self.ledger, told=self.note_call, seen=log.note if log else choke.nothing,
                before_change=check, reaches=reach.of(staging), region=facts.region,
                environment=facts.environment,
            ),
        )  # fmt: skip
        return guarded

    def note_call(self, call: str, request_id: str, status: int) -> None:
        """Write down a change that AWS answered, so that it can be found in the account's own trail."""
        self.tell("aws.call", call=call, request_id=request_id, status=status)

    def tell(self, kind: str, **detail: Any) -> None:
        """Write an event, or say on stderr why not: a full disk must not keep staging broken."""
        try:
            events = self.events()
            events.write(kind, **detail)
            events.close()
        except OSError as error:
            sys.stderr.write(f"the history lacks {kind} {detail}: {error}\n")

    def environment(self) -> dict[str, str]:
        """The variables that give this context to a child process, and to experiments that ask for them."""
        return {
            "BLACKSTART_SEED": str(self.seed), "BLACKSTART_WHICH": self.which,
            "BLACKSTART_TRUSTS": self.trusts, _VARIABLE: json.dumps(asdict(self)),
        }  # fmt: skip


class Guarded:
    """A staging whose clients refuse every change that no open ledger entry names."""

    def __init__(self, staging: Staging, choke_point: ChokePoint) -> None:
        self._staging = staging
        self.choke_point = choke_point
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def facts(self) -> Facts:
        """What the record says of this staging."""
        return self._staging.facts

    @property
    def rules(self) -> Rules:
        """What its owner allows."""
        return staging_rules.of(self._staging)

    @property
    def safeguards(self) -> Safeguards:
        """What in its account keeps drills safe; none where it knows of none."""
        return self._staging.safeguards if isinstance(self._staging, Safeguarded) else Safeguards()

    def secrets(self) -> Collection[str]:
        """What of the staging's credentials must never be told."""
        return self._staging.secrets() if isinstance(self._staging, Credentialed) else ()

    def aws(self, service: str, region: str = "") -> Any:
        """Return a boto3 client behind the choke point."""
        key = (service, region or self.facts.region)
        if key not in self._clients:
            client = self._staging.aws(service, region)
            self.choke_point.install(client.meta.events)
            self._clients[key] = client
        return self._clients[key]

    def power(self, kind: type[AnyPower]) -> AnyPower | None:
        """Return an optional power behind the choke point, None when this staging has no such one."""
        power = self._staging.power(kind)
        if power is None:
            return None
        guarded: AnyPower = powers.behind_the_choke_point(kind, power, self.choke_point)
        return guarded


def current() -> Context:
    """Return the context that this process was given, or the one of the user's own hands."""
    given = os.environ.get(_VARIABLE)
    if given:
        return Context(**json.loads(given))
    home = Path(os.environ.get("BLACKSTART_HOME", ".blackstart")).absolute()
    return Context(home=str(home), staging=os.environ.get("BLACKSTART_STAGING", "local"))


@lru_cache(maxsize=1)
def attached() -> Guarded:
    """Connect to this process's staging, once: making clients is slow.

    From now on every client of this process is led to it: however Chaos Toolkit was started, only its
    activities come here, and those of its AWS extension make clients for themselves.
    """
    staging = current().attach()
    clients.lead(staging)
    return staging


@lru_cache(maxsize=8)
def account_ledger(here: Context) -> AccountLedger:
    """Return the ledger in the account, written with the token of this context. Raises NotCopied."""
    try:
        own = here.own()
    except NoStaging as gone:
        raise NotCopied(str(gone)) from gone
    if own is None:
        raise NotCopied(f"{here.staging} keeps nothing in its account")
    return AccountLedger(own, Lease(own, holder_of(here.place), here.token))


def warmed_up(staging: Guarded) -> Guarded:
    """Make the clients that faults ask for, which takes long, and return the staging that has them."""
    for service in ("sts", "ec2", "elbv2", "rds", "rds-data", "secretsmanager", "backup"):
        staging.aws(service)
    if current().token:
        account_ledger(current()).open_entries()
    return staging
