"""The double's optional powers: at the door of its AWS API, from client to handler and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from blackstart.staging import PowerFailed
from staging.local.control_plane.protocol import AwsError
from staging.local.powers import Door, LocalSpotMarket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from staging.local.control_plane.front import Front


@pytest.fixture
def door(aws: Callable[[str], Any]) -> Door:
    return Door(aws("sts").meta.endpoint_url)


def test_what_was_asked_reaches_the_handler_and_its_answer_comes_back(front: Front, door: Door) -> None:
    asked: list[Mapping[str, Any]] = []

    @front.local("DescribeSpot")
    def describe(parameters: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(parameters)
        return {"withheld": True}

    assert LocalSpotMarket(door).withheld("bank")
    assert asked == [{"cluster": "bank"}]


def test_a_refusal_says_why(front: Front, door: Door) -> None:
    @front.local("ReclaimSpot")
    def refuse(parameters: Mapping[str, Any]) -> None:
        raise AwsError("InvalidParameterException", f"{parameters['tasks'][0]} is no Spot task.")

    with pytest.raises(PowerFailed, match=r"ReclaimSpot: InvalidParameterException: t-1 is no Spot task\."):
        LocalSpotMarket(door).reclaim(["t-1"])


def test_a_handler_that_breaks_and_a_name_that_nobody_knows_are_said(front: Front, door: Door) -> None:
    @front.local("Stumble")
    def stumble(_: Mapping[str, Any]) -> None:
        raise ZeroDivisionError("by nothing")

    with pytest.raises(PowerFailed, match="InternalFailure: ZeroDivisionError: by nothing"):
        door.call("Stumble")
    with pytest.raises(PowerFailed, match="UnknownOperation"):
        door.call("Nothing")


def test_nobody_there_is_said() -> None:
    with pytest.raises(PowerFailed, match="no answer"):
        Door("http://127.0.0.1:1").call("DescribeSpot")


def test_what_changes_something_is_in_the_trail(front: Front, door: Door, trail: Path) -> None:
    front.local("WithholdSpot")(lambda _: {})
    front.local("DescribeSpot")(lambda _: {"withheld": False})

    LocalSpotMarket(door).withhold("bank")
    LocalSpotMarket(door).withheld("bank")

    entries = [json.loads(line) for line in trail.read_text().splitlines()]
    assert [(entry["service"], entry["action"]) for entry in entries] == [("local", "WithholdSpot")]
