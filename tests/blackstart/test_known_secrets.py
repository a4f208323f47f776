"""What this machine knows of secrets, and what of Chaos Toolkit's journal is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from blackstart.context import Context
from blackstart.experiment import read_journal
from blackstart.journaling import kept
from blackstart.known_secrets import known_secrets

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_variables_profiles_and_password_files_are_known_by_their_names(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[drills]\naws_access_key_id = AKIA\naws_secret_access_key = of-the-profile\n"
        "aws_session_token=session-of-it\n[drills]\nregion=eu-west-1\n"
    )
    (tmp_path / ".pgpass").write_text("db:5432:ledger:bank:of-pgpass-\\:it\n")
    variables = {
        "HOME": str(tmp_path),
        "AWS_SECRET_ACCESS_KEY": "of-the-variable",
        "GITHUB_TOKEN": "of-github",
        "DATABASE_URL": "postgres://bank:of%2Fthe-url@db/ledger",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token-file",
        "BLACKSTART_SIGNING_KEY": "kms:signing-key",
        "SHORT_TOKEN": "abc",
        "PATH": "/usr/bin:/bin",
    }

    assert known_secrets(variables) == {
        "of-the-profile", "session-of-it", "of-pgpass-\\:it", "of-the-variable", "of-github",
        "of%2Fthe-url", "of/the-url",
    }  # fmt: skip


def test_of_the_journal_only_what_is_needed_is_kept(tmp_path: Path) -> None:
    canary = "canary-7f3a"
    activity = {
        "type": "action", "name": "break it",
        "provider": {
            "type": "python", "module": "faults.x", "func": "inject",
            "arguments": {"password": canary}, "secrets": ["db"],
        },
    }  # fmt: skip
    run = {
        "activity": activity, "status": "failed", "output": {"answer": canary},
        "exception": [f"File x, line 1, password={canary}\n", "ActivityFailed: it broke\n"],
    }  # fmt: skip
    raw = {
        "chaoslib-version": "1.44.0", "experiment": {"title": "T", "configuration": {"key": canary}},
        "steady_states": {"before": {"steady_state_met": True, "probes": [run]}, "after": None},
        "run": [run], "rollbacks": [], "status": "completed", "node": "host",
    }  # fmt: skip
    (tmp_path / "journal.json").write_text(json.dumps(kept(raw)))

    assert canary not in (tmp_path / "journal.json").read_text()
    assert read_journal(tmp_path / "journal.json").failures == (
        "method activity 'break it': ActivityFailed: it broke",
    )


def test_what_a_profile_has_resolved_is_known_though_it_stands_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SSO and the CLI's caches do: a process hands the credentials out."""
    secret = {"SecretAccessKey": "canary-key", "SessionToken": "canary-token"}
    handed = {"Version": 1, "AccessKeyId": "AKIA", **secret}
    (tmp_path / "handed.json").write_text(json.dumps(handed))
    (tmp_path / "config").write_text(f"[profile drills]\ncredential_process = cat {tmp_path}/handed.json\n")
    file = tmp_path / "staging.yaml"
    file.write_text(
        'name: s\naccount: "111122223333"\nregion: us-east-1\nbase_url: https://b.example.com\n'
        "profile: drills\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    staging = Context(home=str(tmp_path), staging=str(file)).attach()
    staging.aws("sts")
    known = known_secrets({"HOME": str(tmp_path)}, resolved=staging.secrets())

    assert set(secret.values()) <= known
