"""The cluster is gone, and comes back: from wherever the process that healed it was killed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from blackstart.fault import Conflict, NothingToBreak
from blackstart.guards import check_plan
from faults.cluster_destroyed import ClusterDestroyed

if TYPE_CHECKING:
    from tests.faults.ledger_on_moto import Site

FAULT = ClusterDestroyed(cluster="ledger", bite_within_s=0.3)
NAME = "faults.cluster_destroyed:ClusterDestroyed"


def test_it_looks_without_touching_and_its_plan_is_allowed(site: Site) -> None:
    plan = FAULT.prepare(site)
    check_plan(site, plan)

    assert site.members() == ["ledger-1", "ledger-2"]
    assert [target.id for target in plan.targets] == ["ledger", "ledger-1", "ledger-2"]


def test_it_is_destroyed_and_brought_back_as_it_was(site: Site) -> None:
    plan = FAULT.prepare(site)
    entry = site.opened(NAME, plan)
    FAULT.inject(site, plan, entry)

    assert site.cluster() is None
    assert site.snapshots() == [f"blackstart-{entry.id}"]
    assert FAULT.bite(site, plan).confirmed

    for _ in range(2):
        FAULT.heal(site, plan, entry)
        cluster = site.cluster()

        assert site.members() == ["ledger-1", "ledger-2"]
        assert site.snapshots() == []
        assert cluster is not None
        assert cluster["DeletionProtection"]
        assert FAULT.prepare(site).before == plan.before


def test_a_bank_that_still_serves_is_no_bite(site: Site) -> None:
    plan = FAULT.prepare(site)
    FAULT.inject(site, plan, site.opened(NAME, plan))
    site.bank.pages["/health/ready"] = {}

    assert not FAULT.bite(site, plan).confirmed


def test_a_cluster_that_is_still_there_is_no_bite(site: Site) -> None:
    assert not FAULT.bite(site, FAULT.prepare(site)).confirmed


def test_what_a_runbook_has_recovered_is_left_alone(site: Site) -> None:
    plan = FAULT.prepare(site)
    entry = site.opened(NAME, plan)
    FAULT.inject(site, plan, entry)
    site.rds.create_db_cluster(
        DBClusterIdentifier="ledger",
        Engine="aurora-postgresql",
        MasterUsername="other",
        MasterUserPassword="another one",
    )
    for name in ("ledger-1", "ledger-2"):
        site.rds.create_db_instance(
            DBInstanceIdentifier=name, DBClusterIdentifier="ledger", Engine="aurora-postgresql",
            DBInstanceClass="db.r6g.large",
        )  # fmt: skip
    FAULT.heal(site, plan, entry)
    cluster = site.cluster()

    assert cluster is not None
    assert cluster["MasterUsername"] == "other"
    assert site.snapshots() == []


class Killed(BaseException):
    """Nobody catches this: the process is gone."""


@pytest.mark.parametrize("deed", ["inject", "heal"])
@pytest.mark.parametrize("number", range(1, 8))
def test_killed_at_any_call_it_can_still_be_healed(site: Site, deed: str, number: int) -> None:
    """Die at the n-th change, before it or just after it; heal from a new process."""
    plan = FAULT.prepare(site)
    entry = site.opened(NAME, plan)
    if deed == "heal":
        FAULT.inject(site, plan, entry)
    for after in (False, True):
        site_that_dies = Dying(site, number, after=after)
        with suppress(Killed):
            getattr(FAULT, deed)(site_that_dies, plan, entry)
        FAULT.heal(site, plan, entry)

        assert site.members() == ["ledger-1", "ledger-2"]
        assert site.snapshots() == []
        if deed == "heal":
            FAULT.inject(site, plan, entry)


class Dying:
    """A staging whose n-th changing call is the last thing that this process does."""

    def __init__(self, site: Site, number: int, *, after: bool) -> None:
        self.facts = site.facts
        self._clients: dict[str, Any] = {}
        self._site = site
        self._left = number
        self._event = "after-call" if after else "before-call"

    def aws(self, service: str, region: str = "") -> Any:
        if service not in self._clients:
            self._clients[service] = self._site.fresh(service, region)
            self._clients[service].meta.events.register(f"{self._event}.*.*", self._count)
        return self._clients[service]

    def power(self, kind: type[Any]) -> Any:
        return self._site.power(kind)

    def _count(self, model: Any, **_: object) -> None:
        if not model.name.startswith("Describe"):
            self._left -= 1
            if self._left == 0:
                raise Killed


def test_neither_cluster_nor_snapshot_is_said_and_nothing_is_made_up(site: Site) -> None:
    plan = FAULT.prepare(site)
    entry = site.opened(NAME, plan)
    FAULT.inject(site, plan, entry)
    site.rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=f"blackstart-{entry.id}")

    with pytest.raises(Conflict, match="so is the safety snapshot"):
        FAULT.heal(site, plan, entry)


def test_nothing_found_is_an_error(site: Site) -> None:
    with pytest.raises(NothingToBreak, match="legder"):
        replace(FAULT, cluster="legder").prepare(site)
