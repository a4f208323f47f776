"""Replaces one function of the harness by one that does not do its work, as a bug would.

Each is given `acted`, and calls it when what it put there is really used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NOWHERE = "http://127.0.0.1:9"

Acted = Callable[[], None]


def half_the_load(acted: Acted) -> None:
    """Send half of the requests that were asked for."""

    def halve(original: Callable[..., Any]) -> Callable[..., Any]:
        def half(url: str, rate: float, *rest: Any) -> Any:
            acted()
            return original(url, rate / 2, *rest)

        return half

    _wrap("blackstart.wiring", "LoadProcess", halve)


def broken_probe(acted: Acted) -> None:
    """Let the probe that measures recovery break down."""
    catalogue = _module("catalogue")

    def breaks(_: object) -> None:
        acted()
        raise ZeroDivisionError("the probe has a bug")

    for name, spec in catalogue.DRILLS.items():
        broken = replace(spec.recovery, probe=breaks)
        promised = tuple(broken if one is spec.recovery else one for one in spec.objectives)
        catalogue.DRILLS[name] = replace(spec, objectives=promised, recovery=broken)


def unreadable_alarms(acted: Acted) -> None:
    """Let nobody read the history of alarms."""

    def refused(_: object) -> None:
        acted()
        raise PermissionError("AccessDenied: cloudwatch:DescribeAlarmHistory")

    _module("blackstart.watch").Watch._alarm_changes = refused  # noqa: SLF001 - it is what we are here for


def final_reads_elsewhere(acted: Acted) -> None:
    """Read back from where nobody answers."""

    def elsewhere(original: Callable[..., Any]) -> Callable[..., Any]:
        def lost(_: str, run_id: str, history: Path) -> Any:
            acted()
            return original(_NOWHERE, run_id, history, within_s=2.0)

        return lost

    _wrap("loadgen.final_reads", "read_back", elsewhere)


def final_reads_cut_off(acted: Acted) -> None:
    """Lose the second half of what was read back."""
    _after_reading_back(lambda history: _halve(history / "final.jsonl"), acted)


def history_truncated(acted: Acted) -> None:
    """Lose the second half of all requests."""

    def cut(history: Path) -> None:
        for path in history.glob("requests-*.jsonl"):
            _halve(path)

    _after_reading_back(cut, acted)


def events_truncated(acted: Acted) -> None:
    """Lose all events from the injection on."""

    def cut(history: Path) -> None:
        path = history / "events.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        before = next(number for number, line in enumerate(lines) if b'"inject.start"' in line)
        path.write_bytes(b"".join(lines[:before]))

    _after_reading_back(cut, acted)


def toothless_fault(acted: Acted) -> None:
    """Let no fault do anything."""
    for name in ("aurora_failover.AuroraFailover", "aurora_writer_crash.AuroraWriterCrash"):
        module, _, kind = name.partition(".")
        getattr(_module(f"faults.{module}"), kind).inject = lambda *_: acted()


def start_experiments_through(words: Sequence[str], module: str) -> None:
    """Have the experiment's process started by these words instead of `-m module`."""

    def through(original: Callable[..., Any]) -> Callable[..., Any]:
        def start(argv: Sequence[str], **more: Any) -> Any:
            ours = [*argv[:1], *words, *argv[3:]] if list(argv[1:3]) == ["-m", module] else argv
            return original(ours, **more)

        return start

    _wrap("blackstart.lifeline", "start", through)


def _after_reading_back(spoil: Callable[[Path], object], acted: Acted) -> None:
    def spoiled(original: Callable[..., Any]) -> Callable[..., Any]:
        def read_back(url: str, run_id: str, history: Path, **more: Any) -> Any:
            whole = original(url, run_id, history, **more)
            spoil(history)
            acted()
            return whole

        return read_back

    _wrap("loadgen.final_reads", "read_back", spoiled)


def _halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _wrap(module: str, name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    owner = _module(module)
    setattr(owner, name, wrapper(getattr(owner, name)))


def _module(name: str) -> Any:
    return importlib.import_module(name)
