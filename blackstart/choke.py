"""The choke point: no mutating AWS call leaves the process unless an open ledger entry names its target.

Installed on botocore's `before-parameter-build` event, which every client fires with the caller's own
parameters before anything is serialised or sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blackstart.ledger import Ledger

# By name, as IAM's own access levels do; anything that is not plainly a read is a change.
_READ = re.compile(r"^(Describe|Get|List|Head|Lookup|Search|Query|Scan|BatchGet|ReceiveMessage)")


class Refused(Exception):
    """A guard said no. Nothing was changed."""


def is_read(operation: str) -> bool:
    """Tell whether an operation plainly reads."""
    return bool(_READ.match(operation))


def nobody(call: str, request_id: str, status: int) -> None:
    """Hear of a change, and keep no note of it: for whoever has no history."""


def install(events: Any, ledger: Ledger, told: Callable[[str, str, int], object] = nobody) -> None:
    """Refuse unledgered changes by whatever emits on these botocore events (a session or a client).

    `told` hears of every change that was answered: the call, AWS's request id, the HTTP status.
    """

    def check(params: dict[str, Any], model: Any, **_: Any) -> None:
        refuse_unledgered(ledger, model.service_model.service_name, model.name, params)

    def tell(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if not _READ.match(model.name):
            answered = parsed.get("ResponseMetadata", {})
            call = f"{model.service_model.service_name}:{model.name}"
            told(call, str(answered.get("RequestId", "")), int(answered.get("HTTPStatusCode", 0)))

    events.register_first("before-parameter-build.*.*", check, unique_id="blackstart-choke-point")
    events.register_last("after-call.*.*", tell, unique_id="blackstart-calls")


def refuse_unledgered(ledger: Ledger, service: str, operation: str, params: dict[str, Any]) -> None:
    """Raise Refused unless the call reads, or an open entry names one of its parameters and the call."""
    if _READ.match(operation):
        return
    named = set(_strings(params))
    call = f"{service}:{operation}"
    for entry in ledger.open_entries():
        if call in entry.plan.calls and any(entry.names(value) for value in named):
            return
    raise Refused(f"{call} on {sorted(named)} is not named by any open ledger entry")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)
