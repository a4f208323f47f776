"""Screen, page and chart say what the record says, and nothing that it does not."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from rich.console import Console

from blackstart.verdict import Verdict
from reports import charts, files, screen, words
from reports.page import page
from reports.pictures import Picture
from reports.record import MeasuredRecord, Record
from reports.series import marks, series, to_csv
from tests.histories import Story
from tests.reports.drilled import failover, told

if TYPE_CHECKING:
    from pathlib import Path


def shown(record: Record, report: Path | None = None) -> str:
    text = io.StringIO()
    screen.show(record, Console(file=text, highlight=False), report)
    return text.getvalue()


def interval(low: float | None, high: float | None, unit: str) -> str:
    return words.interval(MeasuredRecord(low=low, high=high, unit=unit, samples=1, note=""))


@pytest.mark.parametrize(
    ("low", "high", "unit", "read"),
    [
        (3.2109, 3.2111, "s", "3.21 to 3.212 s"),
        (0.0, 0.0, "records", "0 records"),
        (12345.0, 12345.0, "records", "12,345 records"),
        (40.0, None, "s", "more than 40 s"),
        (None, 5.0, "s", "less than 5 s"),
        (None, None, "%", "not measured"),
        (99.89996, 100.0, "%", "99.899 to 100 %"),  # never rounded up to a kept promise
        (12.0, 200.04, "ms", "12 to 200.1 ms"),
        (0.1 + 0.2, 0.1 + 0.2, "s", "0.3 s"),
    ],
)
def test_an_interval_is_rounded_outwards(low: float | None, high: float | None, unit: str, read: str) -> None:
    assert interval(low, high, unit) == read


def test_the_screen_says_the_verdict_first_and_holds_every_promise(tmp_path: Path) -> None:
    record = told(failover(tmp_path))

    text = shown(record, tmp_path / "report.html")

    assert text.strip().startswith(f"{record['verdict']}  aurora-failover")
    for objective in record["objectives"]:
        line = next(line for line in text.splitlines() if line.startswith(objective["name"]))
        assert line.endswith(objective["verdict"])
        assert objective["clause"] in line
    assert str(tmp_path / "report.html") in text
    assert "\x1b" not in text


def test_the_screen_names_what_was_missed_and_why(tmp_path: Path) -> None:
    record = told(failover(tmp_path, down_s=40.0), reasons=["after healing: [red]not whole[/red]"])

    text = shown(record)

    assert "FAILED" in text
    assert "UNKNOWN  recovery time: service was never seen to hold" in text
    assert "after healing: [red]not whole[/red]" in text


def test_the_screen_of_a_stopped_drill_says_that_nothing_was_judged(tmp_path: Path) -> None:
    record = told(Story(tmp_path).tell(), judgements=(), verdict=Verdict.UNKNOWN, reasons=["stopped: SIGINT"])

    assert shown(record).strip().startswith("UNKNOWN  aurora-failover: stopped: SIGINT")


def test_the_page_is_static_and_loads_nothing(tmp_path: Path) -> None:
    drawn = Picture(svg=b"<svg/>", words='a "chart"', csv="", by_phase="", step_by_step="")
    html = page(told(failover(tmp_path)), drawn)

    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;" in html
    assert not re.search(r"<script|<link|<iframe|javascript:|\son\w+=|style=|url\(|src=\"http|href=", html)
    assert 'alt="a &quot;chart&quot;"' in html


def test_the_page_escapes_what_it_is_told(tmp_path: Path) -> None:
    html = page(told(failover(tmp_path)), None)

    assert "<b>planted" not in html
    assert "&lt;b&gt;planted" in html
    assert "&lt;i&gt;moved" in html


def test_the_page_holds_promises_discrepancies_and_what_is_not_shown(tmp_path: Path) -> None:
    wrong = [{"kind": "acknowledged, and gone", "key": "r-0-1", "detail": "100 cents from 1 to 2"}]
    record = told(failover(tmp_path), discrepancies=wrong)

    html = page(record, None)

    assert record["objectives"][0]["promise"].split('"')[0] in html
    assert "100 cents from 1 to 2" in html
    assert all(limit.split("'")[0] in html for limit in record["not_shown"])
    assert html.index("<strong>") < html.index("<table")


def test_the_series_counts_every_request_in_its_bin(tmp_path: Path) -> None:
    history = failover(tmp_path)

    drawn = series(history)

    assert drawn.intended.sum() == len(history.requests)
    assert drawn.bin_s == 0.1
    during = (drawn.from_s > 0) & (drawn.from_s < 1.9)
    assert np.all(drawn.availability[during] == 0)
    assert np.all(np.isinf(drawn.p99_ms[during]))
    assert np.all(drawn.availability[drawn.from_s > 2.1] == 100)


def test_at_a_low_rate_the_bins_are_wider(tmp_path: Path) -> None:
    assert series(failover(tmp_path, rate=100.0)).bin_s == 0.5


def test_the_marks_are_where_things_happened(tmp_path: Path) -> None:
    history = failover(tmp_path)

    found = {mark.name: mark for mark in marks(history, told(history)["recovery"])}

    assert (found["fault"].from_s, found["fault"].until_s) == (0, 0.1)
    assert found["first alarm"].from_s == 1
    assert found["recovery"].from_s < 2 < found["recovery"].until_s
    assert (found["healing"].from_s, found["healing"].until_s) == (6, 6.2)


def test_an_unknown_recovery_has_no_mark(tmp_path: Path) -> None:
    history = failover(tmp_path, down_s=40.0)

    assert "recovery" not in {mark.name for mark in marks(history, told(history)["recovery"])}


def test_the_chart_has_the_same_bytes_each_time_and_is_an_svg(tmp_path: Path) -> None:
    history = failover(tmp_path)
    drawn, marked = series(history), marks(history, told(history)["recovery"])

    first = charts.draw(drawn, marked)

    assert first == charts.draw(drawn, marked)
    assert ET.fromstring(first).tag.endswith("svg")  # noqa: S314 - our own chart
    assert b"<script" not in first


def test_an_instant_reads_as_a_time_of_day() -> None:
    """To the millisecond, cut off rather than rounded up; nothing for an instant nobody knows."""
    assert words.utc_clock("2026-11-23T08:58:43.911783+00:00") == "08:58:43.911"
    assert not words.utc_clock(None)


def test_the_chart_in_words(tmp_path: Path) -> None:
    history = failover(tmp_path)

    text = charts.alternative(series(history), marks(history, None))

    assert text == (
        "Availability and latency over 12 s in steps of 0.1 s. Availability fell to 0 % at worst. "
        "fault at 0.0 to 0.1 s; first alarm at 1.0 s; healing at 6.0 to 6.2 s."
    )


def test_the_numbers_behind_the_chart(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(series(failover(tmp_path))))))

    dark = next(row for row in rows if row["from_s"] == "1")
    assert (dark["ok"], dark["p99_ms"]) == ("0", "inf")
    assert sum(int(row["intended"]) for row in rows) == 12_001


def test_all_files_are_written(tmp_path: Path) -> None:
    history = failover(tmp_path / "history")

    report = files.write(told(history), history, tmp_path / "drill")

    assert report.name == "report.html"
    assert {path.name for path in report.parent.iterdir()} == {
        "record.json", "record.schema.json", "junit.xml", "report.html", "chart.svg", "chart.csv",
        "allure-results",
    }  # fmt: skip


def test_without_requests_there_is_a_page_and_no_chart(tmp_path: Path) -> None:
    history = Story(tmp_path / "history").tell()
    record = told(history, judgements=(), verdict=Verdict.UNKNOWN)

    report = files.write(record, history, tmp_path / "drill")

    names = {"record.json", "record.schema.json", "junit.xml", "report.html", "allure-results"}
    assert {path.name for path in report.parent.iterdir()} == names
