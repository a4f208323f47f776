"""A drill that is stopped heals by itself; one that is killed is healed by the next process."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from blackstart import policies
from blackstart.context import Context
from blackstart.exit_code import ExitCode
from blackstart.experiment import load
from blackstart.history import Event, History
from blackstart.ledger import Handle
from blackstart.waiting import wait_until
from faults.region_blackhole import RegionBlackhole
from probes import steady
from reports.evidence.leaks import forms
from staging.local import lifecycle
from staging.local.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.local

BLACKSTART = str(Path(sys.executable).with_name("blackstart"))
PATIENCE_S = 120.0
DEEDS = ("inject.start", "inject.end", "stopped", "heal.start", "heal.end")
CANARY = "canary-5f0c93a1"
REGION_LOSS = Path(__file__).parent.parent / "experiments" / "region-loss.yaml"


class Site:
    """A home with a running local staging, and the command line on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.context = Context(home=str(home))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = self._argv(*words)
        return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._argv(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **self.planted},
        )  # fmt: skip

    @cached_property
    def planted(self) -> dict[str, str]:
        """Variables of drills with a canary in each place where a secret can be."""
        profiles = self.home / "credentials"
        profiles.write_text(
            f"[default]\naws_access_key_id = none\naws_secret_access_key = {CANARY}-profile\n"
        )
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(profiles),
            "AWS_SESSION_TOKEN": f"{CANARY}-session",
            "DATABASE_URL": f"postgres://bank:{CANARY}-database@127.0.0.1:1/ledger",
            "PGPASSWORD": f"{CANARY}-password",
            "GITHUB_TOKEN": f"{CANARY}-token",
        }

    def secrets(self) -> set[str]:
        """The canaries, and what really is secret in staging: its passwords, its customers' sessions."""
        staging = self.context.attach()
        manager, dynamodb = staging.aws("secretsmanager"), staging.aws("dynamodb")
        names = [secret["Name"] for secret in manager.list_secrets()["SecretList"]]
        passwords = {
            json.loads(manager.get_secret_value(SecretId=n)["SecretString"])["password"] for n in names
        }
        sessions = {item["token"]["S"] for item in dynamodb.scan(TableName="sessions")["Items"]}
        return {CANARY, *passwords, *sessions}

    def saw(self, kind: str, name: str | None = None) -> Callable[[], bool]:
        """Whether the newest drill's history holds such an event."""

        def seen() -> bool:
            drills = sorted((self.home / "drills").glob("*"), key=lambda folder: folder.stat().st_mtime)
            if not drills:
                return False
            detail = {} if name is None else {"name": name}
            return History(drills[-1] / "history").event(kind, **detail) is not None

        return seen

    def writer(self) -> str | None:
        return steady.writer(self.context.attach(), "ledger")

    def whole(self) -> bool:
        return not steady.unwhole(self.context.attach(), "ledger", ("bank", "bank-api"), "bank-api", "cache")

    def _argv(self, *words: str) -> list[str]:
        return [BLACKSTART, "--home", str(self.home), *words]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("home")
    lifecycle.up(home / "local", Options(), lambda _: None)
    yield Site(home)
    lifecycle.down(home / "local")


def until(drill: subprocess.Popen[str], seen: Callable[[], bool]) -> None:
    """Wait until the drill has come so far; one that does not has its own words shown."""
    try:
        wait_until(
            lambda: seen() or drill.poll() is not None, within_s=PATIENCE_S, what="so far", every_s=0.02
        )
    finally:
        if not seen():
            drill.terminate()
            pytest.fail(drill.communicate(timeout=PATIENCE_S)[0])


def forget_earlier_drills(site: Site) -> None:
    for history in (site.home / "drills").glob("*/history"):
        (history / "events.jsonl").unlink(missing_ok=True)


def newest_record(site: Site) -> Any:
    """The record of the only drill that has one of its own events left."""
    [folder] = [
        path.parent for path in (site.home / "drills").glob("*/history") if (path / "events.jsonl").exists()
    ]
    return json.loads((folder / "record.json").read_text())


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_stopped_drill_heals_by_itself(site: Site, number: signal.Signals) -> None:
    forget_earlier_drills(site)
    writer = site.writer()
    drill = site.start("drill", "aurora-failover", "--rate", "40", "--seed", "1")
    until(drill, site.saw("inject.end"))
    drill.send_signal(number)
    said = drill.communicate(timeout=PATIENCE_S)[0]

    assert drill.returncode == ExitCode.STOPPED, said
    assert site.context.ledger.open_entries() == ()
    assert site.writer() == writer
    left = newest_record(site)["left"]
    assert (left["found"], left["regions"]) == ([], ["us-east-1"])
    assert left["looked_at"] == len(steady.costly(site.context.attach(), "us-east-1"))


@pytest.mark.parametrize(
    "moment", [pytest.param(("phase", "baseline"), marks=pytest.mark.long), ("inject.start", None)]
)
def test_a_killed_drill_is_healed_by_its_watchdog(site: Site, moment: tuple[str, str | None]) -> None:
    forget_earlier_drills(site)
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole")
    drill = site.start("drill", "az-loss", "--rate", "40", "--seed", "1")
    until(drill, site.saw(*moment))
    drill.kill()
    drill.communicate()
    wait_until(site.saw("watchdog.end"), within_s=PATIENCE_S, what="the watchdog's last word")

    assert site.context.ledger.open_entries() == ()
    assert all_subnets_light(site)
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole again")


def test_a_drill_killed_with_its_watchdog_is_healed_by_the_next_process(site: Site) -> None:
    forget_earlier_drills(site)
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole")
    drill = site.start("drill", "az-loss", "--rate", "40", "--seed", "1")
    until(drill, site.saw("bite"))
    for process in (watchdog_of(drill), drill):
        process.kill()
    drill.communicate()
    refused = site.run("drill", "aurora-failover", "--rate", "40")

    assert refused.returncode == ExitCode.REFUSED, refused
    assert "blackstart heal" in refused.stderr

    healed = site.run("heal")

    assert healed.returncode == 0, healed.stderr
    assert site.context.ledger.open_entries() == ()
    assert all_subnets_light(site)
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole again")


@pytest.mark.parametrize(
    "go_on", [pytest.param(False, marks=pytest.mark.long), True], ids=["healed", "resumed"]
)
def test_a_killed_restore_is_cleaned_up_or_gone_on_with(site: Site, *, go_on: bool) -> None:
    staging = site.context.attach()
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole")
    wait_until(lambda: has_backup(site), within_s=PATIENCE_S, what="there is a backup")
    before, resource = steady.costly(staging, "us-east-1"), ledger_resource(site)
    events = len(runbook_steps(site))
    restore = site.start("runbook", "restore-from-backup", "--set", "old=delete")
    wait_until(lambda: len(runbook_steps(site)) > events, within_s=PATIENCE_S, what="the restore job begins")
    restore.kill()
    restore.communicate()

    assert [entry.fault.partition(":")[0] for entry in site.context.ledger.open_entries()] == [
        "runbooks.restore_from_backup"
    ]

    ended = site.run("runbook", "restore-from-backup", "--resume") if go_on else site.run("heal")

    assert ended.returncode == 0, ended.stderr
    assert site.context.ledger.open_entries() == ()
    assert steady.costly(staging, "us-east-1") == before
    assert (ledger_resource(site) != resource) == go_on
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole again")


def has_backup(site: Site) -> bool:
    backup = site.context.attach().aws("backup")
    found = backup.list_recovery_points_by_backup_vault(BackupVaultName="staging", ByResourceType="Aurora")
    return bool(found["RecoveryPoints"])


def ledger_resource(site: Site) -> str:
    rds = site.context.attach().aws("rds")
    found: str = rds.describe_db_clusters(DBClusterIdentifier="ledger")["DBClusters"][0][
        "DbClusterResourceId"
    ]
    return found


def runbook_steps(site: Site) -> list[Event]:
    return [event for event in History(site.context.history).events if event.kind == "runbook.step"]


@pytest.mark.long
def test_a_drill_whose_disk_becomes_full_puts_back_what_it_can_and_says_so(site: Site) -> None:
    forget_earlier_drills(site)
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole")
    drill = site.start("drill", "az-loss", "--rate", "40", "--seed", "1")
    until(drill, site.saw("phase", "inject"))
    resource.prlimit(drill.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    said = drill.communicate(timeout=PATIENCE_S)[0]

    assert drill.returncode == ExitCode.NOT_HEALED, said
    assert "not healed: SubnetBlackhole: OSError: [Errno 27] File too large" in said
    assert site.run("heal").returncode == 0
    assert all_subnets_light(site)
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole again")


def test_a_lost_region_is_given_back_when_whoever_was_restoring_elsewhere_is_killed(site: Site) -> None:
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole")
    wait_until(lambda: bool(copies(site)), within_s=PATIENCE_S, what="a recovery point was copied")
    before = elsewhere(site)
    staging = site.context.attach()
    fault = RegionBlackhole(**load(REGION_LOSS)["method"][0]["provider"]["arguments"])
    plan = fault.prepare(staging)
    entry = site.context.ledger.open(
        "by hand", "faults.region_blackhole:RegionBlackhole", asdict(fault), plan, staging.facts
    )
    fault.inject(staging, plan, Handle(entry.id, site.context.ledger))

    assert fault.bite(staging, plan).confirmed

    restoring = site.start("runbook", "restore-in-another-region")
    wait_until(lambda: begun(site), within_s=PATIENCE_S, what="a restore job runs", every_s=0.02)
    restoring.kill()
    restoring.communicate()
    healed = site.run("heal")

    assert healed.returncode == 0, healed.stderr
    assert site.context.ledger.open_entries() == ()
    assert all_subnets_light(site)
    assert elsewhere(site) == before
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole again")


def copies(site: Site) -> list[str]:
    """The recovery points that lie in the other region."""
    backup = site.context.attach().aws("backup", "us-west-2")
    points = backup.list_recovery_points_by_backup_vault(BackupVaultName="staging-dr")["RecoveryPoints"]
    return [point["RecoveryPointArn"] for point in points]


def begun(site: Site) -> bool:
    """Whether a runbook has begun to restore."""
    return any(entry.notes.get("job") for entry in site.context.ledger.open_entries())


def elsewhere(site: Site) -> tuple[set[str], int]:
    """The databases and the tasks of the other region."""
    staging = site.context.attach()
    service = staging.aws("ecs", "us-west-2").describe_services(cluster="bank", services=["bank-api"])
    return steady.databases(staging, "us-west-2"), service["services"][0]["runningCount"]


def test_the_stop_switch_stops_and_refuses_until_released(site: Site) -> None:
    forget_earlier_drills(site)
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole")
    writer = site.writer()
    drill = site.start("drill", "aurora-writer-crash", "--rate", "40", "--seed", "1")
    until(drill, site.saw("bite"))
    site.run("stop")
    said = drill.communicate(timeout=PATIENCE_S)[0]
    told = [event.kind for event in newest_history(site).events if event.kind in DEEDS]

    assert drill.returncode == ExitCode.STOPPED, said
    assert told[-3:] == ["stopped", "heal.start", "heal.end"]
    assert newest_history(site).event("steady", ok=True, when="after") is not None
    assert site.run("drill", "aurora-failover", "--rate", "40").returncode == ExitCode.REFUSED

    site.run("stop", "--release")

    assert site.writer() == writer


def newest_history(site: Site) -> History:
    drills = sorted((site.home / "drills").glob("*"), key=lambda folder: folder.stat().st_mtime)
    return History(drills[-1] / "history")


def test_two_drills_at_once_are_refused(site: Site) -> None:
    forget_earlier_drills(site)
    wait_until(site.whole, within_s=PATIENCE_S, what="staging is whole")
    first = site.start("drill", "aurora-failover", "--rate", "40", "--seed", "1")
    until(first, site.saw("phase", "warm-up"))
    second = site.run("drill", "aurora-failover", "--rate", "40")
    first.terminate()
    first.communicate(timeout=PATIENCE_S)

    assert second.returncode == ExitCode.REFUSED
    assert "another drill runs" in second.stderr


def watchdog_of(drill: subprocess.Popen[str]) -> psutil.Process:
    children = psutil.Process(drill.pid).children()
    return next(child for child in children if "blackstart.watchdog" in child.cmdline())


def all_subnets_light(site: Site) -> bool:
    """Whether no subnet is left with an ACL that a drill made."""
    acls = site.context.attach().aws("ec2").describe_network_acls()["NetworkAcls"]
    made = [acl for acl in acls for tag in acl.get("Tags", []) if tag["Key"].startswith("blackstart:")]
    return made == []


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["drill", "nonesuch"], ExitCode.USAGE, "no drill is called 'nonesuch'"),
        (["drill", "az-loss", "--rate", "-3"], ExitCode.USAGE, "--rate"),
        (["drill", "az-loss", "--rate", "many"], ExitCode.USAGE, "--rate"),
        (["drill", "az-loss", "--sed", "1"], ExitCode.USAGE, "--sed"),
        (["drill", "az-loss", "--staging", "nowhere.yaml"], ExitCode.USAGE, "nowhere.yaml"),
        (["drill", "az-loss", "--random-of", "7d"], ExitCode.USAGE, "restore a backup: backup-restore"),
        (["drill", "backup-restore", "--random-of", "a week"], ExitCode.USAGE, "7d, 12h or 30m"),
        (["up"], ExitCode.USAGE, "running already"),
        (["heal"], 0, "nothing to heal"),
    ],
)
def test_bad_input_gets_one_clear_line(site: Site, words: list[str], code: int, says: str) -> None:
    ended = site.run(*words)
    said = (ended.stdout + ended.stderr).strip()

    assert ended.returncode == code
    assert says in said.splitlines()[-1]
    assert "Traceback" not in said


def test_the_list_of_runs_keeps_the_failed_ones(site: Site) -> None:
    runs = [json.loads(line) for line in (site.home / "runs.jsonl").read_text().splitlines()]
    started = {run["run"] for run in runs if run["what"] == "started"}
    finished = {run["run"] for run in runs if run["what"] == "finished"}

    assert len(started) > len(finished) > 0


def test_no_secret_is_in_any_artefact(site: Site) -> None:
    artefacts = [
        *(path for path in (site.home / "drills").rglob("*") if path.is_file()),
        *(path for path in (site.home / "logs").rglob("*") if path.is_file()),
        site.home / "runs.jsonl", site.context.place / "ledger.jsonl", site.context.place / "events.jsonl",
    ]  # fmt: skip
    known = {form for secret in site.secrets() for form in forms(secret)}
    held = {
        str(path.relative_to(site.home))
        for path in artefacts
        if path.exists() and any(form in path.read_bytes() for form in known)
    }

    assert len(artefacts) > 20
    assert len(known) > 50
    assert held == set()


def test_no_drill_made_a_call_that_its_policy_lacks(site: Site) -> None:
    folders = [path.parent for path in (site.home / "drills").glob("*/calls.jsonl")]
    lacking = [
        (folder.name, policies.lacking(json.loads((folder / "drill.json").read_text())["name"], folder))
        for folder in folders
    ]

    assert len(folders) > 3
    assert [found for found in lacking if found[1]] == []
