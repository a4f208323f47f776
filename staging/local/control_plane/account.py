"""The one account and region of the local staging, and moto's state of them."""

from __future__ import annotations

from typing import Any

from moto.backends import get_backend

ACCOUNT = "123456789012"  # moto's own default
REGION = "us-east-1"
ZONES = (f"{REGION}a", f"{REGION}b")
_GLOBAL = ("s3", "sts", "iam")


def backend(service: str) -> Any:
    """Return moto's state of a service, named as moto's packages are: "ec2", "elbv2"."""
    return get_backend(service)[ACCOUNT]["aws" if service in _GLOBAL else REGION]


def arn(service: str, resource: str) -> str:
    """Name a resource of this account."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"
