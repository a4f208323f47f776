"""What files for machines say, whatever their bytes: the same figures may be written in another way."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from reports import allure_results, junit

if TYPE_CHECKING:
    from collections.abc import Callable

_PRECISION = 0.001  # tables have three decimals
RESULT = "-result.json"


def is_data(name: str) -> bool:
    """Tell whether a file of a bundle, by its name, holds figures or verdicts that can be compared."""
    return _reader(name) is not None


def says_the_same(name: str, told: bytes, found: bytes) -> bool:
    """Compare two contents of a file that `is_data`; one that cannot be read says something else."""
    read = _reader(name)
    if read is None:
        raise ValueError(f"{name} is nothing to compare")
    try:
        return _same(read(told), read(found))
    except (ValueError, TypeError, KeyError, AttributeError, ET.ParseError, csv.Error, RecursionError):
        return False


def _reader(name: str) -> Callable[[bytes], object] | None:
    if name == junit.FILE:
        return _cases
    if name.endswith(".csv"):
        return _table
    if name.startswith(f"{allure_results.FOLDER}/") and name.endswith(RESULT):
        return _result
    return None


def _cases(content: bytes) -> object:
    """Return what was counted, and of each test its name and how it ended."""
    suite = ET.fromstring(content)  # noqa: S314 - the parser itself bounds what entities become
    counted = [suite.get(name, "") for name in ("name", "tests", "failures", "errors", "skipped")]
    cases = [
        [case.get("classname", ""), case.get("name", ""), *sorted(ended.tag for ended in case)]
        for case in suite.iter("testcase")
    ]
    return [counted, *cases]


def _table(content: bytes) -> object:
    return list(csv.reader(io.StringIO(content.decode("utf-8"))))


def _result(content: bytes) -> object:
    result = json.loads(content)
    return [str(result[name]) for name in ("name", "fullName", "historyId", "status")]


def _same(told: object, found: object) -> bool:
    if isinstance(told, list) and isinstance(found, list):
        return len(told) == len(found) and all(map(_same, told, found))
    return told == found or _close(str(told), str(found))


def _close(told: str, found: str) -> bool:
    try:
        return math.isclose(float(told), float(found), rel_tol=0.0, abs_tol=_PRECISION)
    except ValueError:  # words
        return False
