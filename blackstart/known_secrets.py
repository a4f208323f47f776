"""The secrets that this machine knows, so that no artefact of a drill holds one: never kept, never told."""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

LENGTH_MIN = 8  # what is shorter is found everywhere
_NAMES = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_KEY|_PAT$"
)
_NO_SECRET = re.compile(r"_(FILE|PATH|DIR|URI|ARN|ID|NAME)$|^BLACKSTART_")
_FIELDS = re.compile(r"secret|token|password|passphrase", re.IGNORECASE)


def known_secrets(environment: Mapping[str, str] = os.environ, *, resolved: Collection[str] = ()) -> set[str]:
    """Return the values of variables, profiles and password files that are secrets by their names.

    And those that were `resolved` otherwise: what SSO and the CLI hand out stands in no such place.
    """
    home = Path(environment.get("HOME", "~")).expanduser()
    profiles = (
        Path(environment.get("AWS_SHARED_CREDENTIALS_FILE", home / ".aws" / "credentials")),
        Path(environment.get("AWS_CONFIG_FILE", home / ".aws" / "config")),
    )
    found = {
        *resolved,
        *_of_variables(environment),
        *(value for profile in profiles for value in _of_profiles(profile)),
        *_of_passwords(Path(environment.get("PGPASSFILE", home / ".pgpass"))),
    }
    return {value for value in found if len(value) >= LENGTH_MIN}


def _of_variables(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if _NAMES.search(name.upper()) and not _NO_SECRET.search(name.upper()):
            yield value
        if "://" in value:
            yield from _of_address(value)


def _of_address(value: str) -> Iterator[str]:
    """Yield the password of `scheme://user:password@host`, as it stands there and as it is meant."""
    try:
        password = urlsplit(value).password
    except ValueError:  # no address after all
        return
    if password:
        yield password
        yield unquote(password)


def _of_profiles(path: Path) -> Iterator[str]:
    profiles = configparser.RawConfigParser(strict=False)
    try:
        profiles.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):  # boto3 could not read it either, so nobody uses it
        return
    for section in profiles.sections():
        yield from (value for name, value in profiles.items(section) if _FIELDS.search(name))


def _of_passwords(path: Path) -> Iterator[str]:
    """Yield the passwords of a PostgreSQL password file: host:port:database:user:password."""
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            yield re.split(r"(?<!\\):", line, maxsplit=4)[-1]
