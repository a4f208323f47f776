"""What of Chaos Toolkit's journal is kept: an allow-list, field by field.

The raw one holds arguments, outputs, tracebacks and the configuration in clear, whatever secrets are in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHOLE = ("chaoslib-version", "status", "deviated", "start", "end", "duration")
_RUN = ("status", "start", "end", "duration", "tolerance_met")
_ACTIVITY = ("type", "name")
_TEXT_MAX = 500


def kept(journal: Mapping[str, Any]) -> dict[str, Any]:
    """Return the journal with nothing in it but what is needed to tell what happened."""
    states = journal.get("steady_states") or {}
    return {
        **{name: journal.get(name) for name in _WHOLE},
        "title": (journal.get("experiment") or {}).get("title"),
        "steady_states": {when: _state(states.get(when)) for when in ("before", "after", "during")},
        "run": [_run(run) for run in journal.get("run") or []],
        "rollbacks": [_run(run) for run in journal.get("rollbacks") or []],
    }


def _state(state: Any) -> dict[str, Any] | None:
    if not isinstance(state, dict):
        return None
    met = state.get("steady_state_met")
    return {"steady_state_met": met, "probes": [_run(run) for run in state.get("probes") or []]}


def _run(run: Mapping[str, Any]) -> dict[str, Any]:
    activity = run.get("activity") or {}
    provider = activity.get("provider") or {}
    return {
        **{name: run[name] for name in _RUN if name in run},
        "activity": {
            **{name: activity[name] for name in _ACTIVITY if name in activity},
            "provider": {name: provider[name] for name in ("type", "module", "func") if name in provider},
        },
        "output": _plain(run.get("output")),
        "exception": [str(line)[:_TEXT_MAX] for line in (run.get("exception") or [])[-1:]],
    }


def _plain(output: Any) -> Any:
    """Return what our own activities answer: a word, a number, or nothing; of anything else, its type."""
    if output is None or isinstance(output, bool | int | float):
        return output
    return output[:_TEXT_MAX] if isinstance(output, str) else f"({type(output).__name__})"
