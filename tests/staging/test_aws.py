"""The file of an AWS staging: what it must say, what it may say, and what is refused with one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from blackstart.context import NoStaging
from blackstart.staging import Safeguards
from staging import aws

if TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, Any] = {
    "name": "fintech-staging",
    "account": "111122223333",
    "region": "us-east-1",
    "base_url": "https://bank.staging.example.com",
}
RULES: dict[str, Any] = {
    "profile": "staging-drills",
    "regions": ["us-west-2"],
    "limits": {"targets": 4, "share": 0.34, "seconds": 900},
    "destruction": True,
    "region_loss": True,
    "approvers": ["ab" * 32],
    "calendar": {
        "windows": [{"days": ["tue"], "from": "09:00", "to": "16:00", "zone": "Europe/Berlin"}],
        "freezes": [
            {"from": "2026-12-18T00:00:00+01:00", "to": "2027-01-07T00:00:00+01:00", "why": "year end"}
        ],
    },
    "change_calendars": ["arn:aws:ssm:us-east-1:111122223333:document/releases"],
    "prices_per_hour": {"Aurora instance": 0.29},
    "safeguards": {"table": "blackstart"},
}


def file(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "staging.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_real_account_allows_less_by_default(tmp_path: Path) -> None:
    written = aws.read(file(tmp_path, GOOD))
    facts, rule = written.facts, written.rules

    assert (facts.account, facts.region, written.profile) == ("111122223333", "us-east-1", None)
    assert (rule.regions, rule.destruction, rule.region_loss, rule.share_max) == ((), False, False, 0.5)
    assert written.safeguards == Safeguards()


def test_the_owners_rules_are_read(tmp_path: Path) -> None:
    written = aws.read(file(tmp_path, {**GOOD, **RULES}))
    rule = written.rules

    assert (written.profile, written.safeguards.table) == ("staging-drills", "blackstart")
    assert (rule.targets_max, rule.share_max, rule.seconds_max) == (4, 0.34, 900)
    assert (rule.regions, rule.approvers) == (("us-west-2",), ("ab" * 32,))
    assert (rule.destruction, rule.region_loss) == (True, True)
    assert (len(rule.calendar.windows), rule.calendar.freezes[0].why) == (1, "year end")


WINDOW = RULES["calendar"]["windows"][0]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"acount": "111122223333"}, "unknown field 'acount'"),
        ({"account": "*"}, "field 'account'"),
        ({"account": 111122223333}, "field 'account'"),
        ({"region": ""}, "field 'region'"),
        ({"regions": "us-west-2"}, "field 'regions'"),
        ({"regions": ["*"]}, "field 'regions'"),
        ({"base_url": "http://localhost:8080"}, "on this machine"),
        ({"base_url": "http://127.0.0.2/"}, "on this machine"),
        ({"base_url": "http://[::"}, "field 'base_url'"),
        ({"limits": {"target": 3}}, "field 'limits'"),
        ({"limits": {"targets": 1.5}}, "limits.targets"),
        ({"limits": {"share": float("nan")}}, "limits.share"),
        ({"limits": {"seconds": True}}, "limits.seconds"),
        ({"destruction": "yes"}, "field 'destruction'"),
        ({"region_loss": "bank"}, "field 'region_loss'"),
        ({"safeguards": {"tabel": "blackstart"}}, "safeguards.tabel"),
        ({"approvers": ["me"]}, "field 'approvers'"),
        ({"calendar": {"window": []}}, "unknown field 'window'"),
        ({"calendar": {"windows": [{**WINDOW, "zone": "Berlin"}]}}, "no time zone"),
        ({"calendar": {"windows": [{**WINDOW, "from": 540}]}}, "in quotes"),
        ({"calendar": {"windows": [{**WINDOW, "days": ["tues"]}]}}, "days"),
        ({"calendar": {"freezes": [{"from": "2026-12-18", "to": "2027-01-07", "why": ""}]}}, "offset"),
        ({"prices_per_hour": {"Aurora instance": -1}}, "prices_per_hour"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(NoStaging, match=says) as caught:
        aws.read(file(tmp_path, {**GOOD, **wrong}))

    assert "\n" not in str(caught.value)
    assert "staging.yaml" in str(caught.value)


@pytest.mark.parametrize("content", ["", "- 1", "{", "a: b: c", "\x00", "&a [*a]", "a" * 200_000])
def test_what_is_no_staging_file_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(NoStaging, match=r"staging\.yaml") as caught:
        aws.read(file(tmp_path, content))

    assert "\n" not in str(caught.value)


def test_no_file_of_an_account_is_called_as_the_local_staging(tmp_path: Path) -> None:
    path = file(tmp_path, GOOD).rename(tmp_path / "local.yaml")

    with pytest.raises(NoStaging, match=r"local\.yaml: a file of another name was expected"):
        aws.read(path)


def test_a_profile_is_not_looked_for_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file is packaged into the function that heals."""
    path = file(tmp_path, {**GOOD, "profile": "staging-drills"})
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    with pytest.raises(NoStaging, match="staging-drills"):
        aws.attach(tmp_path, str(path))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "blackstart-heal")

    assert aws.attach(tmp_path, str(path)).facts.account == GOOD["account"]
