"""Whether customers are ever shown an older balance than one that they, or somebody else, had been shown.

Each answer says which version of the account's balance it holds. Once an answer with a newer one has
arrived, whoever asks from then on must not be shown an older one; how long it had been out of date is known
to the nanosecond. An answer without a version compares nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import orjson

from blackstart.history import Outcome

if TYPE_CHECKING:
    from loadgen.dispatch import Row

TOLD_EVERY_NS: Final = 1_000_000_000  # of one account; a stale cache would fill the history


class Shown:
    """What customers of this worker have been shown."""

    def __init__(self) -> None:
        self.compared = 0
        self.age_ns_max = 0
        # of each account: versions in order, and when each was first known
        self._known: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        self._told_ns: dict[int, int] = {}

    def look(self, row: Row, account: int, body: bytes) -> dict[str, Any] | None:
        """Take an answer in; return what is to be recorded when it is older than it may be."""
        _, start_ns, end_ns, endpoint, outcome = row[:5]
        if outcome is not Outcome.OK or endpoint == "login":
            return None
        version = _version(body)
        if version is None:
            return None
        versions, since_ns = self._known[account]
        age_ns = 0
        if endpoint == "balance":  # a transfer that is repeated rightly gets its first answer again
            self.compared += 1
            newer = bisect_right(versions, version)
            age_ns = max(0, start_ns - since_ns[newer]) if newer < len(versions) else 0
        if not versions or version > versions[-1]:
            versions.append(version)
            since_ns.append(end_ns)
        return self._sighting(account, version, versions[-1], start_ns, age_ns) if age_ns else None

    def _sighting(
        self, account: int, shown: int, newest: int, at_ns: int, age_ns: int
    ) -> dict[str, Any] | None:
        self.age_ns_max = max(self.age_ns_max, age_ns)
        if at_ns < self._told_ns.get(account, 0):
            return None
        self._told_ns[account] = at_ns + TOLD_EVERY_NS
        return {
            "kind": "stale", "at_ns": at_ns, "account": account, "shown": shown, "newest": newest,
            "age_ns": age_ns,
        }  # fmt: skip


def _version(body: bytes) -> int | None:
    try:
        version = orjson.loads(body)["version"]
    except (ValueError, KeyError, TypeError):  # a bank that does not number its balances
        return None
    return version if type(version) is int else None
