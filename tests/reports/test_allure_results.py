"""Every bundle holds Allure's results; its page is made where Allure is, and then it can reach nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from blackstart.cli import main
from reports import allure_html, allure_results, files
from reports.evidence.pdf import browser
from tests import browser as browsers
from tests.reports.drilled import failover, told

if TYPE_CHECKING:
    from pathlib import Path

    from reports.record import Record

PAGE = """<!DOCTYPE html><html dir="ltr"><head><title>x</title></head><body>
<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>
<script>window.dataLayer = []; function gtag(){} gtag('js', new Date());</script>
<script>window.kept = 1;</script></body></html>"""


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Path]:
    """A drill that failed, and has a promise of each verdict."""
    home = tmp_path_factory.mktemp("home")
    history = failover(home / "history")
    record = told(history, run="a-run")
    record["objectives"][1]["verdict"] = "UNKNOWN"
    files.write(record, history, home / "drills" / "a-run")
    return record, home


def test_there_is_a_result_for_each_promise_and_one_for_the_drill(drilled: tuple[Record, Path]) -> None:
    record, home = drilled
    folder = home / "drills" / "a-run" / allure_results.FOLDER
    results = [json.loads(path.read_text()) for path in folder.glob("*-result.json")]
    status = {result["name"]: result["status"] for result in results}

    promises = record["preconditions"] + record["objectives"]
    expected = {"PASSED": "passed", "FAILED": "failed", "UNKNOWN": "broken"}
    assert status == {
        **{promise["name"]: expected[promise["verdict"]] for promise in promises},
        allure_results.AS_A_WHOLE: expected[record["verdict"]],
    }
    assert {"failed", "broken", "passed"} == set(status.values())


def test_every_attachment_is_there(drilled: tuple[Record, Path]) -> None:
    folder = drilled[1] / "drills" / "a-run" / allure_results.FOLDER
    whole = [json.loads(path.read_text()) for path in folder.glob("*-result.json")]
    sources = [attached["source"] for result in whole for attached in result.get("attachments", ())]

    assert len(sources) == 2
    assert all((folder / source).stat().st_size for source in sources)


def test_a_promise_is_known_again_in_another_run_and_its_file_is_not(tmp_path: Path) -> None:
    history = failover(tmp_path)

    one, two = (allure_results.files_of(told(history, run=run), {}) for run in ("a", "b"))

    assert not {name for name in one if name.endswith("-result.json")} & set(two)
    known = [
        sorted(json.loads(r)["historyId"] for n, r in made.items() if "-result" in n) for made in (one, two)
    ]
    assert known[0] == known[1]


def test_counts_are_told_and_no_percentage(drilled: tuple[Record, Path]) -> None:
    told_in_words = allure_html.counts([drilled[1] / "drills" / "a-run"])

    assert told_in_words.endswith("1 not proven")
    assert "%" not in told_in_words


def test_analytics_are_cut_out_and_a_policy_is_put_in() -> None:
    page = allure_html.sealed(PAGE)

    assert "google" not in page
    assert "gtag" not in page
    assert "window.kept = 1" in page
    assert page.index("Content-Security-Policy") < page.index("<title>")


def test_a_page_that_loads_from_elsewhere_is_not_passed_on() -> None:
    with pytest.raises(allure_html.NoAllure, match="elsewhere"):
        allure_html.sealed("<html><head></head><script src='//cdn.example/x.js'></script></html>")


def test_without_allure_it_says_so(drilled: tuple[Record, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(allure_html.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", "/nowhere")

    told_so = CliRunner().invoke(main, ["--home", str(drilled[1]), "allure", "x.html"])

    assert told_so.exit_code == 2
    assert allure_html.VARIABLE in told_so.output


@pytest.mark.skipif(allure_html.program() is None, reason="no Allure is here: it needs Node or Java")
@pytest.mark.skipif(browser() is None, reason="no Chromium is here")
def test_its_page_shows_every_promise_and_asks_nobody(drilled: tuple[Record, Path], tmp_path: Path) -> None:
    page = tmp_path / "allure.html"
    made = CliRunner().invoke(main, ["--home", str(drilled[1]), "allure", str(page)])
    assert made.exit_code == 0, made.output

    with browsers.running() as tab:
        tab.open(page)
        shown = tab.until("document.body.innerText.includes('acknowledged transfers lost')")
        elsewhere = [url for url in tab.requested if not url.startswith(("file:", "data:", "blob:"))]

    assert shown
    assert elsewhere == []
