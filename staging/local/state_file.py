"""`state.json`: what a running local staging says of itself to whoever comes after."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import psutil

from blackstart.staging import Facts

if TYPE_CHECKING:
    from pathlib import Path

DATA_PREFIX = "blackstart-"  # of the temporary directory that holds a staging's data
_SAME_START_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Known:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: float

    @classmethod
    def of(cls, process: psutil.Process) -> Known:
        """Note a process that lives now."""
        return cls(pid=process.pid, started=process.create_time())

    def living(self) -> psutil.Process | None:
        """Return the process if it still lives, not as a zombie."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_START_S
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


@dataclass(frozen=True, kw_only=True)
class State:
    """The file's content; `facts` appear when the staging is healthy."""

    host: Known
    data_dir: str
    children: tuple[Known, ...] = ()
    aws_endpoint: str = ""
    facts: Facts | None = None

    @property
    def healthy(self) -> bool:
        """Whether it had become healthy when this was written."""
        return self.facts is not None


def path(state_dir: Path) -> Path:
    """Return where the file is."""
    return state_dir / "state.json"


def write(state_dir: Path, state: State) -> None:
    """Replace the file at once, so that nobody reads half of it."""
    partial = path(state_dir).with_suffix(".partial")
    partial.write_text(json.dumps(asdict(state), indent=1))
    partial.replace(path(state_dir))


def read(state_dir: Path) -> State | None:
    """Return what the last staging wrote, whether it still runs or not; None when it removed its traces."""
    try:
        content: dict[str, Any] = json.loads(path(state_dir).read_text())
    except FileNotFoundError:
        return None
    facts = content["facts"]
    return State(
        host=Known(**content["host"]),
        data_dir=content["data_dir"],
        children=tuple(Known(**child) for child in content["children"]),
        aws_endpoint=content["aws_endpoint"],
        facts=Facts(**{**facts, "defects": tuple(facts["defects"])}) if facts else None,
    )


def remove(state_dir: Path) -> None:
    """Remove the file."""
    path(state_dir).unlink(missing_ok=True)
