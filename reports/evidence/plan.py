"""What was planned and promised, frozen in the drill's folder before anything starts.

`plan.json` holds the promises as data, beside it lie the experiment and the pages of promises
and drills as they were.
"""

from __future__ import annotations

import getpass
import json
import re
import shutil
import socket
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from reports.evidence.sums import sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from blackstart.drills import DrillSpec
    from blackstart.parts import Traffic
    from blackstart.staging import Facts
    from blackstart.verdict import Measurement, Objective

SCHEMA = "blackstart/plan/1"
PLAN, EXPERIMENT = "plan.json", "experiment.yaml"
PAGES = ("objectives.py", "catalogue.py")  # what is promised, and which drill is held to what
_GIT_WITHIN_S = 20.0
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Promise(TypedDict):
    """An objective as it stood before the drill."""

    name: str
    bound: str
    limit: float
    unit: str
    clause: str
    promise: str
    probe: str


class Plan(TypedDict):
    """See `freeze`."""

    schema: str
    run: str
    drill: str
    title: str
    experiment: str
    frozen_utc: str
    traffic: dict[str, Any]
    limit_s: float
    staging: dict[str, Any]
    preconditions: list[Promise]
    objectives: list[Promise]
    recovery: str
    figures: list[str]
    not_shown: list[str]
    executor: dict[str, str]
    code: dict[str, str]
    hashes: dict[str, str]


def freeze(
    folder: Path, spec: DrillSpec, *, run: str, traffic: Traffic, facts: Facts, identity: str, root: Path
) -> str:
    """Write the plan and copies of what it rests on; return its hash, to be told outside the folder.

    `identity` is who AWS says we are; `root` is where the code and the experiment are.
    """
    shutil.copyfile(root / spec.experiment, folder / EXPERIMENT)
    for page in PAGES:
        shutil.copyfile(root / page, folder / page)
    plan = Plan(
        schema=SCHEMA, run=run, drill=spec.name, title=spec.title, experiment=spec.experiment,
        frozen_utc=datetime.now(UTC).isoformat(), traffic=asdict(traffic), limit_s=spec.limit_s,
        staging=json.loads(json.dumps(asdict(facts))),
        **promised(spec),  # type: ignore[typeddict-item]
        executor={"user": _user(), "host": socket.gethostname(), "aws": identity}, code=code_of(root),
        hashes={name: sha256(folder / name) for name in (EXPERIMENT, *PAGES)},
    )  # fmt: skip
    (folder / PLAN).write_text(json.dumps(plan, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return sha256(folder / PLAN)


def promised(spec: DrillSpec) -> dict[str, Any]:
    """Return everything that a drill is held to, as data."""
    return {
        "preconditions": _promises(spec.preconditions),
        "objectives": _promises(spec.objectives),
        "recovery": spec.recovery.name,
        "figures": [figure.name for figure in spec.figures],
        "not_shown": list(spec.not_shown),
    }


def read(folder: Path) -> Plan:
    """Return the plan of a drill. Raises OSError and ValueError."""
    plan: Plan = json.loads((folder / PLAN).read_bytes())
    if not isinstance(plan, dict) or plan.get("schema") != SCHEMA:
        raise ValueError(f"{PLAN} is not a plan of this version")
    return plan


def _promises(objectives: Iterable[Objective]) -> list[Promise]:
    return [
        Promise(
            name=o.name, bound=o.bound, limit=o.limit, unit=o.unit, clause=o.clause, promise=o.promise,
            probe=_name(o.probe),
        )
        for o in objectives
    ]  # fmt: skip


def _name(probe: Callable[..., Measurement]) -> str:
    return f"{probe.__module__}:{getattr(probe, '__qualname__', repr(probe))}"


def code_of(root: Path) -> dict[str, str]:
    """Return which code runs: its commit, and whether the tree differs from it."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": "unknown", "tree": "unknown"}
    changed = _git(root, "status", "--porcelain", "--untracked-files=all")
    return {"commit": commit.decode("ascii").strip(), "tree": "dirty" if changed else "clean"}


def code_told(code: Mapping[str, str]) -> str:
    """Return in two words what `code_of` returned: "COMMIT clean", "COMMIT dirty"."""
    return f"{code['commit']} {code['tree']}"


def pages_of(root: Path, commit: str) -> dict[str, bytes]:
    """Return the pages as they are in a commit; none when the repository here does not hold all of them."""
    if not _COMMIT.fullmatch(commit):
        return {}
    shown = {page: _git(root, "show", f"{commit}:{page}") for page in PAGES}
    known = {page: text for page, text in shown.items() if text is not None}
    return known if len(known) == len(PAGES) else {}


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, check=True, timeout=_GIT_WITHIN_S
        )
    except (OSError, subprocess.SubprocessError):  # an installed copy has no repository: "unknown" says so
        return None
    return done.stdout


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in containers
        return "unknown"
