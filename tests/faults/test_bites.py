"""That the platform did not recover does not mean that the fault did not bite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from blackstart.fault import Plan
from faults.aurora_writer_crash import AuroraWriterCrash
from faults.spot_interruption import SpotInterruption
from faults.subnet_blackhole import is_unheard

if TYPE_CHECKING:
    from collections.abc import Callable

A, B = "us-east-1a", "us-east-1b"


class Site:
    """A staging whose AWS clients answer what they are told to, `{operation: answer}`."""

    def __init__(self, **answers: Callable[..., Any]) -> None:
        self._answers = answers

    def aws(self, service: str, region: str = "") -> Any:  # noqa: ARG002 - of the protocol
        return type("Client", (), {name: staticmethod(answer) for name, answer in self._answers.items()})


def refused(code: str) -> Callable[..., Any]:
    def answer(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "ExecuteStatement")

    return answer


def said(value: str) -> Callable[..., Any]:
    return lambda **_: {"records": [[{"stringValue": value}]]}


@pytest.mark.parametrize(
    ("answer", "confirmed"),
    [
        (refused("DatabaseErrorException"), True),  # dead, and nobody took its place
        (refused("DatabaseUnavailableException"), True),
        (refused("AccessDeniedException"), False),  # we could not look
        (said("ledger-1 86400.0"), False),  # it serves as if nothing had been
        (said("ledger-2 86400.0"), True),
        (said("ledger-1 0.0"), True),
    ],
)
def test_a_crash_bit_also_when_nobody_took_over(answer: Callable[..., Any], confirmed: bool) -> None:
    site = Site(
        describe_db_clusters=lambda **_: {"DBClusters": [{"DBClusterArn": "arn:ledger"}]},
        describe_secret=lambda **_: {"ARN": "arn:secret"},
        execute_statement=answer,
    )
    fault = AuroraWriterCrash(cluster="ledger", secret="s", bite_within_s=0.3)  # noqa: S106 - a name
    plan = Plan(targets=(), before={"writer": "ledger-1"}, broken={"writer": "ledger-2"}, calls=())

    assert fault.bite(site, plan).confirmed is confirmed  # type: ignore[arg-type] # two of its powers


@pytest.mark.parametrize(("status", "confirmed"), [("STOPPED", True), ("RUNNING", False)])
def test_an_interruption_bit_also_when_nobody_replaces_the_task(status: str, confirmed: bool) -> None:
    task = {
        "taskArn": "arn:task/1", "lastStatus": status, "stopCode": "UserInitiated", "availabilityZone": A,
        "containers": [{"exitCode": 0}], "stoppedReason": "taken back",
    }  # fmt: skip
    site = Site(describe_tasks=lambda **_: {"tasks": [task]})
    fault = SpotInterruption(cluster="bank", service="bank-api", which="one", bite_within_s=0.3)
    broken = {"interrupted": ["arn:task/1"], "stopCode": "UserInitiated"}
    plan = Plan(targets=(), before={"providers": {}, "tasks": ["arn:task/1"]}, broken=broken, calls=())

    assert fault.bite(site, plan).confirmed is confirmed  # type: ignore[arg-type] # one of its powers


@pytest.mark.parametrize(
    ("heard", "confirmed"),
    [
        (["", B] * 6, True),
        (["", B] * 5, False),  # too few to tell
        (["", B] * 5 + [A, B], False),  # the zone answers
        ([B] * 12, False),  # nobody is kept waiting: requests do not go there at all
        ([""] * 12, False),  # nobody answers, which may be our own network
    ],
)
def test_customers_prove_a_dark_zone(heard: list[str], confirmed: bool) -> None:
    assert is_unheard(heard, A) is confirmed
