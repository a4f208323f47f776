"""Whether a KMS key can be used; without its key, no backup can be read."""

from __future__ import annotations

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.protocol import AwsError

_REGION = 3  # its place among the parts of an ARN


def is_enabled(key: str) -> bool:
    """Tell whether the key with this ARN exists and is enabled."""
    known = backend("kms", key.split(":")[_REGION]).keys.get(key.rpartition("/")[2])
    return known is not None and known.key_state == "Enabled"


def inaccessible(key: str) -> str:
    """Say in AWS's words that a key cannot be used."""
    return (
        f"The specified KMS key [{key}] does not exist, is not enabled or you do not have permissions "
        "to access it."
    )


def require_enabled(key: str) -> None:
    """Raise what RDS answers when a key cannot be used."""
    if not is_enabled(key):
        raise AwsError("KMSKeyNotAccessibleFault", inaccessible(key))
