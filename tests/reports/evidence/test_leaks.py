"""Nothing that is not on the list enters a bundle, and no secret in any form that programs give it."""

from __future__ import annotations

import base64
import json
import random
import string
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from reports.evidence.leaks import leaks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEED = 20261123
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "in JSON": lambda s: json.dumps({"x": s}),
    "in JSON in JSON": lambda s: json.dumps({"x": json.dumps({"y": s})}),
    "in Python": lambda s: repr({"x": s}),
    "in an address": lambda s: quote(s, safe=""),
    "in a path": lambda s: quote(s, safe="/"),
    "in base64": lambda s: base64.b64encode(s.encode()).decode(),
    "in a Basic header": lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
    "in hex": lambda s: s.encode().hex(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_known_secret_is_found_in_every_form(tmp_path: Path, form: str) -> None:
    chance = random.Random(SEED)  # noqa: S311 - canaries, not secrets
    alphabet = string.ascii_letters + string.digits + "/+=\"'\\$&%"
    missed = []
    for length in (16, 20, 40) * 40:
        secret = "".join(chance.choices(alphabet, k=length))
        (tmp_path / "journal.json").write_text(f"before {FORMS[form](secret)} after")
        if not any("a secret of this machine" in leak for leak in leaks(tmp_path, {secret})):
            missed.append(secret)

    assert missed == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("postgres://bank:hunter22@db/ledger", "a password in an address"),
        ("{'password': 'hunter22'}", "a password"),
        ("PGPASSWORD=hunter22 psql", "a password"),
        ('{\\"Authorization\\": \\"Bearer abc\\"}', "an Authorization header"),
        ("ASIAIOSFODNN7EXAMPLE", "an AWS access key"),
        ("X-Amz-Signature=00ff", "an AWS signature"),
        ('"SecretString": "..."', "a secret's value"),
        (f"ghp_{'a' * 36}", "a token"),
    ],
)
def test_what_looks_like_a_secret_is_found_and_not_told(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "journal.json").write_text(text)

    assert list(leaks(tmp_path, ())) == [f"journal.json holds what looks like {what}"]


@pytest.mark.parametrize("name", ["load.log", "core.1234", ".env", "history/raw.txt", "journal.json.bak"])
def test_what_is_not_on_the_list_has_no_place(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("harmless")

    assert list(leaks(tmp_path, ())) == [f"{name} has no place in a bundle"]


def test_names_of_secrets_are_no_secrets(tmp_path: Path) -> None:
    harmless = {"secret": "ledger/password", "password": "", "url": "https://bank.example/pay?x=1:2@3"}
    (tmp_path / "journal.json").write_text(json.dumps(harmless))

    assert list(leaks(tmp_path, {"s3cretvalue"})) == []
