"""The seal: a few lines that a person can read and that are signed; through them, everything is."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

_TITLE = "Blackstart seal, version 1"
_NAMES = {
    "run": "run",
    "drill": "drill",
    "verdict": "verdict",
    "sealed_utc": "sealed at",
    "code": "code",
    "files": "files",
    "sums_sha256": "sha256 of SHA256SUMS",
    "begun_as": "run ledger line",
}
_LINE = re.compile(r"([a-zA-Z0-9 ]+): (.+)")


class BadSeal(Exception):
    """The text is not a seal that we wrote."""


@dataclass(frozen=True, kw_only=True)
class Seal:
    """What is signed."""

    run: str
    drill: str
    verdict: str
    sealed_utc: str
    code: str  # git commit, "clean" or "dirty"
    files: int  # how many are in the list
    sums_sha256: str
    begun_as: str  # hash of the run ledger's line that announced the run before it started

    def text(self) -> bytes:
        """Return the seal as it is signed."""
        lines = [f"{_NAMES[name]}: {value}" for name, value in asdict(self).items()]
        return "\n".join([_TITLE, *lines, ""]).encode("ascii")


def parse(text: bytes) -> Seal:
    """Read a seal. Raises BadSeal unless it is, byte by byte, what `Seal.text` would write."""
    fields = {name: field for field, name in _NAMES.items()}
    try:
        title, *lines = text.decode("ascii").split("\n")
        found = {fields[match[1]]: match[2] for match in map(_LINE.fullmatch, lines[:-1]) if match}
        seal = Seal(**{**found, "files": int(found["files"])})  # type: ignore[arg-type]
    except (ValueError, KeyError, TypeError) as error:
        raise BadSeal(f"not a seal: {error}") from error
    if title != _TITLE or seal.text() != text:
        raise BadSeal("not written as we write seals")
    return seal
