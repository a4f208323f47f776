"""Style is a test: what belongs together is there, and every exception says why."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from catalogue import DRILLS

ROOT = Path(__file__).parent.parent
SOURCES = [
    Path(name)
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()
    if (ROOT / name).exists()
]  # fmt: skip
LINES_MAX = 300
BANNED_NAMES = {"util", "utils", "helper", "helpers", "manager", "attack", "nemesis"}


def test_every_experiment_has_a_drill_and_a_scenario() -> None:
    experiments = {path.stem for path in (ROOT / "experiments").glob("*.yaml")}
    scenarios = "".join(path.read_text() for path in (ROOT / "scenarios").glob("test_*.py"))

    assert experiments == set(DRILLS)
    assert [name for name in experiments if f'"{name}"' not in scenarios] == []


def test_every_drill_has_objectives_that_quote_a_clause() -> None:
    assert [
        (name, objective.name)
        for name, spec in DRILLS.items()
        for objective in spec.objectives
        if not re.search(r"\d\.\d", objective.clause)
    ] == []


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.parts[0] not in ("tests", "bench")], ids=str
)
def test_a_source_file_is_small_and_says_what_it_is(path: Path) -> None:
    text = (ROOT / path).read_text()

    assert text.startswith('"""')
    assert len(text.splitlines()) <= LINES_MAX
    assert not BANNED_NAMES & set(path.with_suffix("").parts)


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_every_exception_from_a_rule_gives_its_reason(path: Path) -> None:
    unexplained = [
        line.strip()
        for line in (ROOT / path).read_text().splitlines()
        if re.search(r"#\s*noqa", line) and not re.search(r"#\s*noqa: [A-Z0-9, ]+ - \S", line)
    ]

    assert unexplained == []
