"""What the harness keeps for itself in the account: a table, a schedule. Its clients can change nothing else.

These calls break nothing and heal nothing, so no ledger entry can name what they touch: the ledger's second
copy is itself one of them. In the place of an entry stands what the staging's configuration names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from blackstart import guards
from blackstart.choke import Refused, is_read, pass_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from blackstart.staging import Safeguards, Staging

# The calls, each with the parameter that names what it touches. The policies are generated from this.
CALLS: Mapping[str, str] = {
    "dynamodb:UpdateItem": "TableName",
    "dynamodb:TransactWriteItems": "TableName",
    "ssm:PutParameter": "Name",
    "scheduler:CreateSchedule": "Name",
    "scheduler:UpdateSchedule": "Name",
    "scheduler:DeleteSchedule": "Name",
}


@dataclass(frozen=True)
class Own:
    """The harness's own things on one staging. `staging` is the bare one, not behind the choke point."""

    staging: Staging
    safeguards: Safeguards

    @property
    def environment(self) -> str:
        """What only one drill may work on at a time, from whatever machine, under whatever name."""
        return self.staging.facts.environment

    @property
    def region(self) -> str:
        """Where our things are."""
        return self.safeguards.region or self.staging.facts.region

    @property
    def schedule(self) -> str:
        """The name of the dead man's schedule."""
        return f"blackstart-{self.environment.replace(':', '-')}"

    @cached_property
    def dynamodb(self) -> Any:
        """A client that changes items of our table, and nothing else."""
        return self._client("dynamodb", self.safeguards.table)

    @cached_property
    def ssm(self) -> Any:
        """A client that sets our stop parameter, and nothing else."""
        return self._client("ssm", self.safeguards.stop_parameter)

    @cached_property
    def scheduler(self) -> Any:
        """A client that changes our schedule, and nothing else."""
        return self._client("scheduler", self.schedule)

    def _client(self, service: str, name: str) -> Any:
        client = self.staging.aws(service, self.region)
        # whoever put the choke point on every client of this process did not mean these
        pass_by(client.meta.events)
        client.meta.events.register_first(
            "before-parameter-build.*.*", self._refusing_all_but(name), unique_id="blackstart-own"
        )
        return client

    def _refusing_all_but(self, name: str) -> Any:
        def check(params: dict[str, Any], model: Any, **_: Any) -> None:
            call = f"{model.service_model.service_name}:{model.name}"
            if is_read(model.name):
                return
            named = set(_values(params, CALLS[call])) if call in CALLS else set()
            if named != {name}:
                raise Refused(f"{call} on {sorted(named)} is not for the harness's own {name}")
            # tables and parameters of another account may be called the same
            guards.check_account(self.staging, self.region)

        return check


def _values(value: Any, key: str) -> Iterator[str]:
    """Yield every value under this key, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key and isinstance(inner, str):
                yield inner
            else:
                yield from _values(inner, key)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _values(inner, key)
