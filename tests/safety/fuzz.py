"""Experiment, staging and approval files with something wrong in them, from a seed, read as people would.

A file that is still good must be planned; any other must be refused with one line, never with a traceback.
Nothing may change on the control plane.
"""

from __future__ import annotations

import copy
import random
import string
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from click.testing import CliRunner

from blackstart.cli import main
from reports.evidence import approval
from reports.evidence.keys import LocalKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.safety.scene import Scene

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))
STAGING = {
    "name": "fintech-staging", "account": "111122223333", "region": "us-east-1",
    "base_url": "https://bank.staging.example.com", "regions": ["us-west-2"],
    "limits": {"targets": 12, "share": 0.5, "seconds": 3600}, "destruction": False, "region_loss": False,
    "approvers": ["ab" * 32],
    "calendar": {
        "windows": [{"days": ["tue", "wed"], "from": "09:00", "to": "16:00", "zone": "Europe/Berlin"}],
        "freezes": [
            {"from": "2026-12-18T00:00:00+01:00", "to": "2027-01-07T00:00:00+01:00", "why": "end of year"}
        ],
    },
    "change_calendars": ["releases"], "prices_per_hour": {"Aurora instance": 0.29},
    "safeguards": {
        "region": "us-west-2", "table": "blackstart", "stop_parameter": "/blackstart/stop",
        "alarms": ["bank-5xx"], "budget_percent": 5,
    },
}  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, float("nan"), float("inf"), 10**40, "", " ", "*", "\x00", "\u202e",
    "é" * 50, [], {}, [[]], [None], {"a": {"b": []}}, "../../etc/passwd", "${none}", "${which}",
    "!!python/name:os.system", "production", "ledger", "writer of ", "writer of nobody",
    datetime(2026, 1, 1, tzinfo=UTC), b"\xff\xfe",
    "os", "subprocess", "system", "faults.none", "probes.steady", "chaosaws.ec2.actions", "stop_instance",
    "process", "http", 540, "24:00", "Europe/Nowhere", "http://[::", "https://", "2026-13-01", "x" * 5000,
)  # fmt: skip
# Files that are good lead to no account, and ask nobody on the way there.
SHELTERED = {
    "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "HTTPS_PROXY": "http://127.0.0.1:9",
}  # fmt: skip
NOISE = (
    *string.printable,
    "\x00",
    "\x85",
    "\u2028",
    "\ufeff",
    "- ",
    ": ",
    "&a ",
    "*a ",
    "!!",
    "? ",
    "{",
    "[",
    "|\n",
    "%",
)


@dataclass(frozen=True, kw_only=True)
class Read:
    """How a file was taken."""

    kind: str
    number: int
    code: int  # the exit code
    said: str  # on standard error
    raised: str  # what was never caught, "" when all was
    content: str

    @property
    def good(self) -> bool:
        """Whether it was planned, or refused with one line and a code that says that nothing was changed."""
        if self.raised:
            return False
        return self.code == 0 or (self.code in (2, 4) and len(self.said.strip().splitlines()) == 1)


def files(scene: Scene, seed: int, numbers: range, directory: Path) -> list[Read]:
    """Make the files with these numbers and read each; a number and a seed always make the same file."""
    return [_read(scene, seed, number, directory) for number in numbers]


def _read(scene: Scene, seed: int, number: int, directory: Path) -> Read:
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 - choices, not secrets
    kind = chance.choice(tuple(_KINDS))
    make, read = _KINDS[kind]
    path = directory / f"fuzzed-{number}{'.json' if kind == 'approval' else '.yaml'}"
    path.write_bytes(make(chance, directory))
    code, said, raised = read(scene, path)
    content = path.read_bytes().decode("utf-8", "replace")
    path.unlink()
    return Read(kind=kind, number=number, code=code, said=said, raised=raised, content=content)


# How files are made.


def _experiment(chance: random.Random, _: Path) -> bytes:
    return _spoilt(chance, yaml.safe_load(chance.choice(EXPERIMENTS).read_text()))


def _staging(chance: random.Random, _: Path) -> bytes:
    return _spoilt(chance, STAGING)


def _approval(chance: random.Random, directory: Path) -> bytes:
    path = directory / "good.json"
    if not path.exists():
        expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        given = approval.Approval(
            drill="az-loss", account="111122223333", plan="0" * 64, expires_utc=expires, name="Somebody",
            user="a@b", aws="arn:x",
        )  # fmt: skip
        approval.write(path, given, LocalKey.at(directory / "key.pem"))
    return _noisy(chance, path.read_bytes())


def _spoilt(chance: random.Random, good: Any) -> bytes:
    tree = copy.deepcopy(good)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        tree = _mutated(chance, tree)
    text = yaml.dump(tree, sort_keys=False, allow_unicode=chance.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    )
    return _noisy(chance, text) if chance.random() < 0.4 else text


def _mutated(chance: random.Random, tree: Any) -> Any:
    """Change one node, at any depth, to something else; or its name; or take it away, or double it."""
    if chance.random() < 0.15 or not isinstance(tree, dict | list) or not tree:
        return chance.choice(VALUES)
    key: Any = chance.choice(list(tree)) if isinstance(tree, dict) else chance.randrange(len(tree))
    what = chance.random()
    if what < 0.75:
        tree[key] = _mutated(chance, tree[key])
    elif isinstance(tree, list):
        tree[key:key] = [] if what < 0.85 else [copy.deepcopy(tree[key])]
    elif what < 0.85:
        del tree[key]
    else:
        tree[chance.choice((f"{key}x", key[:-1], "controls", "secrets", "runtime", "", "0"))] = tree.pop(key)
    return tree


def _noisy(chance: random.Random, text: bytes) -> bytes:
    """Cut, double, insert and replace a few bytes."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(text) + 1)
        to = min(len(text), at + chance.choice((1, 1, 3, 40)))
        noise = "".join(chance.choices(NOISE, k=chance.choice((0, 1, 2)))).encode("utf-8", "surrogatepass")
        text = text[:at] + chance.choice((noise, noise + text[at:to], text[at:to] * 2)) + text[to:]
    return text


# How files are read.


def _plan_it(scene: Scene, path: Path) -> tuple[int, str, str]:
    return _command(scene, "plan", str(path))


def _plan_on_it(scene: Scene, path: Path) -> tuple[int, str, str]:
    return _command(scene, "plan", "az-loss", "--staging", str(path))


def _command(scene: Scene, *words: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, ["--home", str(scene.home), *words])
    uncaught = ended.exception if not isinstance(ended.exception, SystemExit) else None
    return ended.exit_code, ended.stderr, "" if uncaught is None else f"{type(uncaught).__name__}: {uncaught}"


def _read_it(_: Scene, path: Path) -> tuple[int, str, str]:
    try:
        given = approval.read(path)
    except approval.BadApproval as error:
        return 4, " ".join(str(error).split()), ""
    except Exception as error:  # noqa: BLE001 - anything else is what is being looked for
        return 1, "", f"{type(error).__name__}: {error}"
    return (0 if all(asdict(given).values()) else 1), "", ""


_KINDS: dict[
    str, tuple[Callable[[random.Random, Path], bytes], Callable[[Scene, Path], tuple[int, str, str]]]
] = {
    "experiment": (_experiment, _plan_it),
    "staging": (_staging, _plan_on_it),
    "approval": (_approval, _read_it),
}
