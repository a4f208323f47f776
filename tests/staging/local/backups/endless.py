"""Restore and take snapshots for ever, on wires, until somebody kills this process. Run by test_killed.

It writes one line for each step that begins.
"""

import asyncio
import sys
from pathlib import Path

from staging.local.aurora import AuroraSettings
from staging.local.backups import PointInTime, Progress
from staging.local.network.wires import Wires
from tests.staging.local.aurora.clients import PASSWORD, SCHEMA, Staged, eventually


class Loud:
    """Says each step once."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, progress: Progress) -> None:
        if progress.step != self._last:
            self._last = progress.step
            sys.stdout.write(progress.step + "\n")
            sys.stdout.flush()


async def restore_for_ever(staged: Staged, place: Path) -> None:
    await staged.fleet.start()
    await eventually(lambda: staged.fleet.restorable("ledger") is not None)
    for number in range(100):
        await staged.fleet.snapshot("ledger", place / f"backup-{number}", Loud())
        await staged.fleet.restore("restored", PointInTime(cluster="ledger", at=None), Loud())
        await staged.fleet.delete("restored", keep_archive=False)


def main() -> None:
    place = Path(sys.argv[1])
    (place / "schema.sql").write_text(SCHEMA)
    (place / "ledger").mkdir()
    network = Wires()
    network.start()
    settings = AuroraSettings(schema=place / "schema.sql", app_password=PASSWORD)
    asyncio.run(restore_for_ever(Staged(network, place / "ledger", settings), place))


if __name__ == "__main__":
    main()
