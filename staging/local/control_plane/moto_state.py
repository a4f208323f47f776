"""moto's state of the account: the same objects that its own request handlers read and write."""

from __future__ import annotations

from typing import Any

from moto.backends import get_backend

from staging.local.control_plane.platform import ACCOUNT, REGION

_GLOBAL = ("s3", "sts", "iam", "route53")


def backend(service: str, region: str = REGION) -> Any:
    """Return the state of a service in a region, named as moto's packages are: "ec2", "elbv2"."""
    return get_backend(service)[ACCOUNT]["aws" if service in _GLOBAL else region]
