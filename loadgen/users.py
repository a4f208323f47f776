"""What customers of the bank do: log in, read a balance, transfer money; all of it from the seed."""

from __future__ import annotations

from collections import deque
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from blackstart.history import ENDPOINTS, Outcome

if TYPE_CHECKING:
    from loadgen.client import Answer, Client

ACCOUNTS: Final = 1000  # the seeded staging has accounts 1..1000
CENTS_MAX: Final = 500
SESSIONS: Final = 40  # accounts logged in per worker; at 1,000/s their money lasts for some fourteen minutes
REPEAT_EACH: Final = 50  # of so many acknowledged transfers one is sent again, as by who taps twice
REPEATS_WAITING: Final = 20
DEFAULT_MIX: Final = "transfer=20,balance=79.7,login=0.3"

Mix = dict[str, float]


class Choice(NamedTuple):
    """What one arrival is to do; `credit` and `cents` matter to a transfer only."""

    endpoint: str
    account: int
    credit: int
    cents: int


class Call(NamedTuple):
    """One request, ready to be sent, and what the history says of it."""

    endpoint: str
    method: str
    name: str  # what Locust's statistics call it
    request: bytes
    account: int
    key: str = ""
    what: tuple[int, int, int] | None = None
    is_repeated: bool = False  # sent before, with the same key


def parse_mix(text: str) -> Mix:
    """Return the share of each endpoint, of 1 in total. Raises ValueError."""
    weights = dict.fromkeys(ENDPOINTS, 0.0)
    for part in text.split(","):
        endpoint, _, weight = part.strip().partition("=")
        if endpoint not in weights:
            raise ValueError(f"{endpoint!r} is none of {', '.join(ENDPOINTS)}")
        weights[endpoint] = float(weight)
    total = sum(weights.values())
    if total <= 0 or min(weights.values()) < 0:
        raise ValueError(f"the weights of {text!r} are not positive")
    return {endpoint: weight / total for endpoint, weight in weights.items()}


def stream(seed: int, name: str) -> Random:
    """Return the random stream of this name; each purpose has its own, so that none shifts another."""
    return Random(f"{seed}/{name}")  # noqa: S311 - to be repeated, not to be secret


def accounts_of(worker: int, seed: int) -> tuple[int, ...]:
    """Return the accounts that a worker logs in; those of two workers overlap only when all are used."""
    spread = list(range(1, ACCOUNTS + 1))
    stream(seed, "accounts").shuffle(spread)
    return tuple(spread[(worker * SESSIONS + n) % ACCOUNTS] for n in range(SESSIONS))


class Choices:
    """The endless list of what a worker's arrivals do; the n-th is the same whoever asks, and when."""

    def __init__(self, *, seed: int, worker: int, mix: Mix) -> None:
        self.accounts = accounts_of(worker, seed)
        self._mix = mix
        self._random = stream(seed, f"choices/{worker}")

    def next(self) -> Choice:
        """Return what the next arrival does; each one draws equally often, so that none shifts the rest."""
        draw = self._random.random
        endpoint = self._endpoint(draw())
        account = self.accounts[int(draw() * SESSIONS)]
        credit = 1 + int(draw() * (ACCOUNTS - 1))
        other = credit + (credit >= account)  # anyone but oneself
        return Choice(endpoint, account, other, 1 + int(draw() * CENTS_MAX))

    def _endpoint(self, point: float) -> str:
        for endpoint, share in self._mix.items():
            point -= share
            if point < 0:
                return endpoint
        return "balance"  # rounding left a crumb


class Customers:
    """Turns choices into requests, holds the sessions, and says how each request ended."""

    def __init__(self, client: Client, choices: Choices, *, key_prefix: str) -> None:
        self.accounts = choices.accounts
        self._client = client
        self._choices = choices
        self._key_prefix = key_prefix
        self._tokens: dict[int, str] = {}
        self._expired: deque[int] = deque()
        self._again: deque[Call] = deque(maxlen=REPEATS_WAITING)
        self._acknowledged = 0

    def next_call(self, seq: int) -> Call:
        """Return what arrival number `seq` sends; one whose session expired logs in instead."""
        choice = self._choices.next()
        if self._expired:
            return self.login(self._expired.popleft())
        if choice.endpoint == "login":
            return self.login(choice.account)
        if choice.endpoint == "transfer":
            return self._repeated() if self._again else self._transfer(choice, f"{self._key_prefix}{seq}")
        return self._balance(choice.account)

    def login(self, account: int) -> Call:
        """Return the request that opens a session for the account."""
        body = orjson.dumps({"account": account, "pin": f"{account:04d}"})
        request = self._client.compose("POST", "/login", "", body)
        return Call("login", "POST", "/login", request, account)

    def settle(self, call: Call, answer: Answer) -> tuple[Outcome, str]:
        """Say how the call ended, and why; a login's token replaces that account's session."""
        ended = outcome(call.endpoint, answer)
        if call.endpoint == "transfer" and not call.is_repeated:
            self._maybe_repeat(call, ended[0])
        if call.endpoint == "login" and ended[0] is Outcome.OK:
            return ended if self._open_session(call.account, answer.body) else (Outcome.FAILED, "http")
        if call.endpoint != "login" and answer.status == HTTPStatus.UNAUTHORIZED:
            self._expire(call.account)
        return ended

    def _maybe_repeat(self, call: Call, ended: Outcome) -> None:
        """Have a transfer sent once more, with its key: when nobody knows what came of it, or by mistake."""
        self._acknowledged += ended is Outcome.OK
        by_mistake = ended is Outcome.OK and self._acknowledged % REPEAT_EACH == 0
        if ended is Outcome.UNKNOWN or by_mistake:
            self._again.append(call)

    def _repeated(self) -> Call:
        earlier = self._again.popleft()
        debit, credit, cents = earlier.what or (0, 0, 0)
        again = self._transfer(Choice("transfer", debit, credit, cents), earlier.key)
        return again._replace(is_repeated=True)

    def _open_session(self, account: int, body: bytes) -> bool:
        try:
            self._tokens[account] = str(orjson.loads(body)["token"])
        except (ValueError, KeyError, TypeError):  # a 200 that holds no token: not from the bank
            return False
        return True

    def _expire(self, account: int) -> None:
        if account not in self._expired:
            self._expired.append(account)

    def _transfer(self, choice: Choice, key: str) -> Call:
        _, debit, credit, cents = choice
        body = orjson.dumps({"debit": debit, "credit": credit, "cents": cents})
        headers = f"{self._authorization(debit)}Idempotency-Key: {key}\r\n"
        request = self._client.compose("POST", "/transfers", headers, body)
        return Call("transfer", "POST", "/transfers", request, debit, key, (debit, credit, cents))

    def _balance(self, account: int) -> Call:
        path = f"/accounts/{account}/balance"
        request = self._client.compose("GET", path, self._authorization(account))
        return Call("balance", "GET", "/accounts/<n>/balance", request, account)

    def _authorization(self, account: int) -> str:
        return f"Authorization: Bearer {self._tokens[account]}\r\n"


def outcome(endpoint: str, answer: Answer) -> tuple[Outcome, str]:
    """Say how a request ended, and why.

    A transfer that was refused before it was sent, or with a 4xx, did not happen. One that timed out,
    was cut off or got a 5xx may have happened: only reading it back can tell.
    """
    kind = answer.status // 100
    if kind == 2:  # noqa: PLR2004 - 2xx
        return Outcome.OK, ""
    reason = "http" if answer.status else answer.reason
    may_have_happened = kind == 5 or reason in {"timeout", "reset", "unresolved"}  # noqa: PLR2004 - 5xx
    unknown = endpoint == "transfer" and may_have_happened
    return (Outcome.UNKNOWN if unknown else Outcome.FAILED), reason
