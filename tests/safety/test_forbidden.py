"""What must not be done is refused with one line, and the control plane sees no change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.safety import forbidden
from tests.safety.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20261123


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    built = Scene(tmp_path_factory.mktemp("scene"))
    yield built
    built.stop()


def test_what_is_allowed_is_let_through(scene: Scene) -> None:
    assert forbidden.controls(scene) == dict.fromkeys(forbidden.FAULTS, "")


def test_every_kind_of_forbidden_plan_is_refused_and_changes_nothing(scene: Scene) -> None:
    """A few of each kind; `bench/forbidden.py` runs all of them."""
    chosen: dict[str, list[forbidden.Case]] = {}
    for case in forbidden.cases(scene, SEED):
        chosen.setdefault(case.kind, []).append(case)
    outcomes = [forbidden.run(scene, case) for some in chosen.values() for case in some[:4]]

    assert len(chosen) >= 20
    assert [(o.case.kind, o.case.name, o.said, o.in_the_trail) for o in outcomes if not o.held] == []


def test_only_code_past_the_guards_gets_as_far_as_the_choke_point(scene: Scene) -> None:
    kinds = {"wrong account", "tag on one of many", "closed window", "no valid approval"}
    some = [case for case in forbidden.cases(scene, SEED) if case.kind in kinds][:12]

    assert [o.case.name for case in some if (o := forbidden.run(scene, case)).at_the_choke] == []
