"""The local double as everybody else sees it: an AWS account that happens to be on this machine."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from blackstart.context import NoStaging
from blackstart.rules import Rules
from staging.local import state_file
from staging.local.control_plane.platform import REGIONS, SAFEGUARDS
from staging.local.defects import Defect
from staging.local.powers import POWERS, Door

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.staging import AnyPower, Facts, Safeguards

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=15,
    # a second attempt of a call that changes something must be the caller's decision
    retries={"mode": "standard", "total_max_attempts": 1},
    s3={"addressing_style": "path"},
    # a dictionary without "http": any proxy of the environment would be asked for loopback as well
    proxies={"unused": ""},
)
_SQL = Config(read_timeout=60)  # the Data API itself ends a statement after 45 s
# No file, profile or variable of the user's has a say: name in the file, variable, default, conversion.
_NOBODY = (None, None, None, None)
# The double may lose whatever it has: only what no drill should ever do is forbidden.
RULES = Rules(regions=REGIONS, targets_max=40, share_max=0.9, seconds_max=7200.0, region_loss=True)
# A service that is all Spot loses all of its tasks at once: the defect is there to show what that costs.
_ALL_ON_SPOT = replace(RULES, share_max=1.0)


def attach(home: Path, name: str) -> LocalStaging:
    """Connect to the local staging kept below `home`. Raises NoStaging when none runs."""
    return LocalStaging.attach(home / name)


class LocalStaging:
    """Implements `blackstart.staging.Staging` for one running local double."""

    def __init__(self, facts: Facts, endpoint: str, rule: Rules = RULES) -> None:
        host = urlsplit(endpoint).hostname
        if host is None or not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the endpoint of a local staging must be on loopback, not {endpoint}")
        self.rules = rule
        self._facts = facts
        self._endpoint = endpoint
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}

    @classmethod
    def attach(cls, state_dir: Path) -> LocalStaging:
        """Connect to the staging that runs there. Raises NoStaging when none does."""
        state = state_file.read(state_dir)
        if state is None or state.host.living() is None or state.facts is None:
            raise NoStaging(f"no local staging runs in {state_dir}: start one with `blackstart up`")
        rule = _ALL_ON_SPOT if Defect.NO_ON_DEMAND_BASE in state.facts.defects else RULES
        return cls(state.facts, state.aws_endpoint, rule)

    @property
    def facts(self) -> Facts:
        """What the record says of this staging."""
        return replace(self._facts)

    @property
    def safeguards(self) -> Safeguards:
        """What keeps drills safe beyond this machine; here, beyond this home."""
        return SAFEGUARDS

    @property
    def endpoint(self) -> str:
        """Where the AWS API answers."""
        return self._endpoint

    def aws(self, service: str, region: str = "") -> Any:
        """Return a boto3 client that reaches this staging and nothing else, whatever the user's AWS setup."""
        if (service, region) not in self._clients:
            self._clients[service, region] = self._fresh_session().client(
                service, region or self._facts.region, endpoint_url=self._endpoint,
                config=_CONFIG.merge(_SQL) if service == "rds-data" else _CONFIG,
            )  # fmt: skip
        return self._clients[service, region]

    def power(self, kind: type[AnyPower]) -> AnyPower | None:
        """Return what the double can do beyond the AWS API, None for what it cannot."""
        power = POWERS.get(kind)
        return power(Door(self._endpoint)) if power else None

    def _fresh_session(self) -> Any:
        if self._session is None:
            blind = botocore.session.Session(
                session_vars=dict.fromkeys(
                    ("profile", "config_file", "credentials_file", "ca_bundle"), _NOBODY
                )
            )
            self._session = boto3.Session(
                botocore_session=blind,
                aws_access_key_id="local-staging",
                aws_secret_access_key="local-staging",  # noqa: S106 - the double checks no signature
                region_name=self._facts.region,
            )
        return self._session
