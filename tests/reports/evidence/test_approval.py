"""An approval is one person's, for one plan, until a moment, and never the executor's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reports.evidence import approval
from reports.evidence.approval import Approval, BadApproval, Person
from reports.evidence.keys import LocalKey, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

EXECUTOR = Person(user="runner@ci", aws="arn:aws:sts::1:assumed-role/drills/ci", key="cd" * 32)
GIVEN = Approval(
    drill="az-loss", account="1", plan="ab" * 32, name="Ada", user="ada@desk",
    expires_utc=(datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    aws="arn:aws:sts::1:assumed-role/people/ada",
)  # fmt: skip


def checked(tmp_path: Path, given: Approval, executor: Person = EXECUTOR, *, wanted: str = "ab" * 32) -> None:
    key = LocalKey.at(tmp_path / "ada.pem")
    approval.write(tmp_path / "approval.json", given, key)
    approval.check(
        approval.read(tmp_path / "approval.json"), wanted=wanted, account="1", drill="az-loss",
        approvers=[fingerprint(key.public_pem)], executor=executor,
    )  # fmt: skip


def test_a_good_one_is_accepted(tmp_path: Path) -> None:
    checked(tmp_path, GIVEN)


@pytest.mark.parametrize(
    ("given", "executor", "says"),
    [
        (replace(GIVEN, drill="aurora-failover"), EXECUTOR, "it is for aurora-failover"),
        (replace(GIVEN, account="2"), EXECUTOR, "account 2"),
        (replace(GIVEN, plan="00" * 32), EXECUTOR, "have changed"),
        (replace(GIVEN, expires_utc="2026-01-01T00:00:00+00:00"), EXECUTOR, "expired"),
        (replace(GIVEN, expires_utc="2036-01-01T00:00:00"), EXECUTOR, "offset"),
        (GIVEN, replace(EXECUTOR, user="ada@desk"), "another person"),
        (GIVEN, replace(EXECUTOR, aws=GIVEN.aws), "another person"),
    ],
)
def test_one_thing_wrong_is_enough(tmp_path: Path, given: Approval, executor: Person, says: str) -> None:
    with pytest.raises(BadApproval, match=says):
        checked(tmp_path, given, executor)


def test_the_executors_own_key_approves_nothing(tmp_path: Path) -> None:
    own = fingerprint(LocalKey.at(tmp_path / "ada.pem").public_pem)

    with pytest.raises(BadApproval, match="another person"):
        checked(tmp_path, GIVEN, replace(EXECUTOR, key=own))


def test_a_key_that_is_no_approvers_approves_nothing(tmp_path: Path) -> None:
    approval.write(tmp_path / "approval.json", GIVEN, LocalKey.at(tmp_path / "eve.pem"))

    with pytest.raises(BadApproval, match="no approver's"):
        approval.check(
            approval.read(tmp_path / "approval.json"), wanted="ab" * 32, account="1", drill="az-loss",
            approvers=["00" * 32], executor=EXECUTOR,
        )  # fmt: skip


def test_not_a_byte_may_be_changed(tmp_path: Path) -> None:
    file = tmp_path / "approval.json"
    approval.write(file, GIVEN, LocalKey.at(tmp_path / "ada.pem"))
    good = file.read_bytes()
    for at in range(0, len(good), 7):
        file.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        try:
            read = approval.read(file)
        except BadApproval:
            continue
        assert (read.plan, read.expires_utc) == (GIVEN.plan, GIVEN.expires_utc)


def test_nobody_in_particular_approves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadApproval, match="name"):
        approval.write(tmp_path / "approval.json", replace(GIVEN, name=" "), LocalKey.at(tmp_path / "a.pem"))
