"""A real AWS account as staging. Written against botocore's service models; not yet run on AWS.

Configured by a small YAML file:

    name: fintech-staging
    account: "111122223333"     # the only one that is allowed: the credentials must belong to it
    region: us-east-1
    base_url: https://bank.staging.example.com
    profile: staging-drills     # optional; a profile of the AWS configuration
    safeguards: ...             # optional; see staging/safeguards.py

and by the owner's rules (see `blackstart.rules`), all of them optional:

    regions: [us-west-2]        # beside its own, for restores into another one
    limits: {targets: 12, share: 0.5, seconds: 3600}
    destruction: false          # whether faults may destroy what only a backup brings back
    region_loss: false          # whether faults may take the whole region, and every zone with it
    approvers: [...]            # fingerprints; when there are any, every drill needs an approval
    calendar:
      windows: [{days: [tue, wed, thu], from: "09:00", to: "16:00", zone: Europe/Berlin}]
      freezes: [{from: "2026-12-18T00:00:00+01:00", to: "2027-01-07T00:00:00+01:00", why: end of year}]
    change_calendars: [...]     # of SSM Change Calendar, names or ARNs
    prices_per_hour: {Aurora instance: 0.29}
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import yaml
from botocore.exceptions import BotoCoreError

from blackstart import reach, rules
from blackstart.context import NoStaging
from blackstart.rules import BadRules, Rules
from blackstart.staging import Facts
from staging import aws_traps, safeguards

if TYPE_CHECKING:
    from collections.abc import Collection

    from blackstart.staging import AnyPower, Safeguards

_REQUIRED = {
    "name": r"[a-z0-9][a-z0-9-]*",
    "account": r"\d{12}",
    "region": rules.REGION.pattern,
    "base_url": r"https?://[^\s/]\S*",
}
_OPTIONAL = {"profile": r"\S+"}
_BYTES_MAX = 100_000
_IN_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"
# Resolved by any session of this process, from wherever: variables, profiles, caches of SSO and the CLI.
_SECRETS: set[str] = set()
_LOCAL = "local"  # what the double's ledger, lock and stop switch are kept under


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a staging file says."""

    facts: Facts
    profile: str | None
    rules: Rules
    safeguards: Safeguards


class AwsStaging:
    """One account in one region."""

    def __init__(self, written: Written) -> None:
        self.facts = written.facts
        self.rules = written.rules
        self.safeguards = written.safeguards
        # a Lambda function has no AWS configuration to find a profile in: it works as its own role
        profile = None if os.environ.get(_IN_LAMBDA) else written.profile
        self._session = boto3.Session(profile_name=profile, region_name=self.facts.region)
        aws_traps.check_session(self._session)

    def aws(self, service: str, region: str = "") -> Any:
        """Return a boto3 client of this account, in its own region or in another one."""
        client = self._session.client(service, region_name=region or self.facts.region)
        aws_traps.check_client(client)
        self._remember()
        return client

    def secrets(self) -> Collection[str]:
        """What this process has signed with so far."""
        return frozenset(_SECRETS)

    def power(self, kind: type[AnyPower]) -> AnyPower | None:  # noqa: ARG002 - of the protocol
        """Return None: AWS lets nobody do more than its API says."""
        return None

    def _remember(self) -> None:
        """Note the credentials now: when a bundle is sealed they may have been replaced, or have expired."""
        credentials = self._session.get_credentials()
        if credentials is not None:
            frozen = credentials.get_frozen_credentials()
            _SECRETS.update(value for value in (frozen.secret_key, frozen.token) if value)


def attach(home: Path, file: str) -> AwsStaging:  # noqa: ARG001 - nothing of this staging is kept on disk
    """Connect to the account that the configuration file names. Raises NoStaging."""
    aws_traps.check_environment()
    written = read(Path(file))
    try:
        return AwsStaging(written)
    except BotoCoreError as error:
        raise NoStaging(f"{file}: {' '.join(str(error).split())}") from error


def read(file: Path) -> Written:
    """Read a staging file. Raises NoStaging."""
    if file.stem == _LOCAL:
        raise NoStaging(f"{file}: a file of another name was expected: {_LOCAL!r} is the local staging")
    fields = _content(file)
    _check(file, fields)
    try:
        rule = rules.read(fields)
    except BadRules as error:
        raise NoStaging(f"{file}: {' '.join(str(error).split())}") from error
    facts = Facts(
        name=fields["name"],
        account=fields["account"],
        region=fields["region"],
        isolation="aws",
        timings="aws",
        base_url=fields["base_url"].rstrip("/"),
    )
    return Written(
        facts=facts, profile=fields.get("profile"), rules=rule, safeguards=safeguards.read(file, fields)
    )


def _content(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise NoStaging(f"{file}: there is no such staging file")
    if file.stat().st_size > _BYTES_MAX:
        raise NoStaging(f"{file}: longer than {_BYTES_MAX} bytes, which no staging file is")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NoStaging(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise NoStaging(f"{file}: a mapping with {sorted(_REQUIRED)} was expected")
    return content


def _check(file: Path, content: dict[str, Any]) -> None:
    unknown = set(content) - set(_REQUIRED) - set(_OPTIONAL) - set(rules.FIELDS) - {safeguards.FIELD}
    if unknown:
        raise NoStaging(f"{file}: unknown field {min(map(str, unknown))!r}")
    for name, pattern in {**_REQUIRED, **_OPTIONAL}.items():
        value = content.get(name)
        if value is None and name in _OPTIONAL:
            continue
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise NoStaging(f"{file}: field {name!r} is {value!r}, a string like {pattern} was expected")
    try:
        leads_here = reach.is_loopback(content["base_url"])
    except ValueError as error:  # brackets that are no IPv6 address
        raise NoStaging(f"{file}: field 'base_url': {error}") from error
    if leads_here:
        raise NoStaging(f"{file}: field 'base_url' is on this machine, where no AWS account is")
