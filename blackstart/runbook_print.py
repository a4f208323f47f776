"""A runbook as a checklist in Markdown, for the day when the harness itself is down."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blackstart.runbook import Runbook, Step

_AT_ONCE_S = 60  # what takes the harness no longer than this is a matter of a person's own time
_HOW = """\
Needs a shell (bash or zsh) with the AWS CLI and credentials of the account, nothing else. Keep one shell for
all steps: later ones use the variables of earlier ones, and `...` is yours to fill in. Write down the time at
each step, and tick it only when you have seen what it says. Every step can be repeated: look first whether it
is done already.

Before the first step:

```sh
aws sts get-caller-identity  # is this the account that you mean?
export AWS_REGION=...        # where the ledger is, such as us-east-1
export AWS_PAGER= TZ=UTC     # no answer waits for a key, every time is told in UTC
BANK_URL=https://...         # where customers reach the bank
```
"""


def checklist(runbook: Runbook) -> str:
    """Return the checklist with the arguments filled in. Needs nothing that runs."""
    steps = runbook.steps()
    parts = [
        _head(runbook),
        _HOW,
        *(_step(number, step) for number, step in enumerate(steps, start=1)),
    ]
    return "\n".join(parts)


def as_taken(runbook: Runbook, taken: Iterable[tuple[str, str, float, str]], outcome: str) -> str:
    """Return what was done of it: for each step its name, outcome, seconds and remarks."""
    lines = [step_taken(*step) for step in taken]
    return "\n".join([_head(runbook), *lines, "", ended(outcome), ""])


def step_taken(step: str, how: str, seconds: float, detail: str) -> str:
    """Return the line of a step as it was taken."""
    tick = "x" if how in ("done", "was done already") else " "
    return f"- [{tick}] {step}: {how}, {seconds:.1f} s" + (f". {detail}" if detail else "")


def ended(outcome: str) -> str:
    """Return the last line of a runbook that was followed."""
    return f"Outcome: {outcome}"


def title(runbook: type[Any]) -> str:
    """Return the runbook's title: its class name as words."""
    name = runbook.__module__.rpartition(".")[2]
    return name.replace("_", " ").capitalize()


def _head(runbook: Runbook) -> str:
    values = {field.name: getattr(runbook, field.name) for field in fields(runbook)}
    rows = [f"| {name} | `{value}` |" for name, value in values.items() if value not in ("", None)]
    return "\n".join([
        f"# {title(type(runbook))}", "", inspect.getdoc(runbook) or "", "",
        "| argument | value |", "|---|---|", *rows, "",
    ])  # fmt: skip


def _step(number: int, step: Step) -> str:
    lines = [f"## {number}. {step.name}", "", step.why, ""]
    if step.commands:
        lines += ["```sh", inspect.cleandoc(step.commands), "```", ""]
    patience = f" (give up after {_words(step.within_s)})" if step.within_s > _AT_ONCE_S else ""
    lines.append(f"- [ ] {step.seen}{patience}")
    if step.otherwise:
        lines.append(f"- If not: {step.otherwise}")
    lines += ["- begun ________ done ________ by ________", ""]
    return "\n".join(lines)


def _words(seconds: float) -> str:
    minutes = seconds / 60
    return f"{seconds:g} s" if seconds < 120 else f"{minutes:g} min"  # noqa: PLR2004 - two minutes
