"""Whether a policy allows an action: as much of IAM's evaluation as our own policies need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Policy = dict[str, Any]

_WILD = re.compile(r"[*?]|[^*?]+")


def permits(allowed: Policy, action: str, arn: str, facts: Mapping[str, str]) -> bool:
    """Tell whether the policy allows this action on this resource; `facts` are known condition keys."""
    matching = [s for s in allowed["Statement"] if _concerns(s, action, arn) and _holds(s, facts)]
    return bool(matching) and all(statement["Effect"] == "Allow" for statement in matching)


def matches(patterns: str | list[str], value: str) -> bool:
    """Tell whether a pattern of IAM (`*`, `?`), or one of several, is the value or includes it."""
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(re.fullmatch(_WILD.sub(_as_regex, pattern), value) for pattern in listed)


def _concerns(statement: Mapping[str, Any], action: str, arn: str) -> bool:
    return matches(statement["Action"], action) and matches(statement["Resource"], arn)


def _holds(statement: Mapping[str, Any], facts: Mapping[str, str]) -> bool:
    """Tell whether the conditions hold. Where a key is not known, an Allow holds and a Deny does not."""
    allows = statement["Effect"] == "Allow"
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            if key not in facts:
                if not allows:
                    return False
                continue
            values = [wanted] if isinstance(wanted, str) else wanted
            if operator == "StringEquals" and facts[key] not in values:
                return False
    return True


def _as_regex(part: re.Match[str]) -> str:
    return {"*": ".*", "?": "."}.get(part[0]) or re.escape(part[0])
