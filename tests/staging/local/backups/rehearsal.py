"""Destroy a cluster and bring it back, from a snapshot and from its archive, on one kind of network.

Run by test_isolations in a process of its own, because building namespaces moves the process into one.
It writes one line of JSON: what was seen.
"""

import asyncio
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from staging.local.aurora import AuroraSettings
from staging.local.backups import PointInTime
from staging.local.network.choose import choose
from tests.staging.local.aurora.clients import PASSWORD, SCHEMA, Staged, eventually
from tests.staging.local.backups.places import Log, insert, keys, serve


async def rehearse(staged: Staged, place: Path) -> dict[str, Any]:
    fleet = staged.fleet
    await eventually(lambda: fleet.restorable("ledger") is not None)
    await insert(staged, "before")
    taken = await fleet.snapshot("ledger", place / "backups" / "one", Log())
    at = datetime.now(UTC)
    await insert(staged, "after")
    resource = fleet.describe()["ledger"].resource
    await fleet.delete("ledger", keep_archive=True)
    await fleet.restore("ledger", taken, Log())
    await serve(staged, "ledger")
    seen = {"snapshot": sorted(await keys(staged, "ledger"))}
    for name, instant in (("instant", at), ("latest", None)):
        await fleet.restore(name, PointInTime(cluster=resource, at=instant), Log())
        await fleet.add_member(name, f"{name}-1", "data-b")
        seen[name] = sorted(await keys(staged, name))
    await staged.aurora.crash("ledger-1")
    await eventually(lambda: staged.whole(writer="ledger-2"))
    await insert(staged, "life goes on")
    staged.network.darken(frozenset({"data-b"}))
    await eventually(lambda: staged.roles["ledger-1"] == "writer")
    seen["after two failovers"] = sorted(await keys(staged, "ledger"))
    return seen


async def staged_on(place: Path, network: Any) -> dict[str, Any]:
    (place / "schema.sql").write_text(SCHEMA)
    (place / "ledger").mkdir()
    settings = AuroraSettings(schema=place / "schema.sql", app_password=PASSWORD)
    staged = Staged(network, place / "ledger", replace(settings, archive_timeout_s=1.0))
    try:
        await staged.fleet.start()
        return await rehearse(staged, place)
    finally:
        await staged.fleet.stop()


def main() -> None:
    network = choose(sys.argv[1])
    network.start()
    try:
        seen = asyncio.run(staged_on(Path(sys.argv[2]), network))
    finally:
        network.stop()
    sys.stdout.write(json.dumps({"isolation": network.isolation, **seen}) + "\n")


if __name__ == "__main__":
    main()
