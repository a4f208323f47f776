"""Starts the target in a process of its own, gives it commands, and reads its log."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO, Any, Final, Self

import orjson

from blackstart.waiting import wait_until
from calibration.kinds import Kind

_ANSWERS_WITHIN_S: Final = 20.0


@dataclass(frozen=True, kw_only=True)
class Truth:
    """When an outage began and ended by the target's own log: each instant lies between two clock reads."""

    kind: Kind
    broken_ns: tuple[int, int]
    mended_ns: tuple[int, int]
    again_ns: tuple[int, int]  # whoever asked from then on was served well
    hits: int  # how many requests of the load it did something to, or answered too late because it froze


class Target:
    """The target server, for as long as the `with` block lasts."""

    def __init__(self) -> None:
        self._lines: list[dict[str, Any]] = []
        self.port = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "calibration.target"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        self.port = int(self._line("listening", 0)["port"])
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()

    @property
    def url(self) -> str:
        """Return its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def outage(self, kind: Kind, at_ns: int, seconds: float, seed: int) -> None:
        """Let it fail from that instant on for so many seconds."""
        self._do({"do": "outage", "kind": kind, "at_ns": at_ns, "seconds": seconds, "seed": seed})

    def spoil(self, how: str, before_ns: int) -> list[tuple[str, int, int, int]]:
        """Let somebody change its books; return key, time, debit and credit of the rows that he touched."""
        nth = sum(line["what"] == "spoiled" for line in self._lines)
        self._do({"do": "spoil", "how": how, "before_ns": before_ns})
        return [tuple(row) for row in self._line("spoiled", nth)["rows"]]

    def truths(self, outages: int) -> list[Truth]:
        """Return what its log says of the outages, which must be over by now. Raises TooLate."""
        return [_truth(self._line("broken", nth), self._line("mended", nth)) for nth in range(outages)]

    @property
    def stalls(self) -> list[tuple[int, int]]:
        """Return when the target itself stood still, by its own log."""
        still = [line for line in list(self._lines) if line["what"] == "stood still"]
        return [(line["from_ns"], line["until_ns"]) for line in still]

    def _do(self, command: dict[str, Any]) -> None:
        assert self._process.stdin  # noqa: S101 - it is a pipe, as asked for
        self._process.stdin.write(orjson.dumps(command, option=orjson.OPT_APPEND_NEWLINE))
        self._process.stdin.flush()

    def _read(self, log: IO[bytes]) -> None:
        for line in log:
            self._lines.append(orjson.loads(line))

    def _line(self, what: str, nth: int) -> dict[str, Any]:
        """Return the nth line of that sort, waiting for it. Raises TooLate."""

        def look() -> dict[str, Any] | None:
            found = [line for line in list(self._lines) if line["what"] == what]
            return found[nth] if len(found) > nth else None

        return wait_until(look, within_s=_ANSWERS_WITHIN_S, what=f"the target: {what}", every_s=0.01)


def _truth(broken: dict[str, Any], mended: dict[str, Any]) -> Truth:
    return Truth(
        kind=Kind(broken["kind"]), broken_ns=(broken["from_ns"], broken["until_ns"]),
        mended_ns=(mended["from_ns"], mended["until_ns"]), again_ns=tuple(mended["again_ns"]),
        hits=mended["hits"],
    )  # fmt: skip
