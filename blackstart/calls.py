"""Which AWS calls a drill makes, on what, and as whom: written down at the choke point, once each.

One JSON line per kind of call in the drill's folder, `calls.jsonl`; policies are made from it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from blackstart.choke import Seen

CALLS = "calls.jsonl"
RECORDS = "RecordNames"  # of DNS, as IAM compares them: in small letters, without the last dot
# Part of a name that differs from run to run: AWS's random ids, those of ledger entries (and of the attempts
# that are counted behind them), of hosted zones.
_RANDOM = re.compile(
    r"(?<![A-Za-z0-9])[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}(?![A-Za-z0-9])"  # of AWS Backup's jobs
    r"|(?<![a-z0-9])(?=[0-9a-f-]*\d)[0-9a-f]{6,}(-[0-9a-f]{4,}|-\d+)*(?![a-z0-9])"
    r"|(?<![A-Za-z0-9])[A-Z0-9]{13,}(?![A-Za-z0-9])"
)
_OF_SECRET = re.compile(r"(?<=-)\w{6}$")  # that AWS adds to the name of a secret
# What the choke point does not ask about (see `naming`), and policies can tell resources apart by.
_NAMES = {"cluster", "clusters", "secretArn", "IamRoleArn", "KmsKeyId"}
_TAGS = {"Tags", "TagSpecifications", "tags"}


@dataclass(frozen=True, kw_only=True, order=True)
class Observed:
    """One kind of call; account and region are `${Account}` and `${Region}`, random parts are `*`."""

    call: str  # "rds:FailoverDBCluster", service as boto3 names it
    role: str
    region: str  # "" for the staging's own
    resources: tuple[tuple[str, tuple[str, ...]], ...]  # by parameter
    tags: bool  # whether it gives tags to what it makes
    is_change: bool

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {**asdict(self), "resources": {name: list(values) for name, values in self.resources}}

    @classmethod
    def of_json(cls, told: dict[str, object]) -> Observed:
        """Return what `to_json` returned. Raises KeyError, TypeError and ValueError."""
        resources = told["resources"]
        if not isinstance(resources, dict):
            raise TypeError("resources must be a mapping")
        named = tuple(sorted((str(name), tuple(map(str, values))) for name, values in resources.items()))
        return cls(
            call=str(told["call"]), role=str(told["role"]), region=str(told["region"]), resources=named,
            tags=bool(told["tags"]), is_change=bool(told["is_change"]),
        )  # fmt: skip


class CallLog:
    """Appends each kind of call once; O_APPEND keeps lines of several processes whole."""

    def __init__(self, path: Path, account: str, region: str) -> None:
        self._path = path
        self._account = account
        self._region = region
        self._known: set[Observed] = set()

    def note(self, seen: Seen) -> None:
        """Write a call down, if it is the first of its kind; on stderr what a full disk keeps from it."""
        observed = observe(seen, self._account, self._region)
        if observed in self._known:
            return
        self._known.add(observed)
        try:
            self._append(json.dumps(observed.to_json(), sort_keys=True).encode() + b"\n")
        except OSError as error:
            sys.stderr.write(f"{self._path.name} lacks {observed.call}: {error}\n")

    def _append(self, line: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, line)
        finally:
            os.close(file)


def observe(seen: Seen, account: str, region: str) -> Observed:
    """Return what kind of call this is."""
    named = {**_named(seen), **seen.identifiers}
    resources = {
        name: tuple(sorted({_general(value, account, region) for value in values}))
        for name, values in named.items()
    }
    return Observed(
        call=seen.name, role=seen.role, region="" if seen.region == region else seen.region,
        resources=tuple(sorted(resources.items())),
        tags=any(seen.params.get(name) for name in _TAGS), is_change=seen.is_change,
    )  # fmt: skip


def read(path: Path) -> tuple[Observed, ...]:
    """Return what a drill's folder says of its calls, in order, each once; nothing when there is no file."""
    if not path.exists():
        return ()
    lines = path.read_text().splitlines()
    return merged(Observed.of_json(json.loads(line)) for line in lines)


def merged(observed: Iterable[Observed]) -> tuple[Observed, ...]:
    """Return each kind of call once, in an order that does not depend on the run."""
    return tuple(sorted(set(observed)))


def _named(seen: Seen) -> dict[str, tuple[str, ...]]:
    found = {}
    for name in _NAMES & set(seen.params):
        value = seen.params[name]
        values = value if isinstance(value, list | tuple) else [value]
        found[name] = tuple(one for one in values if isinstance(one, str))
    changes = seen.params.get("ChangeBatch", {}).get("Changes", ())
    found[RECORDS] = tuple(one["ResourceRecordSet"]["Name"].lower().rstrip(".") for one in changes)
    return {name: values for name, values in found.items() if values}


def _general(value: str, account: str, region: str) -> str:
    value = value.replace(account, "${Account}") if account else value
    value = value.replace(f":{region}:", ":${Region}:") if region else value
    if ":secret:" in value:
        return _OF_SECRET.sub("??????", value)
    return _RANDOM.sub("*", value)
