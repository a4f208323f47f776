"""The ledger's user and password, from Secrets Manager: at the start, and again when they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from staging.local.bank import log
from staging.local.bank.http import Unavailable
from staging.local.bank.single_flight import SingleFlight

if TYPE_CHECKING:
    from staging.local.bank.aws import Aws


class Login(NamedTuple):
    """A user of the ledger's database."""

    user: str
    password: str


class Secret:
    """The newest login that we know of."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self._name = name
        self._login: Login | None = None
        self._fetches: SingleFlight[str, Login] = SingleFlight()

    async def login(self) -> Login:
        """Return the login, fetched the first time only."""
        return self._login or await self._fetches.join(self._name, self._fetch)

    async def renewed(self, refused: Login) -> Login:
        """Return a newer login than the one that was refused; others may have fetched it already."""
        if self._login == refused:
            log.event("ledger login refused, asking for the secret again")
            return await self._fetches.join(self._name, self._fetch)
        return await self.login()

    async def _fetch(self) -> Login:
        answer = await self._aws.call("secretsmanager", "get_secret_value", SecretId=self._name)
        try:
            secret = orjson.loads(answer["SecretString"])
            self._login = Login(secret["username"], secret["password"])
        except (KeyError, TypeError, orjson.JSONDecodeError) as error:
            raise Unavailable(f"secret {self._name} holds no username and password") from error
        return self._login
