"""Whatever becomes of the runner, staging is healed, once, and nothing of the watchdog is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from blackstart import healing, heartbeat, watchdog, watched
from blackstart.history import History
from blackstart.lock import Busy, only_one
from blackstart.waiting import wait_until
from tests.blackstart.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blackstart.context import Context

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account")) as account:
        yield account


class Runner:
    """A process that has broken something and has a watchdog."""

    def __init__(self, here: Context, what: str, zone: str = "us-east-1a") -> None:
        self.here = here
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.blackstart.runner", what, zone],
            env={**os.environ, **here.environment()}, cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().strip()
        found = psutil.Process(self.process.pid).children() if self.process.poll() is None else []
        self.dogs = [dog for dog in found if "blackstart.watchdog" in dog.cmdline()]

    def events(self, kind: str) -> list[dict[str, str]]:
        return [e.detail for e in History(self.here.history).events if e.kind == kind]

    def await_healed(self) -> None:
        wait_until(lambda: self.events("watchdog.end"), within_s=PATIENCE_S, what="the watchdog's last word")
        psutil.wait_procs(self.dogs, timeout=PATIENCE_S)

    def leaves_nothing(self) -> bool:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.communicate()
        beats = self.here.place / watched.HEARTBEAT
        return not any(map(_lives, self.dogs)) and not beats.exists()


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def test_a_killed_runner_is_healed_once_and_nothing_is_left(account: Account) -> None:
    before = account.acls()
    runner = Runner(account.home("killed"), "waits")
    broken = account.acls()
    runner.process.kill()
    runner.await_healed()

    assert broken != before
    assert account.acls() == before
    assert runner.here.ledger.open_entries() == ()
    assert [event["found"] for event in runner.events("watchdog")] == ["the runner is gone"]
    assert len(runner.events("heal.end")) == 1
    assert runner.leaves_nothing()


def test_a_hung_runner_is_killed_and_healed(account: Account) -> None:
    before = account.acls()
    runner = Runner(account.home("stopped"), "waits")
    runner.process.send_signal(signal.SIGSTOP)
    runner.await_healed()

    assert runner.process.wait(PATIENCE_S) == -signal.SIGKILL
    assert "no sign of life" in runner.events("watchdog")[0]["found"]
    assert account.acls() == before
    assert runner.leaves_nothing()


def test_a_main_thread_that_overstays_falls_silent_and_one_that_comes_back_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.01)
    beats = tmp_path / "home" / "heartbeat"
    heart = heartbeat.Heartbeat(beats)
    heart.start()
    wait_until(lambda: heartbeat.read(beats), within_s=PATIENCE_S, what="the first beat", every_s=0.01)
    heart.promise(0)
    wait_until(lambda: unchanged(beats), within_s=PATIENCE_S, what="silence")
    heart.promise()
    wait_until(lambda: not unchanged(beats), within_s=PATIENCE_S, what="another beat")
    heart.stop()

    assert not beats.exists()
    assert heartbeat.read(beats) == b""


def unchanged(beats: Path) -> bool:
    """Whether nothing is heard for the time of many beats."""
    first = heartbeat.read(beats)
    time.sleep(0.3)
    return heartbeat.read(beats) == first


def test_a_drill_that_ends_dismisses_its_watchdog(account: Account) -> None:
    before = account.acls()
    runner = Runner(account.home("ends"), "ends")
    code = runner.process.wait(PATIENCE_S)

    assert (runner.said, code) == ("broken", 0)
    assert runner.events("watchdog") == []
    assert account.acls() == before
    assert runner.leaves_nothing()


def test_what_the_runner_could_not_heal_is_healed_without_a_change_in_its_sealed_folder(
    account: Account,
) -> None:
    before = account.acls()
    runner = Runner(account.home("gives-up"), "gives up")
    code = runner.process.wait(PATIENCE_S)
    sealed = (runner.here.history / "events.jsonl").read_bytes()
    beside = replace(runner.here, folder=None)
    wait_until(
        lambda: History(beside.history).event("watchdog.end"), within_s=PATIENCE_S, what="its last word"
    )
    psutil.wait_procs(runner.dogs, timeout=PATIENCE_S)

    assert (runner.said, code) == ("broken", 0)
    assert account.acls() == before
    assert runner.here.ledger.open_entries() == ()
    now = (runner.here.history / "events.jsonl").read_bytes()
    assert now[len(sealed) :] == b""
    assert History(beside.history).event("watchdog", found=watchdog.HANDED_OVER)
    assert runner.leaves_nothing()


def test_it_lets_a_heal_that_is_under_way_finish(account: Account) -> None:
    runner = Runner(account.home("healing"), "waits")
    here = runner.here
    staging = here.attach()
    runner.process.kill()
    runner.process.wait()
    # whoever is first has the lock: if it is we, it must wait; if not, there is nothing left for us
    with suppress(Busy), only_one(here.place):
        healing.heal(here, staging)
    runner.await_healed()

    assert here.ledger.open_entries() == ()
    assert len(runner.events("heal.end")) == 1
    assert runner.leaves_nothing()


def test_a_conflict_is_left_to_people(account: Account) -> None:
    before = account.acls()
    runner = Runner(account.home("conflict"), "waits")
    subnet = next(iter(runner.here.ledger.open_entries()[0].plan.before))
    theirs = account.give_acl(subnet)
    runner.process.kill()
    runner.await_healed()

    assert runner.events("watchdog.end")[0]["outcome"].startswith("NOT HEALED")
    assert len(runner.here.ledger.open_entries()) == 1
    assert account.acls()[subnet] == theirs
    assert runner.leaves_nothing()

    # people put it right, and then it can be healed
    account.give_acl(subnet, before[subnet])
    healing.heal(runner.here, runner.here.attach())

    assert account.acls() == before
    assert runner.here.ledger.open_entries() == ()
