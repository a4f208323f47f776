"""What in an environment could lead the calls for an AWS account elsewhere, found before the first one.

A variable that was set for a local double, a profile with an endpoint of its own, one that does not exist.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from blackstart import reach
from blackstart.context import NoStaging

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENDPOINT, _IGNORE = "AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
_EXPIRY = "AWS_CREDENTIAL_EXPIRATION"  # as `aws configure export-credentials` writes it
_LED_ELSEWHERE = ("endpoint_url", "services")


def check_environment(environment: Mapping[str, str] = os.environ) -> None:
    """Refuse variables that lead calls elsewhere, and credentials that have expired. Raises NoStaging."""
    redirected = sorted(name for name in environment if name.startswith(_ENDPOINT))
    if redirected:
        raise NoStaging(f"{redirected[0]} is set: AWS calls would go elsewhere. Unset it first")
    if environment.get(_IGNORE, "").lower() == "true":
        # with it, a profile that seems to lead to a double leads to the real account
        raise NoStaging(f"{_IGNORE} is set: endpoints that are configured would be ignored. Unset it first")
    expiry = environment.get(_EXPIRY)
    if expiry and _past(expiry):
        raise NoStaging(f"the credentials in the environment have expired ({_EXPIRY}={expiry}): log in again")


def check_session(session: Any) -> None:
    """Refuse a profile whose calls go elsewhere. Raises NoStaging."""
    configured = session._session.get_scoped_config()  # noqa: SLF001 - boto3 shows no profile's own settings
    for name in _LED_ELSEWHERE:
        if configured.get(name):
            profile = session.profile_name
            raise NoStaging(
                f"profile {profile!r} of the AWS configuration sets {name}: calls would go elsewhere"
            )


def check_client(client: Any) -> None:
    """Refuse a client whose address is not AWS's, whatever has led it there. Raises NoStaging."""
    address = client.meta.endpoint_url
    if not reach.is_aws(address):
        raise NoStaging(
            f"calls of {client.meta.service_model.service_name} would go to {address}, which is not AWS"
        )


def _past(moment: str) -> bool:
    try:
        expires = datetime.fromisoformat(moment)
    except ValueError:
        return False  # STS will say
    return (expires if expires.tzinfo else expires.replace(tzinfo=UTC)) <= datetime.now(UTC)
