"""Where moto 5.2.5 answers otherwise than AWS, and a drill would notice."""

from __future__ import annotations

import fnmatch
from typing import Any

from moto.ec2 import utils as ec2_utils

_moto_matches = ec2_utils.is_filter_matching


def apply() -> None:
    """Patch moto; idempotent."""
    ec2_utils.is_filter_matching = _matches


def _matches(resource: Any, name: str, wanted: Any) -> bool:
    """Let a filter match when any of its values does; moto wants all of a list to match."""
    value = resource.get_filter_value(name)
    if isinstance(value, list | tuple | set) and isinstance(wanted, list):
        return any(fnmatch.fnmatch(str(one), str(pattern)) for one in value for pattern in wanted)
    matches: bool = _moto_matches(resource, name, wanted)
    return matches
