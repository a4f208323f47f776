"""What restores are made of in these tests: a place for snapshots, progress that is written down, rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from staging.local.backups import Progress, Snapshot
    from tests.staging.local.aurora.clients import Staged

SUBNETS = ("data-a", "data-b")


class Log:
    """Everything that was said of how far a step has come."""

    def __init__(self) -> None:
        self.said: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        self.said.append(progress)

    @property
    def steps(self) -> list[str]:
        return list(dict.fromkeys(progress.step for progress in self.said))

    def last(self, step: str) -> Progress:
        return [progress for progress in self.said if progress.step == step][-1]


async def snapshot(staged: Staged, place: Path, name: str = "one") -> Snapshot:
    return await staged.fleet.snapshot("ledger", place / "backups" / name, Log())


async def keys(staged: Staged, cluster: str) -> set[str]:
    return {row["key"] for row in await staged.fleet.cluster(cluster).execute("SELECT key FROM rows")}


async def insert(staged: Staged, *names: str, cluster: str = "ledger") -> None:
    for name in names:
        await staged.fleet.cluster(cluster).execute(f"INSERT INTO rows VALUES ('{name}')")  # noqa: S608 - ours


async def serve(staged: Staged, cluster: str) -> None:
    """Give a restored cluster its two instances."""
    for number, subnet in enumerate(SUBNETS, start=1):
        await staged.fleet.add_member(cluster, f"{cluster}-{number}", subnet)
