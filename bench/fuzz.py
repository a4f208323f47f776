"""Read ten thousand fuzzed experiment, staging and approval files as people would, and count.

    .venv/bin/python bench/fuzz.py --seed 1 --files 10000

A number and a seed always make the same file; `--first N` begins there, so that it can be done in pieces.
Exit code 1 when one ended in a traceback, in more than one line, or changed anything on the control plane.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.safety import fuzz
from tests.safety.scene import Scene


def main() -> None:
    """Read them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--files", type=int, default=10_000)
    chosen = parser.parse_args()
    os.environ.update(fuzz.SHELTERED)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="blackstart-fuzz-") as directory:
        scene = Scene(Path(directory))
        scene.announce()
        try:
            numbers = range(chosen.first, chosen.first + chosen.files)
            seen = fuzz.files(scene, chosen.seed, numbers, Path(directory))
            changes = scene.changes()
        finally:
            scene.stop()
    for (kind, code), count in sorted(Counter((read.kind, read.code) for read in seen).items()):
        print(f"{kind:10} exit code {code}: {count}")
    wrong = [read for read in seen if not read.good]
    for read in wrong[:50]:
        print(f"WRONG {read.kind} {read.number}: {(read.raised or read.said)[:300]!r}")
    print(f"{len(seen)} files, {sum(bool(read.raised) for read in seen)} tracebacks, {len(wrong)} wrong, "
          f"{len(changes)} changes; seed {chosen.seed}, {time.monotonic() - begun:.0f} s")  # fmt: skip
    sys.exit(bool(wrong or changes))


if __name__ == "__main__":
    main()
