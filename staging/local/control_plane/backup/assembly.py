"""AWS Backup, assembled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from staging.local.control_plane.backup.api import Backup
from staging.local.control_plane.backup.aurora import AuroraKind
from staging.local.control_plane.backup.dynamodb import DynamoDbKind
from staging.local.control_plane.backup.kinds import Kinds
from staging.local.control_plane.backup.orders import Orders
from staging.local.control_plane.backup.plans import Plans
from staging.local.control_plane.backup.points import Vaults
from staging.local.control_plane.backup.s3 import S3Kind
from staging.local.control_plane.backup.work import Work
from staging.local.control_plane.seed_backup import create_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.rds.api import Rds
    from staging.local.control_plane.rds.databases import Databases


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """What answers, and what runs the plans."""

    api: Backup
    plans: Plans


def assembled(
    rds: Rds, databases: Databases, bridge: Bridge, *, root: Path, hour_s: float, defects: Sequence[str],
    lost: Callable[[str], bool] = lambda _: False,
) -> Assembly:  # fmt: skip
    """Put the parts together, and make the platform's backup plan; nothing happens in a `lost` region."""
    vaults = Vaults(root)
    kinds = Kinds(AuroraKind(rds, databases), DynamoDbKind(), S3Kind())
    work = Work(vaults, kinds, restore_jobs_lie="restore-job-lies" in defects, lost=lost)
    orders = Orders(vaults, kinds, work)
    create_plan(orders)
    plans = Plans(orders, vaults, kinds, hour_s=hour_s, defects=defects, lost=lost)
    return Assembly(api=Backup(orders, vaults, kinds, bridge), plans=plans)
