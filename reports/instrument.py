"""What is known of the instrument itself: its newest calibration and self-test, as every bundle carries them.

They are taken from the home folder before the drill starts, without the single readings, whose file is named
by its hash. One that was never made is null, and said so: nothing then shows how well this machine measures.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE: Final = "instrument.json"
PROOFS: Final = {"calibration": "blackstart calibrate", "selftest": "blackstart selftest"}
_KEPT = ("schema", "utc", "machine", "versions", "version", "code", "summary")

Instrument = dict[str, dict[str, Any] | None]


def freeze(home: Path, folder: Path) -> None:
    """Write what is known into a drill's folder."""
    known = {name: _newest(home / f"{name}s", f"{name}.json") for name in PROOFS}
    (folder / FILE).write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(folder: Path) -> Instrument:
    """Return what a drill's folder says of the instrument; nothing is known where it says nothing."""
    file = folder / FILE
    known: Instrument = json.loads(file.read_bytes()) if file.exists() else {}
    return {name: known.get(name) for name in PROOFS}


def sentences(instrument: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Return a sentence on each proof."""
    return [_sentence(name, command, instrument.get(name)) for name, command in PROOFS.items()]


def _newest(folder: Path, name: str) -> dict[str, Any] | None:
    found = [(json.loads(text := path.read_bytes()), text) for path in folder.glob(f"*/{name}")]
    if not found:
        return None
    told, text = max(found, key=lambda one: str(one[0]["utc"]))
    kept = {name: told[name] for name in _KEPT if name in told}
    return {**kept, "sha256": hashlib.sha256(text).hexdigest()}


def _sentence(name: str, command: str, told: Mapping[str, Any] | None) -> str:
    if told is None:
        return f"{name}: none; nobody has run `{command}` here"
    said = told["summary"]
    counts = [f"{key} {value}" for key, value in said.items() if type(value) is int]
    right = "all right" if said.get("whole", True) else "right, BUT ONLY A PART"
    right = right if said["right"] else "NOT ALL RIGHT"
    return f"{name} of {told['utc'][:16]}Z: {right}; {', '.join(counts)}; {told['machine']}"
