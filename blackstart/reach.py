"""Which addresses belong to a staging: the double's own door, or AWS; never both."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.staging import Staging

# Of AWS's partitions, as botocore's endpoints.json has them.
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")


def of(staging: Staging) -> Callable[[str], bool]:
    """Return how to tell the staging's addresses from others, by the address of one of its own clients."""
    own = str(staging.aws("sts").meta.endpoint_url)
    if not is_loopback(own):
        return is_aws

    def is_own(url: str) -> bool:
        return urlsplit(url).netloc == urlsplit(own).netloc

    return is_own


def is_aws(url: str) -> bool:
    """Tell whether the address is one of AWS's own, and encrypted."""
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(_AWS)


def is_loopback(url: str) -> bool:
    """Tell whether the address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
