"""The same claim for machines: in-toto statements in signed DSSE envelopes, for a test and for a sign-off."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from reports.evidence import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reports.evidence.keys import Signer
    from reports.record import Record

TEST = "https://in-toto.io/attestation/test-result/v0.1"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PAYLOAD = "application/vnd.in-toto+json"
_IN_TOTO = {"PASSED": "PASSED", "UNKNOWN": "WARNED", "FAILED": "FAILED"}  # in-toto knows no "unknown"


class BadEnvelope(Exception):
    """Not an envelope that we wrote, or not signed by its key."""


def test_result(record: Record, hashes: Mapping[str, str], subject: Mapping[str, str]) -> dict[str, Any]:
    """Return the statement on a drill: `subject` is what it is about, `hashes` are those of all its files."""
    promises = record["preconditions"] + record["objectives"]
    ended = [(promise["name"], promise["verdict"]) for promise in promises]
    configuration = [
        {"name": name, "digest": {"sha256": hashes[name]}}
        for name in ("plan.json", "experiment.yaml", "objectives.py", "catalogue.py")
        if name in hashes
    ]
    return tests_ended(record["verdict"], ended, configuration, subject)


def tests_ended(
    verdict: str, ended: Iterable[tuple[str, str]], configuration: list[dict[str, Any]],
    subject: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Return the statement on tests, each by name and verdict, that rest on some configuration."""
    named: dict[str, list[str]] = {word: [] for word in _IN_TOTO}
    for name, of_one in ended:
        named[of_one].append(name)
    predicate = {
        "result": _IN_TOTO[verdict], "configuration": configuration,
        "passedTests": named["PASSED"], "warnedTests": named["UNKNOWN"], "failedTests": named["FAILED"],
    }  # fmt: skip
    return statement(TEST, predicate, subject)


def statement(kind: str, predicate: Mapping[str, Any], subject: Mapping[str, str]) -> dict[str, Any]:
    """Return a statement about files, given by name and hash."""
    return {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subject.items()],
        "predicateType": kind,
        "predicate": dict(predicate),
    }


def seal(told: Mapping[str, Any], signer: Signer) -> bytes:
    """Return the statement in a signed envelope."""
    content = json.dumps(told, separators=(",", ":")).encode()
    signature = signer.sign(_pre_authentication(content))
    return _text(
        {
            "payload": _base64(content),
            "payloadType": _PAYLOAD,
            "signatures": [{"keyid": keys.fingerprint(signer.public_pem), "sig": _base64(signature)}],
        }
    )


def unseal(envelope: bytes, public_pem: bytes) -> dict[str, Any]:
    """Return the statement inside. Raises BadEnvelope unless the owner of the key signed every byte of it."""
    try:
        outer = json.loads(envelope)
        (signature,) = outer["signatures"]
        content = payload(envelope)
        told = json.loads(content)
        is_ours = keys.is_signed(
            public_pem, base64.b64decode(signature["sig"], validate=True), _pre_authentication(content)
        )
        known = signature["keyid"] == keys.fingerprint(public_pem) and outer["payloadType"] == _PAYLOAD
        known = known and set(outer) == {"payload", "payloadType", "signatures"}
        known = known and set(signature) == {"keyid", "sig"}
        again = {**outer, "payload": _base64(content), "signatures": [_again(signature)]}
    except (ValueError, KeyError, TypeError) as error:
        raise BadEnvelope(f"not an envelope: {error}") from error
    if not is_ours:
        raise BadEnvelope("the signature is not that of the key")
    # JSON and base64 have room for bytes that mean nothing: one form only
    if not known or _text(again) != envelope:
        raise BadEnvelope("not written as we write envelopes")
    if not isinstance(told, dict) or told.get("_type") != _STATEMENT:
        raise BadEnvelope("it holds no in-toto statement")
    return told


def with_its_key(envelope: bytes) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return a statement that brings its signer's key, its predicate without that key, the fingerprint.

    Raises BadEnvelope and BadKey, and what Python raises at content of other kinds than ours.
    """
    pem = json.loads(payload(envelope))["predicate"]["public_key"].encode("ascii")
    told = unseal(envelope, pem)
    predicate = dict(told["predicate"])
    del predicate["public_key"]
    return told, predicate, keys.fingerprint(pem)


def payload(envelope: bytes) -> bytes:
    """Return what an envelope holds, unchecked: only good for finding the key to check it with."""
    return base64.b64decode(json.loads(envelope)["payload"], validate=True)


def _again(signature: Mapping[str, str]) -> dict[str, str]:
    return {**signature, "sig": _base64(base64.b64decode(signature["sig"]))}


def _pre_authentication(content: bytes) -> bytes:
    """Return what DSSE signs: type and payload, each with its length before it."""
    kind = _PAYLOAD.encode()
    return b" ".join((b"DSSEv1", str(len(kind)).encode(), kind, str(len(content)).encode(), content))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _text(envelope: Mapping[str, Any]) -> bytes:
    return (json.dumps(envelope, indent=1) + "\n").encode("ascii")
