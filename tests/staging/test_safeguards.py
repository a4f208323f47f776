"""The safeguards of a staging's file: what is there is taken, what is wrong is said in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blackstart.context import NoStaging
from blackstart.staging import Safeguards
from staging.safeguards import read

FILE = Path("staging.yaml")
WHOLE: dict[str, Any] = {
    "region": "us-west-2",
    "table": "blackstart",
    "heal_function": "arn:aws:lambda:us-east-1:111122223333:function:blackstart-heal",
    "schedule_role": "arn:aws:iam::111122223333:role/blackstart-schedule",
    "stop_parameter": "/blackstart/stop",
    "safety_lever": "default",
    "alarms": ["bank-5xx"],
    "budget_percent": 5,
}


def test_all_of_them_and_none_of_them() -> None:
    assert read(FILE, {}) == Safeguards()
    assert read(FILE, {"safeguards": WHOLE}) == Safeguards(**{**WHOLE, "alarms": ("bank-5xx",)})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("all", "field 'safeguards' is 'all', a mapping was expected"),
        ({"tabel": "x"}, "unknown field 'safeguards.tabel'"),
        ({"table": 7}, "field 'safeguards.table' is 7, a string like"),
        ({"alarms": "bank-5xx"}, "field 'safeguards.alarms' is 'bank-5xx', a list of alarms' names"),
        ({"budget_percent": 0}, "field 'safeguards.budget_percent' is 0, a number above 0"),
        ({"budget_percent": True}, "field 'safeguards.budget_percent' is True"),
        ({"heal_function": "mine"}, "field 'safeguards.heal_function' is 'mine', a string like arn:"),
        (
            {name: WHOLE[name] for name in ("heal_function", "schedule_role")},
            "safeguards.heal_function needs safeguards.table beside it",
        ),
        (
            {"table": "drills", "heal_function": WHOLE["heal_function"]},
            "needs safeguards.schedule_role beside it",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(wrong: object, says: str) -> None:
    with pytest.raises(NoStaging) as refused:
        read(FILE, {"safeguards": wrong})

    assert says in str(refused.value)
    assert str(refused.value).startswith("staging.yaml: ")
    assert "\n" not in str(refused.value)
