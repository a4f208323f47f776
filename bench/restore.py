"""Restore a ledger of a gigabyte as people do, next to plain `pg_basebackup` and replay, in turns.

    TMPDIR=/some/disk .venv/bin/python bench/restore.py --rounds 3 --gigabytes 1

Needs about ten times as much disk as the ledger holds: writer, reader, their archive, the recovery point, and
the restored cluster with all of that beside it. Everything is removed at the end. In each round:

- ours: a backup job on demand, then `blackstart runbook restore-from-backup --set old=delete`, its lines read
  as a person would, with the time of each; the restore job alone is what compares with
- plain: `pg_basebackup` from the same ledger's writer without a rate, `pg_verifybackup`, and a server that
  replays the log it came with until it is promoted; no fsync, as in ours.

Memory is that of the host, everything below it and the command, looked at four times a second; for plain, of
the programs alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from heard import longest, spoken
from memory import called, family, peak_mb

from blackstart.waiting import wait_until
from staging.local import binaries, lifecycle, state_file
from staging.local.aurora.state import SUPERUSER
from staging.local.client import LocalStaging
from staging.local.options import Options

BLACKSTART = str(Path(sys.executable).with_name("blackstart"))
RUNBOOK = "restore-from-backup"
WITHIN_S = 1800.0
# payments, each between an account and its neighbour, and their entries, as the bank would have left them
CHUNK = """
WITH n AS (
    SELECT g, 'filled-' || lpad(g::text, 60, '0') AS key, 1 + g % 1000 AS debit, 1 + (g + 1) % 1000 AS credit
    FROM generate_series({first}, {last}) AS g
),
paid AS (INSERT INTO transfers SELECT key, debit, credit, 1, clock_timestamp() FROM n),
moved AS (SELECT g, key, debit AS account, -1 AS cents FROM n UNION ALL SELECT g, key, credit, 1 FROM n),
booked AS (
    INSERT INTO entries
    SELECT key, account, m.cents, a.balance + sum(m.cents) OVER w, a.version + count(*) OVER w
    FROM moved m JOIN accounts a ON a.id = account WINDOW w AS (PARTITION BY account ORDER BY g)
)
UPDATE accounts a SET balance = a.balance + s.cents, version = a.version + s.times
FROM (SELECT account, sum(cents) AS cents, count(*) AS times FROM moved GROUP BY account) s
WHERE s.account = a.id
"""
PAYMENTS = 100_000
SIZE = "SELECT pg_database_size('ledger')"


def main() -> None:
    """Fill it, then restore it again and again, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blackstart-restore-") as name:
        home = Path(name)
        home.chmod(0o755)
        # loopback relays, so that plain programs reach the writer as they are
        lifecycle.up(home / "local", Options(isolation="wires"), lambda _: None)
        try:
            bench = Bench(home)
            print(json.dumps({"ledger, MB": bench.fill(chosen.gigabytes)}), flush=True)
            rounds = [(bench.ours(), bench.plain()) for _ in range(chosen.rounds)]
        finally:
            lifecycle.down(home / "local")
    for title, of in zip(("ours", "plain"), zip(*rounds, strict=True), strict=True):
        print(json.dumps({title: summed(of)}, indent=1), flush=True)


@dataclass
class Bench:
    """One staging with a ledger, and where everything plain goes."""

    home: Path
    aws: LocalStaging = field(init=False)

    def __post_init__(self) -> None:
        self.aws = LocalStaging.attach(self.home / "local")

    def fill(self, gigabytes: float) -> int:
        """Fill the ledger, of which nobody makes backups but us; return its size in megabytes."""
        rds = self.aws.aws("rds")
        cluster = rds.describe_db_clusters(DBClusterIdentifier="ledger")["DBClusters"][0]["DBClusterArn"]
        rds.remove_tags_from_resource(ResourceName=cluster, TagKeys=["Backup"])
        first = 0
        while (size := self.ask(SIZE)) < gigabytes * (1 << 30):
            self.ask(CHUNK.format(first=first, last=first + PAYMENTS - 1))
            first += PAYMENTS
        self.ask("VACUUM ANALYZE")
        return int(size) >> 20

    def ours(self) -> dict[str, Any]:
        """Back up and restore as people do."""
        found: dict[str, Any] = {}
        self._until_quiet()
        with peak_mb(found, lambda: family(self.host()) | self._below_us()):
            began = time.monotonic()
            found["backup job, longest without news, s"] = self._back_up()
            found["backup job, s"] = time.monotonic() - began
            heard = self._follow()
        found |= spoken(heard)
        return told("ours", found)

    def plain(self) -> dict[str, Any]:
        """Do the same with PostgreSQL's own programs."""
        found: dict[str, Any] = {}
        self._until_quiet()
        with (
            tempfile.TemporaryDirectory(prefix="blackstart-plain-") as name,
            peak_mb(found, self._below_us),
        ):
            into = Path(name)
            binaries.own(into)
            found["pg_basebackup, s"] = self._timed(self._base_backup, into)
            found["pg_verifybackup, s"] = self._timed(self._verify, into)
            found["replay until promoted, s"] = self._timed(self._replay, into)
        found["without pg_verifybackup, s"] = found["pg_basebackup, s"] + found["replay until promoted, s"]
        return told("plain", found)

    def host(self) -> int:
        """Return the process that all of the staging hangs on."""
        state = state_file.read(self.home / "local")
        assert state
        return state.host.pid

    def _below_us(self) -> set[int]:
        """Return what was started here: the command, or the plain programs, but not the staging."""
        return family(os.getpid()) - {os.getpid()} - family(self.host())

    def _until_quiet(self) -> None:
        """Wait until the archive of the cluster takes no base backup, which would cost both the same disk."""

        def quiet() -> bool:
            below = psutil.Process(self.host()).children(recursive=True)
            return not any(called(child).startswith("pg_basebackup") for child in below)

        wait_until(quiet, within_s=WITHIN_S, what="nobody takes a base backup", every_s=2)

    def ask(self, sql: str) -> Any:
        """Run a statement on the writer, as PostgreSQL's superuser: customers may not do such things."""
        return asyncio.run(self._ask(sql))

    async def _ask(self, sql: str) -> Any:
        host, port, password = self._writer()
        link = await asyncpg.connect(
            host=host, port=port, user=SUPERUSER, password=password, database="ledger"
        )
        try:
            return await link.fetchval(sql)
        finally:
            await link.close()

    def _writer(self) -> tuple[str, int, str]:
        """Return where the writer listens, and the password: the files of its own cluster say so."""
        cluster = self.aws.aws("rds").describe_db_clusters(DBClusterIdentifier="ledger")["DBClusters"][0]
        state = state_file.read(self.home / "local")
        assert state
        directory = Path(state.data_dir) / "aurora" / cluster["DbClusterResourceId"]
        named = [m["DBInstanceIdentifier"] for m in cluster["DBClusterMembers"] if m["IsClusterWriter"]]
        for config in directory.glob("member-*/postgresql.conf"):
            has = dict(re.findall(r"^(\S+) = '(.*)'$", config.read_text(), re.MULTILINE))
            if [has["cluster_name"]] == named:
                password = (directory / "passfile").read_text().strip().rpartition(":")[2]
                return has["listen_addresses"], int(has["port"]), password
        raise LookupError(f"no server in {directory} is called {named}")

    def _back_up(self) -> float:
        """Make a recovery point; return for how long at most the job told nothing new."""
        backup, rds = self.aws.aws("backup"), self.aws.aws("rds")
        cluster = rds.describe_db_clusters(DBClusterIdentifier="ledger")["DBClusters"][0]
        job = backup.start_backup_job(
            BackupVaultName="staging", ResourceArn=cluster["DBClusterArn"],
            IamRoleArn="arn:aws:iam::123456789012:role/service-role/AWSBackupDefaultServiceRole",
        )["BackupJobId"]  # fmt: skip
        said = [("", time.monotonic())]

        def over() -> bool:
            seen = backup.describe_backup_job(BackupJobId=job)
            if seen["State"] + seen.get("PercentDone", "") != said[-1][0]:
                said.append((seen["State"] + seen.get("PercentDone", ""), time.monotonic()))
            assert seen["State"] != "FAILED", seen
            return bool(seen["State"] == "COMPLETED")

        wait_until(over, within_s=WITHIN_S, what="the backup is made", every_s=0.2)
        return longest([at for _, at in said])

    def _follow(self) -> list[tuple[float, str]]:
        """Follow the runbook; return every line that it says, with its time."""
        argv = [BLACKSTART, "--home", str(self.home), "runbook", RUNBOOK, "--set", "old=delete"]
        heard = [(time.monotonic(), "")]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout
            heard += [(time.monotonic(), line.rstrip()) for line in running.stdout]
        assert running.returncode == 0, heard[-3:]
        return [*heard, (time.monotonic(), "")]

    def _base_backup(self, into: Path) -> None:
        host, port, password = self._writer()
        where = ["-h", host, "-p", str(port), "-U", SUPERUSER, "--checkpoint=fast", "--no-sync"]
        options = ["--wal-method=stream", "--manifest-checksums=SHA256", "-D", str(into / "data")]
        self._run("pg_basebackup", *where, *options, PGPASSWORD=password)

    def _verify(self, into: Path) -> None:
        self._run("pg_verifybackup", str(into / "data"))

    def _replay(self, into: Path) -> None:
        data = into / "data"
        (data / "recovery.signal").touch()
        binaries.own(data / "recovery.signal")
        settings = {
            "restore_command": "false", "recovery_target": "immediate", "recovery_target_action": "promote",
            "fsync": "off", "full_page_writes": "off", "listen_addresses": "", "archive_mode": "off",
            "unix_socket_directories": str(into), "shared_buffers": "64MB",
        }  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = into / "log"
        server = subprocess.Popen(
            [self._program("postgres"), "-D", str(data), *options], **self._as(log.open("wb"))
        )
        wait_until(
            lambda: "ready to accept connections" in log.read_text(), within_s=WITHIN_S, what="promoted"
        )
        server.terminate()  # waits until it has written everything
        assert server.wait(WITHIN_S) == 0

    def _timed(self, do: Any, into: Path) -> float:
        began = time.monotonic()
        do(into)
        return time.monotonic() - began

    def _run(self, program: str, *arguments: str, **environment: str) -> None:
        with tempfile.TemporaryFile() as out:
            subprocess.run(
                [self._program(program), *arguments], check=True, **self._as(out),
                env={**os.environ, **environment},
            )  # fmt: skip

    def _program(self, name: str) -> str:
        return str(binaries.postgres_bin(self.home) / name)

    def _as(self, out: Any) -> dict[str, Any]:
        uid, gid = binaries.run_as() or (None, None)
        return {
            "user": uid, "group": gid, "extra_groups": None if uid is None else [], "cwd": "/",
            "stdout": out, "stderr": out,
        }  # fmt: skip


def told(title: str, found: dict[str, Any]) -> dict[str, Any]:
    """Print a round as soon as it is known."""
    print(json.dumps({title: {name: round(value, 2) for name, value in found.items() if value}}), flush=True)
    return found


def summed(rounds: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """Return minimum, median and maximum of every figure."""
    names = [name for name in rounds[0] if all(one.get(name) is not None for one in rounds)]
    return {
        name: [round(f([one[name] for one in rounds]), 2) for f in (min, statistics.median, max)]
        for name in names
    }


if __name__ == "__main__":
    main()
