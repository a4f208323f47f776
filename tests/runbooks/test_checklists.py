"""The printed checklists: the ones that lie in docs are these, and AWS knows every command in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from blackstart.commands import runbook
from runbooks import RUNBOOKS

ROOT = Path(__file__).parents[2]
GLOBAL = {"--region", "--query", "--output"}
WAITERS = {"db-cluster-available", "db-instance-available", "db-instance-deleted"}


@pytest.mark.parametrize("name", RUNBOOKS)
def test_the_checklist_in_docs_is_this_one(name: str) -> None:
    """To write them anew: blackstart runbook NAME --print > docs/runbooks/NAME.md."""
    typed = name.replace("_", "-")

    assert (ROOT / "docs" / "runbooks" / f"{typed}.md").read_text() == runbook.checklist(typed, ())


@pytest.mark.parametrize("name", RUNBOOKS)
def test_aws_knows_every_command(name: str) -> None:
    session = botocore.session.get_session()
    commands = list(commands_in(runbook.checklist(name, ())))
    for service, operation, options in commands:
        if operation in WAITERS:
            assert operation in {xform_name(w, "-") for w in session.get_waiter_model(service).waiter_names}
            continue
        model = session.get_service_model(service)
        known = {xform_name(each, "-"): each for each in model.operation_names}
        members = model.operation_model(known[operation]).input_shape.members
        allowed = {f"--{xform_name(member, '-')}" for member in members} | GLOBAL
        allowed |= {
            f"--no-{xform_name(m, '-')}" for m, shape in members.items() if shape.type_name == "boolean"
        }
        required = {
            f"--{xform_name(m, '-')}"
            for m in model.operation_model(known[operation]).input_shape.required_members
        }

        assert options - allowed == set(), operation
        assert required - options == set(), operation
    assert len(commands) > 4


def commands_in(text: str) -> list[tuple[str, str, set[str]]]:
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    lines = [line.strip() for line in blocks.splitlines() if "aws " in line and not line.startswith("#")]
    found: list[tuple[str, str, set[str]]] = []
    for line in lines:
        inner = line[line.index("aws ") :]
        words = shlex.split(inner.rstrip(")") if "=$(" in line else inner)
        words = [word for word in words if word != ">"]
        service, operation = words[1].removesuffix("api"), words[2]  # the CLI calls S3's own calls so
        if operation == "wait":
            found.append((service, words[3], set()))
        else:
            found.append((service, operation, {word for word in words[3:] if word.startswith("--")}))
    return found
