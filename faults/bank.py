"""What the bank under test says of itself, for faults whose bite only its customers can see."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blackstart.staging import Staging

_ANSWER_WITHIN_S = 10.0


def answers(staging: Staging) -> bool:
    """Tell whether customers get any answer at all, be it an error."""
    try:
        with _asked(staging, "/health/live", within_s=3.0):
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False


def zone(staging: Staging) -> str:
    """Return the zone of the task that answers a customer who asks now, empty when none answers."""
    try:
        with _asked(staging, "/health/live", within_s=2.0) as answer:
            return str(answer.headers.get("x-az", ""))
    except urllib.error.HTTPError as error:
        return str(error.headers.get("x-az", ""))
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return ""


def ready(staging: Staging) -> bool:
    """Tell whether the bank's deep health check finds database and cache."""
    try:
        with _asked(staging, "/health/ready", within_s=3.0) as answer:
            return bool(answer.status == http.client.OK)
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A balance that is not what the account's entries say, in cents."""

    held: int
    owed: int


def wrong_balances(staging: Staging) -> dict[int, Wrong]:
    """Return the accounts whose books do not agree; none while the bank does not answer."""
    try:
        with _asked(staging, "/reconciliation/accounts") as answer:
            accounts = json.load(answer)["accounts"]
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError, KeyError):
        return {}
    return {
        number: Wrong(held=balance, owed=opening + entries)
        for number, opening, balance, entries in accounts
        if balance != opening + entries
    }


def balance(staging: Staging, account: int) -> tuple[int, str] | None:
    """Return what the bank shows a customer, in cents, and who it had it from: cache, reader or writer."""
    try:
        with _asked(staging, "/login", {"account": account, "pin": f"{account:04d}"}) as answer:
            token = json.load(answer)["token"]
        with _asked(staging, f"/accounts/{account}/balance", token=token) as answer:
            shown = json.load(answer)
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError, KeyError):
        return None
    return int(shown["balance"]), str(shown["source"])


def _asked(
    staging: Staging,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    token: str = "",
    within_s: float = _ANSWER_WITHIN_S,
) -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - the staging's own address
        staging.facts.base_url + path, data=content, headers=headers
    )
    return urllib.request.urlopen(request, timeout=within_s)  # noqa: S310 - the staging's own address
