"""Writes small histories to disk, as the load and the conductor would have."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from blackstart.history import ENDPOINTS, History

if TYPE_CHECKING:
    from pathlib import Path

S = 1_000_000_000
MS = 1_000_000
T0 = 1_000 * S  # the monotonic clock starts wherever it likes


@dataclass
class Story:
    """A history in the making; all times are seconds after T0."""

    folder: Path
    rate: float = 1000.0
    schedule: str = "stratified"
    footer: bool = True
    rows: list[list[Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    final: list[dict[str, Any]] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    compared: int = 0  # balances with an earlier one

    def request(
        self, at: float, took: float = 0.002, *, endpoint: str = "balance", outcome: str = "ok",
        reason: str = "", status: int = 200, key: str = "", what: tuple[int, int, int] | None = None,
        lag: float = 0.0,
    ) -> Story:  # fmt: skip
        intended, start = ns(at), ns(at + lag)
        end = start + int(took * S)
        self.rows.append([intended, start, end, endpoint, outcome, reason, status, key, what, "", ""])
        return self

    def transfer(self, key: str, at: float, *, outcome: str = "ok", status: int = 201, **more: Any) -> Story:
        what = more.pop("what", (1, 2, 100))
        return self.request(
            at, endpoint="transfer", key=key, what=what, outcome=outcome, status=status, **more
        )

    def event(self, kind: str, at: float, **detail: Any) -> Story:
        self.events.append({"at_ns": ns(at), "utc": utc(at), "kind": kind, **detail})
        return self

    def fault(self, at: float, took: float = 0.0) -> Story:
        self.event("inject.start", at, fault="faults.x:X", targets=["cluster ledger"])
        return self.event("inject.end", at + took, fault="faults.x:X", targets=["cluster ledger"])

    def healed(self, at: float, took: float = 0.0) -> Story:
        self.event("heal.start", at, fault="faults.x:X")
        return self.event("heal.end", at + took, fault="faults.x:X", outcome="healed")

    def tell(self) -> History:
        self.folder.mkdir(parents=True, exist_ok=True)
        header = {
            "kind": "header", "run": "r", "worker": "0", "rate": self.rate, "seed": 7,
            "schedule": self.schedule,
        }  # fmt: skip
        lines: list[Any] = [header, *self.rows]
        if self.footer:
            lines.append({"kind": "footer", "scheduled": len(self.rows), "balances_compared": self.compared})
        write_lines(self.folder / "requests-0.jsonl", lines)
        write_lines(self.folder / "events.jsonl", self.events)
        if self.final:
            write_lines(self.folder / "final.jsonl", self.final)
        if self.receipts:
            write_lines(self.folder / "receipts.jsonl", self.receipts)
        return History(self.folder)


@dataclass(frozen=True, kw_only=True)
class Load:
    """Stratified arrivals as arrays, to be broken by a test; times in nanoseconds."""

    intended_ns: npt.NDArray[np.int64]
    start_ns: npt.NDArray[np.int64]
    end_ns: npt.NDArray[np.int64]
    ok: npt.NDArray[np.bool_]

    def into(self, story: Story) -> Story:
        columns = (self.intended_ns, self.start_ns, self.end_ns, self.ok)
        for number, (intended, start, end, ok) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
            outcome, reason = ("ok", "") if ok else ("failed", "timeout")
            endpoint = ENDPOINTS[1 if number % 10 else 2]
            status = 200 if ok else 0
            story.rows.append([intended, start, end, endpoint, outcome, reason, status, "", None, "", ""])
        return story


def steady_load(rate: float, seconds: float, seed: int, service_s: float = 0.002) -> Load:
    """Return healthy arrivals: one at random in each slot of `1 / rate`."""
    random = np.random.default_rng(seed)
    slots = np.arange(int(rate * seconds))
    intended = T0 + ((slots + random.random(len(slots))) / rate * S).astype(np.int64)
    start = intended + random.integers(0, MS, len(slots))
    end = start + (service_s * S * random.uniform(0.5, 1.5, len(slots))).astype(np.int64)
    return Load(intended_ns=intended, start_ns=start, end_ns=end, ok=np.ones(len(slots), dtype=np.bool_))


def utc(at: float) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=at)).isoformat()


def ns(at: float) -> int:
    return T0 + int(at * S)


def write_lines(path: Path, lines: list[Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
