"""The load as the conductor runs it, and as stock Locust does: whole, honest, and gone when it should be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from blackstart.history import History
from blackstart.waiting import wait_until
from loadgen.process import LoadProcess
from loadgen.tail import Tail
from loadgen.users import SESSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.loadgen.target import Target

pytestmark = pytest.mark.local
LOCUSTFILE = Path(__file__).parents[2] / "loadgen" / "locustfile.py"
WITHIN_S = 30.0


@dataclass
class Loads:
    """Starts loads against the target and leaves none behind."""

    target: Target
    folder: Path
    started: list[LoadProcess]

    def start(
        self, *, rate: float = 100, deadline_s: float = 0.5, extra: tuple[str, ...] = ()
    ) -> LoadProcess:
        load = LoadProcess(
            self.target.url, rate, 7, "run", self.folder / "history", self.folder / "load.log",
            deadline_s=deadline_s, extra=extra,
        )  # fmt: skip
        self.started.append(load)
        load.start()
        return load


@pytest.fixture
def loads(target: Target, tmp_path: Path) -> Iterator[Loads]:
    loads = Loads(target, tmp_path, [])
    yield loads
    for load in loads.started:
        load.stop()


def until(condition: Callable[[], Any], what: str) -> None:
    wait_until(condition, within_s=WITHIN_S, what=what, every_s=0.02)


def rows(folder: Path) -> list[list[Any]]:
    tail = Tail(folder)
    try:
        return tail.poll()
    finally:
        tail.close()


def stock(*arguments: str, until_true: Callable[[], bool] | None = None) -> subprocess.CompletedProcess[str]:
    """Run Locust as anybody would; end it once the condition holds."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, *arguments], **pipes) as locust:
        if until_true:
            until(lambda: until_true() or locust.poll() is not None, "enough of it")
            locust.terminate()
        out, err = locust.communicate(timeout=60)
    return subprocess.CompletedProcess(command, locust.returncode, out, err)


def test_a_stopped_load_leaves_a_history_whose_books_close(loads: Loads, target: Target) -> None:
    load = loads.start()
    until(lambda: len(target.acknowledged) >= 40, "transfers")
    load.stop()
    load.stop()
    history = History(loads.folder / "history")
    (header,), (footer,) = history.headers, history.footers

    assert load.failed_because() is None
    assert not load.alive
    assert load.cpu_s() > 0
    assert (header["run"], header["worker"], header["rate"], header["seed"]) == ("run", "0", 100, 7)
    assert (header["users"], header["deadline_s"]) == (1, 0.5)
    assert footer["scheduled"] == len(history.requests) == footer["ok"] + footer["failed"] + footer["unknown"]
    assert footer["scheduled"] == pytest.approx((footer["until_ns"] - footer["from_ns"]) / 1e9 * 100, abs=1.5)
    assert sorted(transfer.key for transfer in history.transfers) == sorted(target.keys())
    assert len(target.requests) == footer["scheduled"] + SESSIONS  # the log-ins before the schedule


def test_every_way_to_fail_is_counted_as_what_it_is(loads: Loads, target: Target) -> None:
    load = loads.start(rate=60)
    until(lambda: len(target.acknowledged) >= 5, "transfers")
    target.mode = "hang"
    until(lambda: target.unanswered >= 60, "a second of silence")
    target.mode = "503"
    until(lambda: len(target.requests) >= 240, "answers without use")
    target.refuse()
    until(lambda: [row for row in rows(loads.folder / "history") if row[5] == "refused"][10:], "refusals")
    target.mode = "well"
    target.open()
    acknowledged = len(target.acknowledged)
    until(lambda: len(target.acknowledged) >= acknowledged + 10, "transfers again")
    load.stop()
    written = rows(loads.folder / "history")
    ended = {(row[3], row[4], row[5]) for row in written if row[3] != "login"}

    assert load.failed_because() is None
    assert {
        ("transfer", "unknown", "timeout"), ("balance", "failed", "timeout"),
        ("transfer", "unknown", "http"), ("balance", "failed", "http"),
        ("transfer", "failed", "refused"), ("balance", "failed", "refused"),
        ("transfer", "ok", ""), ("balance", "ok", ""),
    } <= ended  # fmt: skip
    assert sorted(row[7] for row in written if row[4] == "ok" and row[7]) == sorted(target.acknowledged)
    # one arrival, one attempt; who does not know what came of his transfer asks once more
    arrived = Counter(row[7] for row in written if row[7] and row[5] != "refused")
    assert Counter(target.keys()) == arrived
    assert max(arrived.values()) == 2
    assert len([row for row in written if row[5] == "timeout"]) == target.unanswered


def test_kill_9_loses_nothing_that_was_acknowledged(loads: Loads, target: Target) -> None:
    load = loads.start(deadline_s=20)
    until(lambda: len(target.acknowledged) >= 40, "transfers")
    target.mode = "hang"  # so that it dies in the middle of something
    until(lambda: target.unanswered >= 20, "silence")
    _kill(load, signal.SIGKILL)
    history = History(loads.folder / "history")

    assert sorted(transfer.key for transfer in history.transfers) == sorted(target.acknowledged)
    assert (len(history.headers), len(history.footers)) == (1, 0)
    assert "SIGKILL" in str(load.failed_because())


def test_a_load_that_ends_by_itself_is_missed(loads: Loads, target: Target) -> None:
    load = loads.start()
    until(lambda: len(target.acknowledged) >= 5, "transfers")
    _kill(load, signal.SIGTERM)

    assert "exit code 0" in str(load.failed_because())
    assert len(History(loads.folder / "history").footers) == 1


def test_nothing_is_wrong_with_a_load_that_was_never_started(tmp_path: Path) -> None:
    load = LoadProcess("http://127.0.0.1:1", 10, 1, "run", tmp_path, tmp_path / "load.log")
    load.stop()

    assert (load.failed_because(), load.alive, load.cpu_s()) == (None, False, 0)


def test_a_load_whose_customers_cannot_log_in_says_so(loads: Loads, target: Target) -> None:
    target.login_mode = "401"
    load = loads.start()
    until(lambda: not load.alive, "the end of it")

    assert str(load.failed_because()).startswith(f"no login at {target.url}: HTTP 401 for account ")


def test_a_load_does_not_write_into_the_history_of_another(loads: Loads, target: Target) -> None:
    earlier = loads.folder / "history" / "requests-0.jsonl"
    earlier.parent.mkdir()
    earlier.touch()
    load = loads.start()
    until(lambda: not load.alive, "the end of it")

    assert "File exists" in str(load.failed_because())
    assert (target.requests, earlier.read_bytes()) == ([], b"")


def test_a_full_disk_stops_the_load_loudly(target: Target, tmp_path: Path) -> None:
    load = LoadProcess(target.url, 100, 7, "run", tmp_path / "history", tmp_path / "load.log")
    limited = ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh", *load._command(), "--parent", "0"]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # else the limit tears these, too
    ended = subprocess.run(limited, capture_output=True, text=True, timeout=60, check=False, env=env)
    written = rows(tmp_path / "history")

    assert ended.returncode == 3
    assert len([line for line in ended.stderr.splitlines() if "load failed: cannot write" in line]) == 1
    assert 10 < len(written) < 300
    assert History(tmp_path / "history").footers == ()


def test_a_load_ends_in_good_order_when_its_parent_is_killed(target: Target, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, target.url, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout
        load = psutil.Process(int(parent.stdout.readline()))
        until(lambda: len(target.acknowledged) >= 5, "transfers")
        parent.kill()
    until(lambda: not load.is_running() or load.status() == psutil.STATUS_ZOMBIE, "its end")

    assert len(History(tmp_path / "history").footers) == 1


_PARENT = """
import pathlib, sys, time
from loadgen.process import LoadProcess
folder = pathlib.Path(sys.argv[2])
load = LoadProcess(sys.argv[1], 50, 1, "run", folder / "history", folder / "load.log", deadline_s=0.5)
load.start()
print(load._process.pid, flush=True)
time.sleep(60)
"""


def test_the_conductor_s_side_imports_no_gevent() -> None:
    imports = "import sys, loadgen.process, loadgen.tail, loadgen.final_reads"
    check = f"{imports}; sys.exit(any(m.split('.')[0] in ('gevent', 'locust') for m in sys.modules))"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_stock_locust_runs_it_and_records_nothing_unasked(target: Target, tmp_path: Path) -> None:
    report = tmp_path / "stats"
    ended = stock(
        "-u", "2", "-r", "2", "--rate", "50", "--host", target.url, "--json-file", str(report),
        until_true=lambda: len(target.requests) >= 150,
    )  # fmt: skip

    assert (ended.returncode, ended.stderr.count("Traceback")) == (0, 0)
    assert _total(report) == len(target.requests) - SESSIONS  # the log-ins before the schedule
    assert not list(tmp_path.glob("**/*.jsonl"))


def test_a_run_time_that_ends_before_anybody_is_logged_in_is_a_failure() -> None:
    ended = stock("--rate", "50", "-t", "1s", "--host", "http://127.0.0.1:1")

    assert ended.returncode == 3
    assert "load failed: it was ended before its customers had logged in" in ended.stderr


def test_two_processes_share_the_rate_and_their_books_add_up(target: Target, tmp_path: Path) -> None:
    report, history = tmp_path / "stats", tmp_path / "history"
    ended = stock(
        "--processes", "2", "-u", "2", "-r", "2", "--rate", "60", "--host", target.url,
        "--history", str(history), "--run-id", "two", "--json-file", str(report),
        until_true=lambda: len(target.requests) >= 400,
    )  # fmt: skip
    until(lambda: len(History(history).footers) == 2, "both footers")
    first, second = (footer["scheduled"] for footer in History(history).footers)

    assert ended.returncode == 0
    assert first + second == len(History(history).requests) == len(target.requests) - 2 * SESSIONS
    assert min(first, second) > 20
    assert 0 < _total(report) <= first + second  # Locust's own count may miss the last reports
    assert sorted(target.keys()) == sorted(one.key for one in History(history).transfers)
    assert {header["rate"] for header in History(history).headers} == {60}


def test_a_worker_that_fails_takes_its_master_with_it(target: Target, tmp_path: Path) -> None:
    (tmp_path / "requests-1.jsonl").touch()
    ended = stock(
        "--processes",
        "2",
        "-u",
        "2",
        "-r",
        "2",
        "--rate",
        "20",
        "--host",
        target.url,
        "--history",
        str(tmp_path),
    )

    assert ended.returncode == 3
    assert "load failed: in a worker: cannot write" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--rate", "-5"), "argument --rate: -5 is not a positive number"),
        (("--mix", "payment=1"), "argument --mix: 'payment' is none of transfer, balance, login"),
        (("--run-id", "a b"), "argument --run-id: 'a b' is not 1 to 64 letters"),
        (("--schedule", "fast"), "argument --schedule: 'fast' is not a valid Schedule"),
    ],
)
def test_a_bad_argument_is_one_line(arguments: tuple[str, str], complaint: str) -> None:
    ended = stock(*arguments)

    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert len(ended.stderr.splitlines()) <= 2


def _kill(load: LoadProcess, with_signal: signal.Signals) -> None:
    assert load._process
    load._process.send_signal(with_signal)
    until(lambda: not load.alive, "its end")


def _total(report: Path) -> int:
    entries = json.loads(report.with_suffix(".json").read_text())
    return sum(int(entry["num_requests"]) for entry in entries)
