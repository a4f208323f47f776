"""Whoever injects or heals may die at any step, or meet any trouble: healing makes staging what it was.

A short form of bench/kill_matrix.py and bench/heal_troubles.py, with their own launchers: the real fault,
ledger, choke point and command line in processes of their own, and the platform's seeded AWS state over HTTP.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
from itertools import count
from typing import TYPE_CHECKING, Any

import mortal
import psutil
import pytest
import troubled
from moto.core.base_backend import BackendDict

from blackstart import activities, cli, context
from blackstart.context import Context
from blackstart.exit_code import ExitCode
from blackstart.staging import Facts
from faults import subnet_blackhole
from staging.local import state_file
from staging.local.control_plane.audit import AuditTrail
from staging.local.control_plane.front import Front
from staging.local.control_plane.platform import ACCOUNT, REGION
from staging.local.control_plane.seed import seed
from staging.local.control_plane.server import Server
from staging.local.state_file import Known, State
from staging.local.timings import FAST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# a fork of a process with threads is what is wanted here: the child uses none of them
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

FAULT = {"vpc": "bank", "az": "us-east-1a", "tiers": ("app", "data", "cache"), "target_group": "bank-api"}
KILLED = -9
NOBODY_ASKS = "there is no database"
STEPS_MAX = 200
EVERY = pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.long)])


class Ground:
    """A home with a local staging that is nothing but its AWS API."""

    def __init__(self, home: Path, endpoint: str) -> None:
        self.home = home
        facts = Facts(
            name="local", account=ACCOUNT, region=REGION, isolation="none", timings="fast", base_url="",
            generation="one",
        )  # fmt: skip
        (home / "local").mkdir()
        me = Known.of(psutil.Process())
        state_file.write(home / "local", State(host=me, data_dir="", aws_endpoint=endpoint, facts=facts))
        self.context = Context(home=str(home))
        self.staging = self.context.attach()
        self.said = ""

    def acls(self) -> dict[str, Any]:
        """Every ACL with its subnets and rules."""
        acls = self.staging.aws("ec2").describe_network_acls()["NetworkAcls"]
        return {
            acl["NetworkAclId"]: (sorted(a["SubnetId"] for a in acl["Associations"]), len(acl["Entries"]))
            for acl in acls
        }

    def inject(self) -> None:
        subnet_blackhole.inject(**FAULT)

    def heal(self) -> None:
        cli.main(["--home", str(self.home), "heal"])

    def dies(self, work: Callable[[], None], at: int) -> bool:
        """Do the work in a process that is killed at this step; tell whether it has come so far."""
        steps = self.home / "steps"
        steps.unlink(missing_ok=True)

        def mortally() -> None:
            orders = mortal.Orders(steps=str(steps), at=at, runner=os.getpid())
            mortal.hook_in(mortal.Steps(orders))
            work()

        code = self.forked(mortally)
        assert code in (0, KILLED), self.said
        return code == KILLED

    def heals_in(self, kind: str, at: int, lasts: int) -> int:
        """Heal in a process to which this happens; return its exit code."""
        trouble = troubled.Trouble(kind=kind, at=at, lasts=lasts)

        def heal() -> None:
            sys.argv = ["blackstart", "--home", str(self.home), "heal"]
            troubled.Calls(trouble).hook_in()
            self.heal()

        return self.forked(heal)

    def forked(self, work: Callable[[], None]) -> int:
        """Run this in a process of its own; return its exit code, negative for a signal; keep its words."""
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            _be_child(work, into, self.home)
        os.close(into)
        with os.fdopen(out) as said:
            self.said = said.read()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be_child(work: Callable[[], None], into: int, home: Path) -> None:
    code = 1
    try:
        os.dup2(into, 1)
        os.dup2(into, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os.environ["BLACKSTART_HOME"] = str(home)
        work()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - nothing of the child may go on in the test
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr(activities, "_IN_FLIGHT_S", 0.0)  # nothing is under way here once its sender is dead
    BackendDict.reset()
    seed(
        timings=FAST, desired_count=2, service_subnets=["app-a", "app-b"], user="bank", owner="owner",
        password=NOBODY_ASKS, owner_password=NOBODY_ASKS,
    )  # fmt: skip
    trail = AuditTrail(tmp_path / "audit.jsonl")
    door = socket.create_server(("127.0.0.1", 0))
    server = Server(Front(trail), [door])
    server.start()
    ground = Ground(tmp_path, "http://{}:{}".format(*door.getsockname()[:2]))
    # its clients are made once, for all the processes that are about to be forked: that is what takes long
    warm = ground.context.attach()
    for service in ("ec2", "sts"):
        warm.aws(service)
    monkeypatch.setattr(Context, "attach", lambda _: warm)
    context.attached.cache_clear()
    yield ground
    context.attached.cache_clear()
    server.stop()
    trail.close()
    BackendDict.reset()


def whole(ground: Ground, before: dict[str, Any]) -> None:
    assert ground.acls() == before, ground.said
    assert ground.context.ledger.open_entries() == ()


@EVERY
def test_whoever_is_killed_at_a_step_of_the_injection_leaves_what_can_be_healed(
    ground: Ground, every: int
) -> None:
    before, broken = ground.acls(), 0
    for step in count(1, every):
        died = ground.dies(ground.inject, step)
        broken += ground.acls() != before

        assert ground.forked(ground.heal) == 0, ground.said
        whole(ground, before)
        if not died:
            break

        assert step < STEPS_MAX

    assert step > 20  # the matrix must have had something to kill
    assert broken > 5 // every


@EVERY
def test_healing_that_is_killed_at_a_step_is_finished_by_the_next(ground: Ground, every: int) -> None:
    before, left = ground.acls(), 0
    for step in count(1, every):
        assert ground.forked(ground.inject) == 0, ground.said
        died = ground.dies(ground.heal, step)
        left += bool(ground.context.ledger.open_entries())

        assert ground.forked(ground.heal) == 0, ground.said
        whole(ground, before)
        if not died:
            break

        assert step < STEPS_MAX

    assert left > 10 // every


@pytest.mark.parametrize(
    ("kind", "lasts"),
    [
        ("lost answer", 1),
        ("disk is full", 1),
        pytest.param("throttled", 1, marks=pytest.mark.long),
        pytest.param("expired credentials", 1000, marks=pytest.mark.long),
        pytest.param("nobody listens", 1000, marks=pytest.mark.long),
        pytest.param("directory is read-only", 1, marks=pytest.mark.long),
    ],
)
def test_healing_in_trouble_says_so_and_is_finished_by_the_next(
    ground: Ground, kind: str, lasts: int
) -> None:
    before = ground.acls()
    for change in count(1):
        assert ground.forked(ground.inject) == 0, ground.said
        code = ground.heals_in(kind, change, lasts)
        happened = f"trouble: {kind}" in ground.said

        assert code in (0, ExitCode.NOT_HEALED), ground.said
        assert "Traceback" not in ground.said
        if code == ExitCode.NOT_HEALED:
            assert "not healed: SubnetBlackhole: " in ground.said.splitlines()[-1]
            assert ground.context.ledger.open_entries()

        assert ground.forked(ground.heal) == 0, ground.said
        whole(ground, before)
        if not happened:
            break

    assert change > 4  # three subnets have an ACL to get back, and one ACL is to be deleted
