"""Healed is only what is as it was before and serves; whatever cannot be told is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from blackstart import aftermath
from blackstart.context import Context
from blackstart.history import EventLog, History
from blackstart.pulse import Recent
from blackstart.underway import Underway
from tests.blackstart.test_guardrails import Part, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blackstart.parts import Drill


@dataclass
class Staging(Part):
    """One that can be whole or not."""

    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    staging: Any = None

    def unwhole(self) -> list[str]:
        return self.missing

    def differences(self) -> list[str]:
        return self.changed


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (
        ("_AS_BEFORE_WITHIN_S", 0.3), ("_STEADY_WITHIN_S", 0.6), ("_STEADY_S", 0.2), ("_ASK_AGAIN_S", 0.05),
    ):  # fmt: skip
        monkeypatch.setattr(aftermath, name, seconds)


@pytest.fixture
def part(tmp_path: Path) -> Staging:
    return Staging(Context(home=str(tmp_path)))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Underway]:
    events = EventLog(tmp_path / "history")
    yield Underway(events=events, recent=Recent(100, 1, 1), healing=True)
    events.close()


class Customers:
    """A load whose requests all end in the same way."""

    def __init__(self, outcome: str) -> None:
        self._outcome = outcome

    def poll(self) -> list[list[Any]]:
        return [row(self._outcome) for _ in range(20)]


def verified(part: Staging, one: Underway, outcome: str = "ok") -> bool:
    part.tail = cast("Any", Customers(outcome))
    one.hear([row(outcome)])
    return aftermath.verify(cast("Drill", part), one)


def test_as_before_and_serving_is_verified(part: Staging, one: Underway, tmp_path: Path) -> None:
    assert verified(part, one)
    assert one.reasons == []
    assert History(tmp_path / "history").event("steady", ok=True) is not None


@pytest.mark.parametrize(
    ("wrong", "outcome", "says"),
    [
        ({"changed": ["rules of acl-1 is x, was y"]}, "ok", "rules of acl-1 is x, was y"),
        ({"missing": ["1 task is missing"]}, "ok", "1 task is missing"),
        ({}, "failed", "no request fails for 0.2 s"),
    ],
)
def test_anything_else_is_not(
    part: Staging, one: Underway, wrong: dict[str, list[str]], outcome: str, says: str
) -> None:
    vars(part).update(wrong)

    assert not verified(part, one, outcome)
    assert one.reasons[0].startswith("NOT AS BEFORE")
    assert says in one.reasons[0]


def test_what_cannot_be_asked_is_not_verified(part: Staging, one: Underway) -> None:
    def away() -> list[str]:
        raise ConnectionError("no route")

    part.differences = away  # type: ignore[method-assign]

    assert not verified(part, one)
    assert "ConnectionError: no route" in one.reasons[0]


def test_without_load_the_banks_own_word_is_asked(part: Staging, one: Underway) -> None:
    part.staging = cast("Any", type("S", (), {"facts": type("F", (), {"base_url": "http://127.0.0.1:9"})}))

    assert not aftermath.verify(cast("Drill", part), one)
    assert "no request fails" in one.reasons[0]
