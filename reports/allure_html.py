"""Allure's own page over the results in bundles, when Allure is there: a convenience, never the evidence.

Allure 3 needs Node, Allure 2 needs Java. Both write a page that reports to Google Analytics whoever opens it;
here that is cut out, and a policy put in under which the page can load nothing from anywhere.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from reports.allure_results import FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

VARIABLE = "BLACKSTART_ALLURE"
_WITHIN_S = 120.0
_ANALYTICS = re.compile(
    r"<script[^>]*googletagmanager[^>]*>\s*</script>|<script>(?:(?!</script>).)*\bgtag\((?:(?!</script>).)*</script>",
    re.DOTALL,
)
_ELSEWHERE = re.compile(
    r"googletagmanager|<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//"
)
_HEAD = re.compile(r"<head[^>]*>")
# its own scripts are in the page; they may run, and reach nothing
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data: blob:; style-src 'unsafe-inline' data: blob:; "
    "img-src data: blob:; font-src data:; connect-src data: blob:; frame-src data: blob:; "
    "worker-src data: blob:; base-uri 'none'; form-action 'none'"
)
_SAID = {"passed": "passed", "failed": "missed", "broken": "not proven"}


class NoAllure(Exception):
    """Allure is not here, or made nothing that could be sealed; the message says why."""


def program() -> str | None:
    """Return the Allure that would be used, None when there is none; the environment may name it."""
    return os.environ.get(VARIABLE) or shutil.which("allure")


def render(bundles: Sequence[Path], out: Path, history: Path) -> str:
    """Write one page over the results of these bundles; return which Allure made it. Raises NoAllure.

    Allure 3 keeps in `history` what it has shown, for its trend.
    """
    allure = program()
    if allure is None:
        raise NoAllure(f"no allure is on the PATH, and {VARIABLE} names none; the results are in {FOLDER}/")
    results = [str((bundle / FOLDER).resolve()) for bundle in bundles if (bundle / FOLDER).is_dir()]
    if len(results) != len(bundles):
        raise NoAllure(f"not every bundle has a folder {FOLDER}")
    version = _run([allure, "--version"]).split()[-1]
    with tempfile.TemporaryDirectory(prefix="blackstart-allure-") as place:
        into = Path(place) / "report"
        single = ["--single-file", "--output", str(into)]
        if version.startswith("2."):
            _run([allure, "generate", *single, *results])
        else:
            _run([allure, "awesome", *single, "--history-path", str(history.resolve()), *results])
        out.write_text(sealed((into / "index.html").read_text(encoding="utf-8")), encoding="utf-8")
    return f"Allure {version}"


def sealed(page: str) -> str:
    """Return the page without its analytics, under a policy that lets nothing in or out. Raises NoAllure."""
    kept = _ANALYTICS.sub("", page)
    head = _HEAD.search(kept)
    if head is None or _ELSEWHERE.search(kept):
        raise NoAllure("its page cannot be sealed: it still names something that lies elsewhere")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    return kept[: head.end()] + policy + kept[head.end() :]


def counts(bundles: Sequence[Path]) -> str:
    """Return how many results there are of each kind, in words; a percentage would hide what it is of."""
    found = Counter(
        json.loads(path.read_bytes())["status"]
        for bundle in bundles
        for path in (bundle / FOLDER).glob("*-result.json")
    )
    return ", ".join(f"{found[status]} {word}" for status, word in _SAID.items())


def _run(argv: list[str]) -> str:
    quiet = {**os.environ, "ALLURE_NO_ANALYTICS": "true"}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_WITHIN_S, check=False, env=quiet)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAllure(f"{argv[0]}: {error}") from error
    if done.returncode:
        raise NoAllure(f"{argv[0]}: {(done.stderr or done.stdout)[-300:]}")
    return done.stdout
