"""Fixtures: the local staging that scenarios run on, and the drill itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from blackstart.conductor import Traffic
from blackstart.context import Context
from blackstart.drills import DrillSpec


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the scenarios, the same as those of `blackstart drill`."""
    group = parser.getgroup("blackstart")
    group.addoption("--arrival-rate", type=float, default=1000.0, help="requests per second of a drill")
    group.addoption("--drill-seed", type=int, default=None, help="repeats a drill's random choices")
    group.addoption("--staging", default="local", help="local, or the file of an AWS staging")


@pytest.fixture(scope="session")
def drill_context(pytestconfig: pytest.Config) -> Iterator[Context]:
    """The staging of this session; a local one of our own when none is running."""
    from staging.local import lifecycle  # noqa: PLC0415 - tests that drill nothing need none of it

    home = pytestconfig.rootpath / ".blackstart"
    context = Context(home=str(home), staging=pytestconfig.getoption("--staging"))
    if context.staging != "local" or lifecycle.status(home / "local")["running"]:
        yield context
        return
    lifecycle.up(home / "local", lifecycle.Options(ends_with_caller=True), lambda _: None)
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
    traffic = Traffic(
        rate=pytestconfig.getoption("--arrival-rate"),
        seed=random.SystemRandom().randrange(2**31) if seed is None else seed,
    )

    def run(spec: DrillSpec) -> None:
        record = wiring.run_drill(spec, drill_context, traffic, Console(highlight=False))
        allure.attach(spec, record, Path(record["folder"]))

    return run
