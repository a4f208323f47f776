"""Fixtures: the local staging that scenarios run on, and the drill itself."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from blackstart.context import Context
from blackstart.parts import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blackstart.drills import DrillSpec


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the scenarios, the same as those of `blackstart drill`."""
    group = parser.getgroup("blackstart")
    group.addoption("--arrival-rate", type=float, default=None, help="requests per second of every drill")
    group.addoption("--drill-seed", type=int, default=None, help="repeats a drill's random choices")
    group.addoption("--staging", default="local", help="local, or the file of an AWS staging")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that start real processes: left to the end, they keep one worker waiting."""
    long = {item.path for item in items if item.get_closest_marker("local")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def drill_context(pytestconfig: pytest.Config) -> Iterator[Context]:
    """The staging of this session; a local one of our own when none is running."""
    from staging.local import lifecycle  # noqa: PLC0415 - tests that drill nothing need none of it
    from staging.local.options import Options  # noqa: PLC0415 - as above

    home = pytestconfig.rootpath / ".blackstart"
    context = Context(home=str(home), staging=pytestconfig.getoption("--staging"))
    if context.staging != "local" or lifecycle.status(home / "local")["state"] == "healthy":
        yield context
        return
    lifecycle.up(home / "local", Options(owner_pid=os.getpid()), lambda _: None)
    try:
        yield context
    finally:
        lifecycle.down(home / "local")


@pytest.fixture
def drill(drill_context: Context, pytestconfig: pytest.Config) -> Callable[[DrillSpec], None]:
    """Run a drill, attach its report to Allure, and fail as Allure understands it."""
    from blackstart import wiring  # noqa: PLC0415 - tests that drill nothing need none of it
    from reports import allure  # noqa: PLC0415 - as above

    seed = pytestconfig.getoption("--drill-seed")
    seed = random.SystemRandom().randrange(2**31) if seed is None else seed

    def run(spec: DrillSpec) -> None:
        traffic = Traffic(rate=pytestconfig.getoption("--arrival-rate") or spec.rate, seed=seed)
        folder = wiring.run_drill(spec, drill_context, traffic, Console(highlight=False))
        record = json.loads((folder / "record.json").read_text())
        allure.attach(record, folder)
        allure.conclude(record)

    return run
