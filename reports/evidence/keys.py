"""Who signs: ECDSA P-256 with SHA-256, a key in a file or in KMS, so that plain `openssl dgst` can verify it.

A public key is known by its fingerprint, the SHA-256 of its DER form in hexadecimal. The key inside a bundle
is for transport only: whoever verifies must have been told the fingerprint by other means.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

if TYPE_CHECKING:
    from pathlib import Path

_SHA256 = ec.ECDSA(hashes.SHA256())
KMS_MESSAGE_MAX = 4096  # bytes that KMS signs as they are; beyond, it wants a digest


class BadKey(Exception):
    """This is not a P-256 key in the form that we write."""


class Signer(Protocol):
    """Whoever can sign."""

    @property
    def public_pem(self) -> bytes:
        """The public key."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature over the message, in DER."""


@dataclass(frozen=True)
class LocalKey:
    """A key in a file that only its owner may read."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def at(cls, path: Path) -> LocalKey:
        """Read the key; make it when there is none. Raises BadKey."""
        if not path.exists():
            _make(path)
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise BadKey(f"{path}: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise BadKey(f"{path}: not a P-256 key")
        return cls(key)

    @property
    def public_pem(self) -> bytes:
        """The public key."""
        return _pem(self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        """Return the signature over the message, in DER."""
        return self.key.sign(message, _SHA256)


@dataclass(frozen=True)
class KmsKey:
    """A key that never leaves AWS KMS; each use of it is in CloudTrail."""

    kms: Any
    key_id: str

    @property
    def public_pem(self) -> bytes:
        """The public key, as KMS tells it."""
        try:
            key = load_der_public_key(self.kms.get_public_key(KeyId=self.key_id)["PublicKey"])
        except (BotoCoreError, ClientError) as error:
            raise BadKey(f"KMS has no public key {self.key_id}: {error}") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise BadKey(f"{self.key_id}: not a P-256 key")
        return _pem(key)

    def sign(self, message: bytes) -> bytes:
        """Have KMS sign the message. Raises BadKey when it is too long to be signed as it is."""
        if len(message) > KMS_MESSAGE_MAX:
            raise BadKey(f"KMS signs at most {KMS_MESSAGE_MAX} bytes as they are, not {len(message)}")
        try:
            answer = self.kms.sign(
                KeyId=self.key_id, Message=message, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256"
            )
        except (BotoCoreError, ClientError) as error:
            raise BadKey(f"KMS does not sign with {self.key_id}: {error}") from error
        return bytes(answer["Signature"])


def fingerprint(pem: bytes) -> str:
    """Return a public key's fingerprint. Raises BadKey."""
    der = _public(pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def is_signed(pem: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether the key's owner signed this message. Raises BadKey."""
    try:
        _public(pem).verify(signature, message, _SHA256)
    except InvalidSignature:
        return False
    return True


def _public(pem: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(f"not a public key: {error}") from error
    # PEM has room for bytes that mean nothing: one form only, so that none of them can be changed
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey("not a P-256 key")
    if _pem(key) != pem:
        raise BadKey("not written as we write keys")
    return key


def _pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(pem)
