"""What a person says of a sealed bundle, as a statement of its own, signed by that person's key.

It lies beside the seal, in `sign-offs/`, and in the run ledger: the bundle itself stays as it was sealed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from reports.evidence import keys, statement
from reports.evidence.sums import PUBLIC_KEY, SEAL, SIGN_OFFS, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reports.evidence.keys import Signer

KIND = "https://blackstart.invalid/sign-off/v1"  # a name, not an address
DECISIONS = ("accepted", "rejected", "noted")


@dataclass(frozen=True, kw_only=True)
class SignOff:
    """One person's word on a bundle."""

    name: str
    role: str
    independent: bool  # of those who designed and ran the drill
    decision: str  # one of DECISIONS
    remarks: str
    at_utc: str
    seal_sha256: str  # of the bundle that it is about
    signer: str = ""  # fingerprint of the person's key


class BadSignOff(Exception):
    """It cannot be written, or is none."""


def write(folder: Path, word: SignOff, signer: Signer) -> Path:
    """Add a sign-off to a sealed bundle; return its file. Raises BadSignOff."""
    if not (folder / SEAL).is_file():
        raise BadSignOff(f"{folder.name} is not sealed: there is nothing to sign off")
    if word.decision not in DECISIONS or not word.name.strip() or not word.role.strip():
        raise BadSignOff(f"a sign-off needs a name, a role and one of: {', '.join(DECISIONS)}")
    if word.independent and keys.fingerprint(signer.public_pem) in sealed_by(folder):
        raise BadSignOff("whoever holds the key that sealed the drill is not independent of it")
    (folder / SIGN_OFFS).mkdir(exist_ok=True)
    number = len(list((folder / SIGN_OFFS).iterdir())) + 1
    told = {**asdict(word), "signer": keys.fingerprint(signer.public_pem)}
    predicate = {**told, "public_key": signer.public_pem.decode("ascii")}
    path = folder / SIGN_OFFS / f"{number:04}.dsse.json"
    with path.open("xb") as file:
        file.write(statement.seal(statement.statement(KIND, predicate, {SEAL: word.seal_sha256}), signer))
    return path


def sign_offs(folder: Path) -> Iterator[tuple[str, SignOff | str]]:
    """Yield each sign-off with its file's name, or in words what is wrong with it."""
    if not (folder / SIGN_OFFS).is_dir():
        return
    for path in sorted((folder / SIGN_OFFS).iterdir()):
        name = f"{SIGN_OFFS}/{path.name}"
        try:
            yield name, read(path)
        except BadSignOff as error:
            yield name, str(error)


def read(path: Path) -> SignOff:
    """Read one sign-off and check its own signature. Raises BadSignOff."""
    try:
        told, predicate, signer = statement.with_its_key(path.read_bytes())
        word = SignOff(**predicate)
        known = word.signer == signer and told["predicateType"] == KIND
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadSignOff(f"cannot be read: {error}") from error
    except (statement.BadEnvelope, keys.BadKey) as error:
        raise BadSignOff(str(error)) from error
    if not known or told["subject"] != [{"name": SEAL, "digest": {"sha256": word.seal_sha256}}]:
        raise BadSignOff("does not say of one bundle what its signer signed")
    return word


def sealed_by(folder: Path) -> set[str]:
    """Return the fingerprints of the keys that sealed this bundle, and those in it. Raises BadKey."""
    return {keys.fingerprint(path.read_bytes()) for path in folder.rglob(PUBLIC_KEY)}


def seal_of(folder: Path) -> str:
    """Return the hash of a bundle's seal."""
    return sha256(folder / SEAL)
