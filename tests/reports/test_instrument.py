"""Every bundle carries what is known of the instrument, and says so when that is nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema

from blackstart.commands.selftest import SELFTEST, SELFTESTS
from reports import instrument, page
from selftest import matrix, summary
from tests.reports.drilled import failover, told

SCHEMA = json.loads(Path(instrument.__file__).with_name("record.schema.json").read_text())


def calibrated(home: Path, utc: str, **summary: Any) -> Path:
    file = home / "calibrations" / utc / "calibration.json"
    file.parent.mkdir(parents=True)
    told = {"schema": "s", "utc": utc, "machine": "m", "summary": {"right": True, **summary}, "readings": [1]}
    file.write_text(json.dumps(told))
    return file


def test_the_newest_is_carried_without_its_readings(tmp_path: Path) -> None:
    calibrated(tmp_path, "2026-11-21T00:00:00", outages=1)
    newest = calibrated(tmp_path, "2026-11-23T12:00:00", outages=144)

    instrument.freeze(tmp_path, tmp_path)

    proofs = instrument.read(tmp_path)
    calibration = proofs["calibration"]
    assert calibration
    assert calibration["summary"] == {"right": True, "outages": 144}
    assert calibration["sha256"] == hashlib.sha256(newest.read_bytes()).hexdigest()
    assert "readings" not in calibration
    assert instrument.sentences(proofs) == [
        "calibration of 2026-11-23T12:00Z: all right; outages 144; m",
        "selftest: none; nobody has run `blackstart selftest` here",
    ]


def test_what_the_self_test_writes_is_carried(tmp_path: Path) -> None:
    file = tmp_path / SELFTESTS / "20261123T120000" / SELFTEST
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(summary.build(matrix.DEFECTS, {})))

    instrument.freeze(tmp_path, tmp_path)

    carried = instrument.read(tmp_path)["selftest"]
    assert carried
    assert carried["summary"]["runs planned"] == len(matrix.DEFECTS)
    assert carried["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert not {"results", "not run"} & set(carried)
    assert (
        f"NOT ALL RIGHT; runs planned {len(matrix.DEFECTS)}, runs done 0"
        in instrument.sentences({"selftest": carried})[1]
    )
    jsonschema.validate(told(failover(tmp_path / "history"), proofs=instrument.read(tmp_path)), SCHEMA)


def test_a_self_test_of_a_part_is_not_called_all_right() -> None:
    said = summary.summary(matrix.SABOTAGES, {})
    told = {"utc": "2026-11-23T12:00:00", "machine": "m", "summary": {**said, "right": True}}

    assert not said["whole"]
    assert "right, BUT ONLY A PART; runs planned" in instrument.sentences({"selftest": told})[1]


def test_the_record_and_the_page_say_it(tmp_path: Path) -> None:
    calibrated(tmp_path, "2026-11-23T12:00:00", right=False)
    instrument.freeze(tmp_path, tmp_path)

    record = told(failover(tmp_path / "history"), proofs=instrument.read(tmp_path))

    jsonschema.validate(record, SCHEMA)
    assert "NOT ALL RIGHT" in page.page(record, None)


def test_nothing_known_is_null(tmp_path: Path) -> None:
    record = told(failover(tmp_path))

    assert record["instrument"] == instrument.read(tmp_path) == {"calibration": None, "selftest": None}
    jsonschema.validate(record, SCHEMA)
    assert "nobody has run `blackstart calibrate` here" in page.page(record, None)
