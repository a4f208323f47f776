"""The choke point: no mutating AWS call leaves the process unless an open ledger entry names its target.

Installed on botocore's events, which every client fires: with the caller's own parameters before anything is
serialised, and with the address before anything is sent.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackstart import naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blackstart.ledger import Entry, Ledger

# By name, as IAM's own access levels do; anything that is not plainly a read is a change.
_READ = re.compile(r"^(Describe|Get|List|Head|Lookup|Search|Query|Scan|BatchGet|ReceiveMessage)")
# They hand out credentials, and change nothing: a profile that assumes a role calls them by itself.
_IDENTITY = {("sts", "AssumeRole"), ("sts", "AssumeRoleWithWebIdentity"), ("sso-oidc", "CreateToken")}

_POINT, _CALLS = "blackstart-choke-point", "blackstart-calls"
# What botocore calls the region of services that belong to none, as Route 53.
_NO_REGION = "aws-global"


class Refused(Exception):
    """A guard said no. Nothing was changed."""


def is_read(operation: str) -> bool:
    """Tell whether an operation plainly reads."""
    return bool(_READ.match(operation))


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One call as it came to the choke point, whatever became of it."""

    service: str  # as boto3 names it
    operation: str
    region: str
    params: dict[str, Any]
    role: str  # who would make it on AWS: RUNNER or HEALER

    @property
    def name(self) -> str:
        """As plans name calls: "service:Operation"."""
        return f"{self.service}:{self.operation}"

    @property
    def is_change(self) -> bool:
        """Whether it may change anything."""
        return not is_read(self.operation) and (self.service, self.operation) not in _IDENTITY

    @property
    def identifiers(self) -> dict[str, tuple[str, ...]]:
        """The resources that the call is about, by parameter."""
        return naming.identifiers(self.params)


def nobody(call: str, request_id: str, status: int) -> None:
    """Hear of a change, and keep no note of it: for whoever has no history."""


def nothing(*_: object) -> None:
    """Check nothing, note nothing."""


def anywhere(url: str) -> bool:  # noqa: ARG001 - of the interface
    """Let calls go to any address: for whoever has no staging."""
    return True


RUNNER, HEALER = "runner", "healer"
_ROLE: ContextVar[str] = ContextVar("role", default=RUNNER)


@contextmanager
def as_role(role: str) -> Iterator[None]:
    """Count the calls of this thread to another role than the runner's."""
    token = _ROLE.set(role)
    try:
        yield
    finally:
        _ROLE.reset(token)


def role() -> str:
    """Return whose calls this thread makes."""
    return _ROLE.get()


@dataclass(frozen=True, kw_only=True)
class ChokePoint:
    """What every call has to pass, and whom it tells of it."""

    ledger: Ledger
    told: Callable[[str, str, int], object] = nobody  # a change was answered: call, request id, HTTP status
    seen: Callable[[Seen], object] = nothing  # every call, before it is made
    before_change: Callable[[Seen], object] = nothing  # raises Refused when no change may be made now
    reaches: Callable[[str], bool] = anywhere  # whether this address belongs to the staging
    region: str = ""  # the staging's own
    environment: str = ""  # of the staging; entries of another one let nothing pass

    def install(self, events: Any) -> None:
        """Let whatever emits on these botocore events (a session or a client) pass through here; once."""
        events.register_first("before-parameter-build.*.*", self._check, unique_id=_POINT)
        events.register_last("before-send.*.*", self._check_address, unique_id="blackstart-address")
        events.register_last("after-call.*.*", self._tell, unique_id=_CALLS)

    def pass_through(self, seen: Seen) -> None:
        """Let a call pass, or raise Refused."""
        self.seen(seen)
        if not seen.is_change:
            return
        self.ledger.check_environment(self.environment)
        _check_ledger(self.ledger, seen, self.region)
        self.before_change(seen)

    def _check(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        service, region = model.service_model.service_name, context.get("client_region") or ""
        self.pass_through(
            Seen(service=service, operation=model.name, region=region, params=params, role=role())
        )

    def _check_address(self, request: Any, event_name: str, **_: Any) -> None:
        """Look at what is about to be sent, whoever changed it on the way here."""
        if not self.reaches(request.url):
            call = ":".join(event_name.split(".")[1:])
            raise Refused(f"{call} would go to {request.url}, which is not of this staging")

    def _tell(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if not is_read(model.name):
            answered = parsed.get("ResponseMetadata", {})
            call = f"{model.service_model.service_name}:{model.name}"
            self.told(call, str(answered.get("RequestId", "")), int(answered.get("HTTPStatusCode", 0)))


def pass_by(events: Any) -> None:
    """Let what emits on these botocore events pass by, for it has a choke point of its own.

    Where its calls go to is still checked.
    """
    events.unregister("before-parameter-build.*.*", unique_id=_POINT)
    events.unregister("after-call.*.*", unique_id=_CALLS)


def _check_ledger(ledger: Ledger, seen: Seen, own_region: str) -> None:
    named, about = set(naming.strings(seen.params)), naming.about(seen.params)
    entries = [entry for entry in ledger.open_entries() if seen.name in entry.plan.calls]
    entries = [entry for entry in entries if any(entry.names(value) for value in named)]
    if not entries:
        raise Refused(f"{seen.name} on {sorted(about or named)} is not named by any open ledger entry")
    foreign = {value for value in about if not any(entry.names(value) for entry in entries)}
    foreign |= {
        scope for scope in naming.scopes(seen.service, seen.params)
        if not any(_holds(entry, scope, named) for entry in entries)
    }  # fmt: skip
    if foreign:
        raise Refused(f"{seen.name}: {', '.join(sorted(foreign))} is not named by any open ledger entry")
    if own_region and not any(_reaches(entry, seen.region, own_region) for entry in entries):
        raise Refused(f"{seen.name} in {seen.region}: no open ledger entry names a target there")


def _holds(entry: Entry, scope: str, named: set[str]) -> bool:
    """Tell whether an entry names the cluster, or something of it that the call names too."""
    targets = [target.arn for target in entry.plan.targets if {target.id, target.arn} & named]
    made = [name for name in entry.created if name in named]
    return entry.names(scope) or any(naming.lies_in(arn, scope) for arn in (*targets, *made))


def _reaches(entry: Entry, region: str, own: str) -> bool:
    return region in (*entry.plan.regions(own), _NO_REGION)
