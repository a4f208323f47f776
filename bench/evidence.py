"""Evidence: what sealing and verifying cost, and the table of what was done to bundles and found.

python bench/evidence.py cost [MINUTES] [RATE]    time and memory for a bundle of that length
python bench/evidence.py flips                    every byte of a small bundle, and every attack, counted
python bench/evidence.py flips BUNDLE [FILE...]   the same for a copy of a real one, or for these files of it;
                                                  of files beyond 256 kB every 101st byte: hashing them
                                                  again for each would take hours
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from blackstart.commands.verify import verified
from reports.evidence import keys, sums, verify
from reports.evidence.keys import LocalKey
from tests.histories import Story, ns
from tests.reports.drilled import failover
from tests.reports.evidence import attacks, bundles

TRANSFERS = 3  # of ten requests
LARGE, STRIDE = 1 << 18, 101


def cost(minutes: float, rate: float) -> None:
    """Build in one process, verify in another, so that each one's memory is its own."""
    with tempfile.TemporaryDirectory(prefix="blackstart-evidence-") as home:
        begun = time.monotonic()
        made = bundles.sealed(
            Path(home), rate=rate, tell=lambda history, rate: long_drill(history, rate, minutes * 60)
        )
        size = sum(path.stat().st_size for path in made.folder.rglob("*") if path.is_file())
        took = time.monotonic() - begun
        print(f"bundle: {minutes:g} min at {rate:g}/s, {size / 1e6:.1f} MB; made in {took:.1f} s")
        for name in sums.SIDE:
            (made.folder / name).unlink()
        begun = time.monotonic()
        bundles.close_again(made)
        print(f"sealing: {time.monotonic() - begun:.2f} s")
        for what in ("--no-measuring", "all"):
            subprocess.run([sys.executable, __file__, "verify", str(made.folder), what], check=True)


def long_drill(folder: Path, rate: float, seconds: float) -> None:
    """Write what a drill of that length leaves: three in ten are transfers, all are read back."""
    failover(folder, rate=rate)
    path = folder / "requests-0.jsonl"
    header, *_ = path.read_text().splitlines(keepends=True)
    with path.open("w") as requests, (folder / "final.jsonl").open("w") as final:
        requests.write(header)
        for number in range(int(rate * seconds)):
            requests.write(_request(number, rate))
            if number % 10 < TRANSFERS:
                final.write(_read_back(number))
        requests.write(f'{{"kind": "footer", "scheduled": {int(rate * seconds)}}}\n')
        for account in (1, 2):
            told = {"kind": "account", "id": account, "opening": 0, "balance": 0, "entries_sum": 0}
            final.write(json.dumps(told) + "\n")
        final.write('{"kind":"complete"}\n')


def short_drill(folder: Path) -> None:
    """Write a history of a few requests, so that every byte can be flipped in a minute."""
    story = Story(folder).event("phase", 0.0, name="inject").fault(1.0).healed(2.0)
    story.tell()


def _request(number: int, rate: float) -> str:
    at = ns(number / rate)
    is_down = 3.0 <= number / rate < 5.0  # as `failover` has it
    outcome = '"failed","timeout",0' if is_down else '"ok","",200'
    is_transfer = number % 10 < TRANSFERS
    endpoint, key = ("transfer", f'"r-1-0-{number}",[1,2,0]') if is_transfer else ("balance", '"",null')
    if is_transfer:
        outcome = '"unknown","timeout",0' if is_down else '"ok","",201'
    task = "2a19a7be33ec46febc12d2a4cf6e730b"
    return f'[{at},{at + 300_000},{at + 4_000_000},"{endpoint}",{outcome},{key},"{task}","us-east-1a"]\n'


def _read_back(number: int) -> str:
    known = f'"debit":1,"credit":2,"cents":0,"entries":2,"entries_ok":true,"committed_at_ns":{number}'
    return f'{{"kind":"transfer","key":"r-1-0-{number}",{known}}}\n'


def verify_one(folder: Path, what: str) -> None:
    """Verify, and say what it took."""
    begun, cpu = time.monotonic(), time.process_time()
    here = None if what == "--no-measuring" else bundles.here()
    found = verified(folder, run=folder.name, fingerprint=None, runs=None, here=here)
    # not ru_maxrss: that begins with what the parent had
    status = Path("/proc/self/status").read_text()
    peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024
    took = (
        f"{time.monotonic() - begun:.2f} s, {time.process_time() - cpu:.2f} s of CPU, {peak:.0f} MB at most"
    )
    print(f"verify {'the seal only' if here is None else 'and measure again'}: {took}; {found.conclusion}")


def flips() -> None:
    """Flip every byte of a small bundle, then do everything else that is on the list."""
    with tempfile.TemporaryDirectory(prefix="blackstart-evidence-") as home:
        key = LocalKey.at(Path(home) / "key.pem")
        small = bundles.sealed(Path(home) / "small", "r-1", key=key, tell=lambda at, _: short_drill(at))
        made = bundles.sealed(Path(home) / "one", "r-1", key=key)
        other = bundles.sealed(Path(home) / "two", "r-0", key=key)
        _print_flips("a small bundle", _flip_all(small.folder, small.fingerprint))
        for title, kind, measure in (
            ("by somebody without the key", attacks.OUTSIDERS, False),
            ("by an insider who signs properly", attacks.INSIDERS, True),
            ("to the run ledger", attacks.RUN_LEDGER, False),
        ):
            results = [_attack(Path(home), attack, made, other, measure=measure) for attack in kind]
            print(f"| {title} | {sum(results)} of {len(results)} |")


def flips_of(bundle: Path, files: list[str]) -> None:
    """Flip every byte of a copy of a real bundle, file by file."""
    with tempfile.TemporaryDirectory(prefix="blackstart-evidence-") as place:
        copy = Path(place) / bundle.resolve().name
        shutil.copytree(bundle, copy)
        fingerprint = keys.fingerprint((copy / sums.PUBLIC_KEY).read_bytes())
        _print_flips(copy.name, _flip_all(copy, fingerprint, files))


def _print_flips(what: str, counted: tuple[int, int, int]) -> None:
    total, found, named = counted
    print(
        f"| one bit in every byte of {what} | {found:,} of {total:,} found, {named:,} with its file named |"
    )


def _flip_all(folder: Path, fingerprint: str, files: list[str] | None = None) -> tuple[int, int, int]:
    total = found = named = 0
    listed = sums.parse((folder / sums.SUMS).read_bytes())
    for name in files or (*sorted(sums.SIDE), *listed):
        path = folder / name
        content = path.read_bytes()
        with path.open("r+b", buffering=0) as file:
            for position in range(0, len(content), STRIDE if len(content) > LARGE else 1):
                byte = content[position]
                os.pwrite(file.fileno(), bytes([byte ^ 1]), position)
                where = _found_in(folder, fingerprint, name, listed)
                total, found, named = total + 1, found + bool(where), named + (name in where)
                os.pwrite(file.fileno(), bytes([byte]), position)
        print(f"{name}: {len(content):,} bytes", file=sys.stderr, flush=True)
    return total, found, named


def _found_in(folder: Path, fingerprint: str, name: str, listed: dict[str, str]) -> set[str]:
    """Return the files that are named; of a listed file the check of its hash is the one that must."""
    if name in sums.SIDE:
        problems = verify.check(folder, run=folder.name, fingerprint=fingerprint).problems
    else:
        problems = list(sums.departures(folder, {name: listed[name]}))
    return {problem.where for problem in problems if problem.where == name or name in sums.SIDE}


def _attack(
    home: Path, attack: attacks.Attack, made: bundles.Sealed, other: bundles.Sealed, *, measure: bool
) -> bool:
    with tempfile.TemporaryDirectory(dir=home) as place:
        folder = Path(place) / "drills" / made.folder.name
        shutil.copytree(made.folder, folder)
        shutil.copy(made.runs, Path(place) / "runs.jsonl")
        copy = dataclasses.replace(made, folder=folder, runs=Path(place) / "runs.jsonl")
        attack.do(copy, other)
        found = verified(
            folder, run="r-1", fingerprint=made.fingerprint, here=bundles.here() if measure else None,
            runs=copy.runs if attack.with_runs else None,
        )  # fmt: skip
        is_named = attack.found_by in {problem.check for problem in found.problems}
        print(f"{'found' if is_named else 'MISSED':7} {attack.name}", file=sys.stderr)
        return is_named


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["cost", *more]:
            minutes, rate = (*more, *("10", "1000")[len(more) :])
            cost(float(minutes), float(rate))
        case ["verify", folder, what]:
            verify_one(Path(folder), what)
        case ["flips"]:
            flips()
        case ["flips", bundle, *files]:
            flips_of(Path(bundle), files)
        case _:
            sys.exit(__doc__)
