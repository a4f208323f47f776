"""Every experiment file is a valid Chaos Toolkit file, and a misspelt one is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from blackstart.experiment import InvalidExperiment, load, read_journal

ROOT = Path(__file__).parent.parent
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_it_is_valid_and_heals(path: Path) -> None:
    experiment = load(path)

    calls = [(a["provider"]["module"], a["provider"]["func"]) for a in experiment["method"]]
    broken = [module for module, func in calls if func == "inject"]
    followed = [module for module, func in calls if func == "run"]
    undone = [(a["provider"]["module"], a["provider"]["func"]) for a in experiment["rollbacks"]]

    assert calls == [
        *((module, func) for module in broken for func in ("inject", "bite")),
        *((module, "run") for module in followed),
        ("blackstart.observe", "until_service_held"),
    ]
    assert undone == [
        *((module, "abandon") for module in reversed(followed)),
        *((module, "heal") for module in reversed(broken)),
    ]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_a_misspelt_argument_is_refused(path: Path, tmp_path: Path) -> None:
    experiment = yaml.safe_load(path.read_text())
    experiment["method"][0]["provider"]["arguments"]["clutser"] = "ledger"
    bad = tmp_path / "bad.yaml"
    bad.write_text(yaml.safe_dump(experiment))

    with pytest.raises(InvalidExperiment, match=r"bad\.yaml.*clutser"):
        load(bad)


@pytest.mark.parametrize(
    "content", ["", "- 1", "title: x", "{", "title: [", "method: 3\ntitle: x\ndescription: y"]
)
def test_what_is_no_experiment_gets_one_line(content: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(content)

    with pytest.raises(InvalidExperiment, match=r"bad\.yaml") as caught:
        load(bad)

    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidExperiment, match="no such experiment file"):
        load(tmp_path / "none.yaml")


def test_a_journal_that_was_never_written_proves_nothing(tmp_path: Path) -> None:
    journal = read_journal(tmp_path / "journal.json")

    assert (journal.ran, journal.failures) == (False, ("no journal was left",))


def test_a_journal_that_was_cut_off_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "journal.json").write_text('{"run": [')

    assert not read_journal(tmp_path / "journal.json").ran
    assert read_journal(tmp_path / "journal.json").failures == ("the journal cannot be read",)
