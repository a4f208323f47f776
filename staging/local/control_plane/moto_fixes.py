"""Where moto 5.2.5 answers otherwise than AWS, and a drill would notice."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from moto.ec2 import utils as ec2_utils
from moto.kms.models import KmsBackend
from moto.rds.models import DBCluster, DBInstance

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_moto_matches = ec2_utils.is_filter_matching
_key_calls = {
    name: getattr(KmsBackend, name)
    for name in ("disable_key", "enable_key", "schedule_key_deletion", "cancel_key_deletion")
}


def apply() -> None:
    """Patch moto; idempotent."""
    ec2_utils.is_filter_matching = _matches
    for name, call in _key_calls.items():
        setattr(KmsBackend, name, _by_arn(call))
    # a snapshot that nobody took, of every new cluster
    DBCluster.save_automated_backup = DBInstance.save_automated_backup = _nothing
    # moto says "now", whatever could really be restored
    DBCluster.latest_restorable_time = property(_restorable_until)
    DBInstance.latest_restorable_time = None  # Aurora restores clusters, not instances


def _matches(resource: Any, name: str, wanted: Any) -> bool:
    """Let a filter match when any of its values does; moto wants all of a list to match."""
    value = resource.get_filter_value(name)
    if isinstance(value, list | tuple | set) and isinstance(wanted, list):
        return any(fnmatch.fnmatch(str(one), str(pattern)) for one in value for pattern in wanted)
    matches: bool = _moto_matches(resource, name, wanted)
    return matches


def _by_arn(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let a call on a key take its ARN; moto wants the id."""

    def with_id(kms: Any, key_id: str, *more: Any) -> Any:
        return call(kms, key_id.rpartition("/")[2], *more)

    return with_id


def _nothing(_: Any) -> None:
    pass


def _restorable_until(cluster: Any) -> datetime | None:
    until: datetime | None = getattr(cluster, "restorable_until", None)
    return until
