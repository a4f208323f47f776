"""A drill on the bench that makes a call which its policy lacks is a failure, and is told."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import drills
import pytest

from blackstart.calls import CALLS, CallLog
from blackstart.choke import RUNNER, Seen

if TYPE_CHECKING:
    from pathlib import Path

RECORD: dict[str, Any] = {
    "run": "r-1", "drill": "aurora-failover", "verdict": "PASSED", "recovery": None, "objectives": [],
    "preconditions": [], "figures": [], "reasons": [],
}  # fmt: skip


@pytest.mark.parametrize(("call", "exits"), [("FailoverDBCluster", 0), ("DeleteDBCluster", 1)])
def test_a_call_that_the_drills_policy_lacks_fails_the_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, call: str, exits: int
) -> None:
    printed: list[str] = []

    def command_line(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """What a drill leaves, without one."""
        if words[0] == "drill":
            folder = home / "drills" / "r-1"
            (folder / "history").mkdir(parents=True)
            made = {"DBClusterIdentifier": "ledger"}
            CallLog(folder / CALLS, "123456789012", "us-east-1").note(
                Seen(service="rds", operation=call, region="us-east-1", role=RUNNER, params=made)
            )
        return subprocess.CompletedProcess(words, 0, stdout=json.dumps([RECORD]), stderr="")

    monkeypatch.setattr(drills, "blackstart", command_line)
    monkeypatch.setattr(drills, "true_loss", lambda _: None)
    monkeypatch.setattr("builtins.print", lambda line, **_: printed.append(line))
    monkeypatch.setattr("sys.argv", ["drills.py", "--home", str(tmp_path), "aurora-failover"])

    with pytest.raises(SystemExit) as ended:
        drills.main()

    assert ended.value.code == exits
    assert any("its policy lacks rds:DeleteDBCluster" in line for line in printed) is bool(exits)
