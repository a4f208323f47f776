"""Every AWS client of a process, whoever makes it, belongs to its staging and passes the choke point.

Activities of Chaos Toolkit's AWS extension make clients for themselves, by boto3's default session. They get
the staging's own. Whatever makes a session of its own passes the choke point none the less: it is put on each
client that botocore makes, and refuses other addresses than the staging's.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session

from blackstart.choke import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blackstart.context import Guarded

_OWN_CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "endpoint_url")


@contextmanager
def led_to(staging: Guarded) -> Iterator[None]:
    """Lead every new client of this process to the staging, behind its choke point, for a while."""
    give_back = lead(staging)
    try:
        yield
    finally:
        give_back()


def lead(staging: Guarded) -> Callable[[], None]:
    """Lead every new client of this process to the staging; return what ends it."""
    made = botocore.session.Session.create_client

    def create_client(self: Any, *words: Any, **given: Any) -> Any:
        client = made(self, *words, **given)
        staging.choke_point.install(client.meta.events)
        return client

    earlier = boto3.DEFAULT_SESSION
    botocore.session.Session.create_client = create_client
    boto3.DEFAULT_SESSION = _Session(staging)
    # the extension insists on a region of its own; an environment without one would stop it
    os.environ["AWS_REGION"] = staging.facts.region

    def give_back() -> None:
        botocore.session.Session.create_client = made
        boto3.DEFAULT_SESSION = earlier

    return give_back


class _Session(boto3.Session):  # type: ignore[misc] # boto3 has no types
    """What `boto3.client` asks: it hands out the staging's own clients."""

    def __init__(self, staging: Guarded) -> None:
        # without the user's profile: one that does not exist would be an error before anything is asked for
        blind = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
        super().__init__(botocore_session=blind, region_name=staging.facts.region)
        self._staging = staging

    def client(self, service_name: str, region_name: str | None = None, **given: Any) -> Any:
        """Return the staging's client. Raises Refused when asked for another account or address."""
        own = sorted(name for name in _OWN_CREDENTIALS if given.get(name))
        if own:
            raise Refused(f"an activity wants a client of {service_name} with {own[0]} of its own")
        return self._staging.aws(service_name, region_name or "")
