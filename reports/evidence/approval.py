"""One person's leave for another to run a drill: signed, for these targets and promises, until a moment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reports.evidence import keys, statement

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from reports.evidence.keys import Signer

KIND = "https://blackstart.invalid/approval/v1"  # a name, not an address
_SUBJECT = "plan"
_BYTES_MAX = 100_000


class BadApproval(Exception):
    """It is none, or not for this; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who somebody is to this machine, to AWS, and by a key."""

    user: str
    aws: str  # ARN of the identity
    key: str  # fingerprint


@dataclass(frozen=True, kw_only=True)
class Approval:
    """What was approved, by whom, until when."""

    drill: str
    account: str
    plan: str  # hash, see `blackstart.planning.fingerprint`
    expires_utc: str
    name: str  # of the person, as he writes it
    user: str
    aws: str
    signer: str = ""  # fingerprint of the person's key


def write(path: Path, given: Approval, signer: Signer) -> None:
    """Sign an approval and keep it there, in place of an earlier one. Raises BadApproval."""
    if not given.name.strip():
        raise BadApproval("whoever approves has a name")
    told = {**asdict(given), "signer": keys.fingerprint(signer.public_pem)}
    predicate = {**told, "public_key": signer.public_pem.decode("ascii")}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(statement.seal(statement.statement(KIND, predicate, {_SUBJECT: given.plan}), signer))


def read(path: Path) -> Approval:
    """Read an approval and check its own signature. Raises BadApproval."""
    if not path.is_file():
        raise BadApproval("there is none; somebody else gives it with `blackstart approve`")
    if path.stat().st_size > _BYTES_MAX:
        raise BadApproval(f"longer than {_BYTES_MAX} bytes, which no approval is")
    try:
        told, predicate, signer = statement.with_its_key(path.read_bytes())
        given = Approval(**predicate)
        known = given.signer == signer and told["predicateType"] == KIND
        whole = told["subject"] == [{"name": _SUBJECT, "digest": {"sha256": given.plan}}]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadApproval(f"cannot be read: {error}") from error
    except (statement.BadEnvelope, keys.BadKey) as error:
        raise BadApproval(str(error)) from error
    if not known or not whole or not all(isinstance(value, str) for value in asdict(given).values()):
        raise BadApproval("does not say of one plan what its signer signed")
    return given


def check(
    given: Approval, *, wanted: str, account: str, drill: str, approvers: Collection[str], executor: Person
) -> None:
    """Raise BadApproval unless it is for this plan, now, by an approver who is not the executor."""
    if (given.drill, given.account) != (drill, account):
        raise BadApproval(f"it is for {given.drill} in account {given.account}")
    if given.signer not in approvers:
        raise BadApproval(f"{given.name} signed it with key {given.signer[:16]}..., which is no approver's")
    if given.signer == executor.key or given.user == executor.user or given.aws == executor.aws:
        raise BadApproval(f"{given.name} would approve what he runs himself: another person must")
    if _expiry(given) <= datetime.now(UTC):
        raise BadApproval(f"it expired at {given.expires_utc}")
    if given.plan != wanted:
        raise BadApproval("targets, calls, promises or the experiment have changed since it was given")


def _expiry(given: Approval) -> datetime:
    try:
        moment = datetime.fromisoformat(given.expires_utc)
    except ValueError as error:
        raise BadApproval(f"{given.expires_utc!r} is no moment") from error
    if moment.tzinfo is None:
        raise BadApproval(f"{given.expires_utc!r} names no offset from UTC")
    return moment
