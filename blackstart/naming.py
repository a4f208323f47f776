"""Which resources a call of AWS is about, by the way AWS names its parameters.

A parameter that may name a resource counts as one that does: what is not known here can only be refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# AWS Backup takes the metadata of a restore in any spelling of its keys: "dbClusterIdentifier" is one, too.
_IDENTIFIER = re.compile(r"((?i:identifier|arn)s?|(Id|ID)s?|Names?)$|^(task|tasks|service|services|Bucket)$")
# ... but for what a call only uses (credentials, roles, keys, settings, what repeats a call safely), gives as
# a new name, which nothing bears yet, or says of a DNS record that it names otherwise.
_USED = re.compile(
    r"^(New.*|secretArn|.*RoleArn|.*RoleARN|.*K(ms|MS)KeyId|.*IAMRoleName|VpcSecurityGroupIds|.*TransactionId|transactionId"
    r"|IdempotencyToken|ClientToken|RequestId|ClientRequestId|AttributeName|DatabaseName|OptionGroupName"
    r"|.*ParameterGroupName|AliasTarget|SetIdentifier|HealthCheckId|TrafficPolicyInstanceId|CidrRoutingConfig)$"
)
_SCOPE = "cluster"
_DEFAULT = "default"  # the cluster of ECS that a call without any is about


def identifiers(params: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the resources that a call is about, by top-level parameter."""
    found = {name: tuple(strings(value)) for name, value in params.items() if _names(name)}
    return {name: values for name, values in found.items() if values}


def about(params: Mapping[str, Any]) -> set[str]:
    """Return every resource that a call is about, also deep in its parameters: each must be named."""
    return set(_deep(params))


def scopes(service: str, params: Mapping[str, Any]) -> set[str]:
    """Return what must hold the resources of a call, which mean others elsewhere: clusters of ECS."""
    given = set(strings(params.get(_SCOPE)))
    return given or ({_DEFAULT} if service == "ecs" else set())


def lies_in(arn: str, scope: str) -> bool:
    """Tell whether the resource of this ARN is one of the cluster's, given by its name or ARN."""
    name = scope.rpartition("/")[2]
    there = not scope.startswith("arn:") or scope.split(":")[:5] == arn.split(":")[:5]
    return there and f"/{name}/" in arn


def strings(value: Any) -> Iterator[str]:
    """Yield every string in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)


def _deep(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if _names(name):
                yield from strings(inner)
            elif not _USED.match(name):
                yield from _deep(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _deep(inner)


def _names(parameter: str) -> bool:
    return bool(_IDENTIFIER.search(parameter)) and not _USED.match(parameter)
