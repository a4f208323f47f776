"""The ledger survives torn writes, notices edits, and always knows what is still to be healed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from blackstart.choke import Refused
from blackstart.fault import Plan, Target
from blackstart.ledger import Ledger, LedgerBroken, entry_of
from blackstart.staging import Facts

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan(
    targets=(Target(kind="subnet", id="subnet-1", arn="arn:1", tags={"Environment": "staging"}),),
    before={"subnet-1": "acl-old"},
    broken={"dark": "us-east-1a"},
    calls=("ec2:CreateNetworkAcl",),
)


def ledger_with(tmp_path: Path, count: int) -> Ledger:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for number in range(count):
        ledger.open(f"drill-{number}", "faults.x:X", {"n": number}, PLAN)
    return ledger


def test_an_opened_entry_is_read_back_whole(tmp_path: Path) -> None:
    entry = ledger_with(tmp_path, 0).open("drill", "faults.x:X", {"a": 1}, PLAN)

    assert Ledger(tmp_path / "ledger.jsonl").open_entries() == (entry,)


def test_healing_goes_in_reverse_order_and_closes(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, 3)

    assert [entry.drill for entry in ledger.open_entries()] == ["drill-2", "drill-1", "drill-0"]

    ledger.healed(ledger.open_entries()[0].id, "read back")

    assert [entry.drill for entry in ledger.open_entries()] == ["drill-1", "drill-0"]


def test_an_entry_names_its_targets_what_it_made_and_what_it_restores(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, 1)
    ledger.created(ledger.open_entries()[0].id, "acl-new")
    entry = ledger.open_entries()[0]

    assert [entry.names(name) for name in ("subnet-1", "arn:1", "acl-new", "acl-old", "subnet-2", "")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_torn_last_line_is_as_if_it_had_never_been_written(tmp_path: Path, cut: int) -> None:
    ledger = ledger_with(tmp_path, 2)
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])

    assert [entry.drill for entry in ledger.open_entries()] == ["drill-0"]

    ledger.open("drill-after", "faults.x:X", {}, PLAN)

    assert [entry.drill for entry in ledger.open_entries()] == ["drill-after", "drill-0"]


def test_every_flipped_byte_of_a_finished_line_is_noticed(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, 2)
    genuine = ledger.path.read_bytes()
    first_line = genuine.index(b"\n")
    for position in range(first_line):
        ledger.path.write_bytes(genuine[:position] + bytes([genuine[position] ^ 1]) + genuine[position + 1 :])
        with pytest.raises(LedgerBroken):
            ledger.open_entries()


def test_a_line_that_was_cut_out_is_noticed(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, 3)
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(lines[0] + lines[2])

    with pytest.raises(LedgerBroken, match=":2:"):
        ledger.open_entries()


def test_lines_are_json_that_an_auditor_can_read(tmp_path: Path) -> None:
    line = json.loads(ledger_with(tmp_path, 1).path.read_text())

    assert (line["do"], line["plan"]["before"]) == ("open", {"subnet-1": "acl-old"})


def test_an_entry_is_of_the_environment_that_was_broken_and_of_no_other(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    facts = Facts(name="s", account="111111111111", region="us-east-1", isolation="", timings="", base_url="")
    entry = ledger.open("drill-1", "faults.x:X", {}, PLAN, facts)

    assert ledger.entries()[0].environment == entry.environment == "111111111111:us-east-1"
    assert entry_of(json.loads(json.dumps(asdict(entry)))) == entry

    ledger.check_environment("111111111111:us-east-1")
    for other in ("222222222222:us-east-1", "111111111111:us-west-2"):
        with pytest.raises(Refused, match=f"broken in {entry.environment}, this staging is {other}"):
            ledger.check_environment(other)
    ledger.healed(entry.id, "read back")
    ledger.check_environment("222222222222:us-east-1")
