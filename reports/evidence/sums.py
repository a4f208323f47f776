"""The list of a bundle's files with their hashes, as `sha256sum` has it, and what departs from it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUMS = "SHA256SUMS"
SEAL, SIGNATURE, PUBLIC_KEY, STATEMENT = "SEAL.txt", "SEAL.txt.sig", "signer.pub.pem", "attestation.dsse.json"
SIGN_OFFS = "sign-offs"
SIDE = frozenset((SUMS, SEAL, SIGNATURE, PUBLIC_KEY, STATEMENT))  # they carry signatures, or what is signed
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._/+@=-]+)")
_NAME = re.compile(r"[A-Za-z0-9._/+@=-]+")
_SIGN_OFF = re.compile(rf"{SIGN_OFFS}/[0-9]{{4}}\.dsse\.json")
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One way in which a bundle is not what it says: which check found it, where, and what it is."""

    check: str
    where: str
    what: str


class BadSums(Exception):
    """The list is not one that we wrote."""


def sha256(path: Path) -> str:
    """Return the hash of a file, however large."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def is_name(name: str) -> bool:
    """Tell whether a file or folder may be called so: what `sha256sum` writes down without a backslash."""
    return bool(_NAME.fullmatch(name)) and "/" not in name


def is_side(name: str) -> bool:
    """Tell whether a file stands beside the list: what is signed by itself cannot be in it."""
    return name in SIDE or bool(_SIGN_OFF.fullmatch(name))


def listing(folder: Path) -> str:
    """Return the list of all files but those beside it. Raises BadSums for what cannot be in one."""
    wrong = list(oddities(folder))
    if wrong:
        raise BadSums(f"{wrong[0].where}: {wrong[0].what}")
    names = sorted(name for name in _files(folder) if not is_side(name))
    return "".join(f"{sha256(folder / name)}  {name}\n" for name in names)


def parse(text: bytes) -> dict[str, str]:
    """Return hash by name. Raises BadSums."""
    listed: dict[str, str] = {}
    for line in text.decode("ascii", errors="replace").split("\n")[:-1]:
        match = _LINE.fullmatch(line)
        if match is None or ".." in PurePosixPath(match[2]).parts or match[2].startswith("/"):
            raise BadSums(f"not a line of the list: {line!r}")
        if match[2] in listed:
            raise BadSums(f"listed twice: {match[2]}")
        listed[match[2]] = match[1]
    if not listed or not text.endswith(b"\n"):
        raise BadSums("the list is empty, or torn")
    if list(listed) != sorted(listed):
        raise BadSums("the list is not sorted")
    return listed


def departures(folder: Path, listed: dict[str, str]) -> Iterator[Problem]:
    """Yield each file that is missing, added or changed; there must be no oddities among them."""
    there = set(_files(folder))
    for name in sorted(set(listed) - there):
        yield Problem(check="files", where=name, what="is missing")
    for name in sorted(there - set(listed)):
        if not is_side(name):
            yield Problem(check="files", where=name, what="was added: it is not in the list")
    for name in sorted(set(listed) & there):
        if is_side(name):
            yield Problem(check="files", where=name, what="cannot be in the list")
        elif sha256(folder / name) != listed[name]:
            yield Problem(check="hashes", where=name, what="was changed: its hash is not the listed one")


def oddities(folder: Path) -> Iterator[Problem]:
    """Yield whatever is neither a plain file nor a folder with files in it, or has an odd name."""
    for name in _files(folder):
        if not _NAME.fullmatch(name):
            yield Problem(check="files", where=repr(name), what="has a name that is not allowed")
        how = os.lstat(folder / name)
        if stat.S_ISLNK(how.st_mode):
            yield Problem(check="files", where=name, what="is a link, not a file")
        elif not stat.S_ISREG(how.st_mode):
            yield Problem(check="files", where=name, what="is not a plain file")
        elif how.st_nlink != 1:
            yield Problem(check="files", where=name, what="has a second name elsewhere (hard link)")
    for inner, folders, files in os.walk(folder):
        if not folders and not files and inner != str(folder):
            empty = os.path.relpath(inner, folder)
            yield Problem(check="files", where=empty, what="is an empty folder that was added")


def _files(folder: Path) -> Iterator[str]:
    """Yield the relative name of everything that is not a real folder; links are never followed."""
    for inner, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(inner, name))]  # noqa: PTH114, PTH118 - as os.walk speaks
        for name in (*files, *links):
            yield os.path.relpath(os.path.join(inner, name), folder)  # noqa: PTH118 - as os.walk speaks
