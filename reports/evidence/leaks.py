"""What may enter a bundle, and a last look for secrets: a sealed one cannot be taken out again.

First an allow-list of files; logs, whose lines anybody may write, are not on it. Then every file is searched
for the secrets that this machine knows, as they are and as programs write them down, and for what looks like
one.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_ALLOWED = re.compile(
    r"record\.json|record\.schema\.json|report\.html|chart\.(svg|csv)|lost\.csv|junit\.xml"
    r"|drill\.json|plan\.json|(objectives|catalogue)\.py|experiment\.yaml|journal\.json|ledger\.jsonl|calls\.jsonl"
    r"|reconciliation\.json|instrument\.json|runbook-[a-z_]+\.md|allure-results/[\w.-]+\.(json|svg|csv|properties)"
    r"|history/((events|final|receipts)\.jsonl|requests-[\w-]+\.(jsonl|chain))"
)
_BY_THE_LOAD = re.compile(r"history/(requests-.*|final\.jsonl)")  # fixed columns, in which no secret fits
_PATTERNS = {
    "a private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "an AWS access key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|aws_secret_access_key|aws_session_token",
    "an AWS signature": rb"X-Amz-(?:Signature|Security-Token)|AWS4-HMAC-SHA256",
    "an Authorization header": rb"[Aa]uthorization['\"\\]*: *['\"\\]*(?:Bearer|Basic) ",
    "a password in an address": rb"\b[a-z][a-z0-9+]{2,}://[^\s:/@'\"<>]+:[^\s/@'\"<>]+@",
    "a password": rb"(?i)\b(?:password|passwd|pgpassword)['\"\\]* *[:=] *['\"\\]*[^\s'\"\\,;&<>]{6,}",
    "a secret's value": rb"SecretString|SecretBinary",
    "a token": rb"\bgh[pousr]_[A-Za-z0-9]{36}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}",
}
_LOOKS_LIKE = {what: re.compile(pattern) for what, pattern in _PATTERNS.items()}
_PART_MIN = 10  # what is shorter may stand anywhere by chance
_CODE = {"objectives.py", "catalogue.py"}  # ours, as they stand in the repository


def leaks(folder: Path, secrets: Collection[str]) -> Iterator[str]:
    """Yield what must not be sealed, by the name of the file; never what the secret is."""
    known = {form for secret in secrets for form in forms(secret)}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink()):
        name = path.relative_to(folder).as_posix()
        if not _ALLOWED.fullmatch(name):
            yield f"{name} has no place in a bundle"
        elif path.is_file() and not _BY_THE_LOAD.fullmatch(name):
            yield from (f"{name} holds {what}" for what in _found(path.read_bytes(), known, name))


def forms(secret: str) -> set[bytes]:
    """Return a secret as it is, and as programs write it down."""
    plain = secret.encode()
    escaped = json.dumps(secret)[1:-1]
    texts = {
        secret, escaped, json.dumps(escaped)[1:-1], repr(secret)[1:-1], quote(secret, safe=""), quote(secret),
        quote_plus(secret), plain.hex(), plain.hex().upper(),
    }  # fmt: skip
    # in the middle of something longer, base64 shifts by one or two bytes
    shifted = {_inner(base64.b64encode(b"\0" * shift + plain)) for shift in range(3)}
    shifted |= {_inner(base64.urlsafe_b64encode(b"\0" * shift + plain)) for shift in range(3)}
    return {text.encode() for text in texts} | {part for part in shifted if len(part) >= _PART_MIN}


def _inner(encoded: bytes) -> bytes:
    """Return the part of base64 that does not depend on what stands before and after."""
    return encoded[4:-4]


def _found(content: bytes, known: Collection[bytes], name: str) -> Iterator[str]:
    if any(form in content for form in known):
        yield "a secret of this machine"
    if name not in _CODE:
        yield from (f"what looks like {what}" for what, looks in _LOOKS_LIKE.items() if looks.search(content))
