"""The report in a real browser: understood on the first screen, nothing fetched, nothing run, accessible."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import pytest

from catalogue import DRILLS
from reports import files, glance, noticed
from reports.evidence.pdf import browser
from tests import browser as browsers
from tests.reports.drilled import failover, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser import Browser

pytestmark = pytest.mark.skipif(browser() is None, reason="no Chromium is here")
PAGES = ("PASSED", "FAILED", "UNKNOWN")
# what is over 100 lines of script needs a page without a policy; the page itself is tested with it
AXE = "axe.run(document).then(found => found.violations.map(v => v.id + ': ' + v.nodes[0].html))"


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browsers.running() as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report of each verdict, with as much on it as there can be."""
    made = {}
    for verdict, down_s in zip(PAGES, (0.0, 2.0, 40.0), strict=True):
        folder = tmp_path_factory.mktemp(verdict)
        history = failover(folder / "history", down_s=down_s)
        wrong = [{"kind": "acknowledged, and gone", "key": "r-0-1", "detail": "100 cents from 1 to 2"}]
        before = [told(history, run=f"a-{n}") for n in range(9)]
        record = told(history, earlier=before, discrepancies=wrong, reasons=["<doubt>"])
        record["verdict"] = verdict
        made[verdict] = files.write(record, history, folder / "drill")
    return made


def test_nothing_is_fetched_and_nothing_runs(tab: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    smuggled = tmp_path / "report.html"
    more = "<script>document.title='it ran'</script><img src='https://example.invalid/x.png'>"
    smuggled.write_text(pages["FAILED"].read_text().replace("</main>", f"{more}</main>"))

    for page in (*pages.values(), smuggled):
        tab.open(page)
        elsewhere = [url for url in tab.requested if not url.startswith((page.resolve().as_uri(), "data:"))]

        assert elsewhere == []
        assert tab.say("document.title") != "it ran"
        assert tab.say("getComputedStyle(document.querySelector('.glance')).display") == "grid"


def test_a_script_would_run_without_the_policy(tab: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    smuggled = tmp_path / "report.html"
    script = "<script>document.title='it ran'</script></main>"
    smuggled.write_text(pages["FAILED"].read_text().replace("</main>", script))

    tab.open(smuggled, without_policy=True)

    assert tab.say("document.title") == "it ran"


@pytest.mark.parametrize("verdict", PAGES)
def test_the_first_screen_holds_the_verdict_the_answers_and_every_promise(
    tab: Browser, pages: dict[str, Path], verdict: str
) -> None:
    tab.open(pages[verdict])
    height = browsers.DESKTOP[1]

    assert tab.say("document.querySelector('.verdict').innerText").startswith(verdict)
    assert tab.say("document.querySelectorAll('.glance dd.answer').length") == 4
    lowest = "document.querySelector('table tbody tr:last-child').getBoundingClientRect().bottom"
    assert tab.say(lowest) <= height


@pytest.mark.parametrize("size", [browsers.DESKTOP, browsers.PHONE], ids=["desktop", "phone"])
def test_nothing_sticks_out_sideways(tab: Browser, pages: dict[str, Path], size: tuple[int, int]) -> None:
    for page in pages.values():
        tab.open(page, size)

        assert tab.say("document.scrollingElement.scrollWidth") <= size[0]


def test_on_a_phone_each_cell_says_what_it_is(tab: Browser, pages: dict[str, Path]) -> None:
    tab.open(pages["FAILED"], browsers.PHONE)

    said = "getComputedStyle(document.querySelector('td[data-of=measured]'), '::before').content"
    assert tab.say(said).replace('" "', "") == '"measured: "'
    assert tab.say("getComputedStyle(document.querySelector('thead')).display") == "none"


def test_verdicts_are_told_by_words_and_not_by_colour(tab: Browser, pages: dict[str, Path]) -> None:
    tab.open(pages["FAILED"])

    cells = "[...document.querySelectorAll('td.PASSED, td.FAILED, td.UNKNOWN')]"
    pairs = tab.say(f"{cells}.map(cell => [cell.className, cell.innerText])")
    assert {"PASSED", "FAILED"} <= {kind for kind, _ in pairs}
    assert all(kind == word for kind, word in pairs)
    borders = "getComputedStyle(document.querySelector('.verdict')).borderTopStyle"
    styles = []
    for page in pages.values():
        tab.open(page)
        styles.append(tab.say(borders))
    assert len(set(styles)) == len(PAGES)


@pytest.mark.parametrize("size", [browsers.DESKTOP, browsers.PHONE], ids=["desktop", "phone"])
def test_an_automated_check_finds_it_accessible(
    tab: Browser, pages: dict[str, Path], size: tuple[int, int]
) -> None:
    axe = (resources.files("axe_core_python") / "axe.min.js").read_text()
    tab.open(pages["FAILED"], size, without_policy=True)
    tab.say(f"{axe}\n;0")

    assert tab.say(AXE) == []


def test_every_picture_says_in_words_what_it_shows(tab: Browser, pages: dict[str, Path]) -> None:
    tab.open(pages["FAILED"])

    words = tab.say("[...document.images].map(image => [image.alt, image.complete && image.naturalWidth])")
    assert len(words) == 3  # the load, the way back, the trend
    assert all(len(alt) > 40 and width for alt, width in words)


def test_every_drill_measures_what_the_first_screen_answers() -> None:
    """A promise that is renamed would leave the first screen without its answer."""
    for name, spec in DRILLS.items():
        named = {objective.name for objective in spec.objectives} | {figure.name for figure in spec.figures}
        assert {glance.LOST, noticed.NAME} <= named, name
