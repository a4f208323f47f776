"""A real AWS account as staging. Written against botocore's service models; not yet run on AWS.

Configured by a small YAML file:

    name: fintech-staging
    account: "111122223333"     # the credentials must belong to it, or nothing happens
    region: us-east-1
    base_url: https://bank.staging.example.com
    profile: staging-drills     # optional; a profile of the AWS configuration
    safeguards: ...             # optional; see staging/safeguards.py
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import yaml

from blackstart.context import NoStaging
from blackstart.staging import Facts
from staging import safeguards

if TYPE_CHECKING:
    from blackstart.staging import AnyPower, Safeguards

_REQUIRED = {
    "name": r"[a-z0-9][a-z0-9-]*",
    "account": r"\d{12}",
    "region": r"[a-z]{2}(-[a-z]+)+-\d",
    "base_url": r"https?://\S+",
}
_OPTIONAL = {"profile": r"\S+"}


class AwsStaging:
    """One account in one region."""

    def __init__(self, facts: Facts, profile: str | None, guarded_by: Safeguards) -> None:
        self.facts = facts
        self.safeguards = guarded_by
        self._session = boto3.Session(profile_name=profile, region_name=facts.region)

    def aws(self, service: str, region: str = "") -> Any:
        """Return a boto3 client of this account, in its own region or in another one."""
        return self._session.client(service, region_name=region or self.facts.region)

    def power(self, kind: type[AnyPower]) -> AnyPower | None:  # noqa: ARG002 - of the protocol
        """Return None: AWS lets nobody do more than its API says."""
        return None


def attach(home: Path, file: str) -> AwsStaging:  # noqa: ARG001 - nothing of this staging is kept on disk
    """Connect to the account that the configuration file names. Raises NoStaging."""
    _refuse_redirection()
    fields = _read(Path(file))
    facts = Facts(
        name=fields["name"],
        account=fields["account"],
        region=fields["region"],
        isolation="aws",
        timings="aws",
        base_url=fields["base_url"].rstrip("/"),
    )
    return AwsStaging(facts, fields.get("profile"), safeguards.read(Path(file), fields))


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise NoStaging(f"{file}: there is no such staging file")
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise NoStaging(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise NoStaging(f"{file}: a mapping with {sorted(_REQUIRED)} was expected")
    _check(file, content)
    return content


def _check(file: Path, content: dict[str, Any]) -> None:
    unknown = set(content) - set(_REQUIRED) - set(_OPTIONAL) - {safeguards.FIELD}
    if unknown:
        raise NoStaging(f"{file}: unknown field {min(map(str, unknown))!r}")
    for name, pattern in {**_REQUIRED, **_OPTIONAL}.items():
        value = content.get(name)
        if value is None and name in _OPTIONAL:
            continue
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise NoStaging(f"{file}: field {name!r} is {value!r}, a string like {pattern} was expected")


def _refuse_redirection() -> None:
    """A drill meant for AWS must not go to another endpoint because of a variable somebody left behind."""
    redirected = sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))
    if redirected:
        raise NoStaging(f"{redirected[0]} is set: AWS calls would go elsewhere. Unset it first")
