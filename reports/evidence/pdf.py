"""The report as a PDF, printed by a headless Chromium that is allowed no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_WITHIN_S = 60.0
QUIET = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


class NoPdf(Exception):
    """There is no browser, or it printed nothing."""


def browser() -> str | None:
    """Return the browser that would print, None when there is none."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def pdf(page: Path, out: Path) -> None:
    """Print a page. Raises NoPdf."""
    program = browser()
    if program is None:
        raise NoPdf(f"none of these is here: {', '.join(_BROWSERS)}")
    with tempfile.TemporaryDirectory(prefix="blackstart-pdf-") as profile:
        argv = [program, *QUIET, f"--user-data-dir={profile}", "--no-pdf-header-footer"]
        if os.geteuid() == 0:
            argv.append("--no-sandbox")  # it refuses to run as root with one; the page has no scripts
        argv += [f"--print-to-pdf={out.resolve()}", page.resolve().as_uri()]
        try:
            done = subprocess.run(argv, capture_output=True, timeout=_WITHIN_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoPdf(f"{program}: {error}") from error
    if not out.exists() or not out.read_bytes().startswith(b"%PDF"):
        raise NoPdf(f"{program} printed nothing: {done.stderr.decode(errors='replace')[-300:]}")
