"""What the ECS scheduler decides, given what is wanted and what runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from staging.local.placement import Decision, Health, Provider, Running, Wanted, decide, next_provider

BOTH = frozenset({"app-a", "app-b"})
STRATEGY = (
    Provider(name="FARGATE", base=2, weight=1),
    Provider(name="FARGATE_SPOT", base=0, weight=1),
)
WANTED = Wanted(desired_count=4, subnets=("app-a", "app-b"), strategy=STRATEGY, grace_s=5.0, notice_s=1.0)


def task(name: str, subnet: str, health: Health = "healthy", *, age_s: float = 60.0) -> Running:
    return Running(id=name, subnet=subnet, provider="FARGATE", age_s=age_s, health=health, ill_for_s=9.0)


FOUR = [task("a1", "app-a"), task("a2", "app-a"), task("b1", "app-b"), task("b2", "app-b")]


def decided(running: list[Running], *, wanted: Wanted = WANTED, light: frozenset[str] = BOTH) -> Decision:
    return decide(wanted, running, light=light, settled=light)


def test_nothing_runs_then_tasks_are_spread_over_the_zones_and_providers() -> None:
    starts = decided([]).starts

    assert Counter(start.subnet for start in starts) == {"app-a": 2, "app-b": 2}
    assert Counter(start.provider for start in starts) == {"FARGATE": 3, "FARGATE_SPOT": 1}


def test_all_is_well_then_nothing_is_done() -> None:
    assert decided(FOUR) == Decision()


def test_a_task_that_died_is_replaced_where_it_is_lacking() -> None:
    assert [start.subnet for start in decided(FOUR[1:]).starts] == ["app-a"]


def test_what_the_load_balancer_finds_dead_is_stopped_and_replaced_at_once() -> None:
    decision = decided([task("a1", "app-a", "unhealthy"), *FOUR[1:]])

    assert [stop.id for stop in decision.stops] == ["a1"]
    assert len(decision.starts) == 1


def test_within_its_grace_a_failing_task_is_left_alone() -> None:
    assert decided([task("a1", "app-a", "unhealthy", age_s=2.0), *FOUR[1:]]) == Decision()


def test_ecs_needs_its_time_to_notice() -> None:
    fresh = replace(task("a1", "app-a", "unhealthy"), ill_for_s=0.2)

    assert decided([fresh, *FOUR[1:]]) == Decision()


def test_a_dark_zone_gets_no_task() -> None:
    decision = decided(FOUR[2:], light=frozenset({"app-b"}))

    assert [start.subnet for start in decision.starts] == ["app-b", "app-b"]


def test_no_light_zone_then_the_tasks_cannot_be_placed() -> None:
    assert decided([], light=frozenset()) == Decision(unplaceable=4)


def test_a_zone_that_came_back_gets_its_tasks_before_the_others_lose_theirs() -> None:
    in_b = [task(name, "app-b") for name in ("b1", "b2", "b3", "b4")]

    first = decided(in_b)
    started = [task("a1", "app-a", "initial", age_s=0), task("a2", "app-a", "initial", age_s=0)]
    meanwhile = decided([*in_b, *started])
    then = decided([*in_b, task("a1", "app-a"), task("a2", "app-a")])

    assert [start.subnet for start in first.starts] == ["app-a", "app-a"]
    assert meanwhile == Decision()
    assert {stop.id[0] for stop in then.stops} == {"b"}
    assert len(then.stops) == 2


def test_a_zone_that_has_just_come_back_is_not_trusted_yet() -> None:
    in_b = [task(name, "app-b") for name in ("b1", "b2", "b3", "b4")]

    assert decide(WANTED, in_b, light=BOTH, settled=frozenset({"app-b"})) == Decision()


def test_without_rebalancing_tasks_stay_where_they_are() -> None:
    in_b = [task(name, "app-b") for name in ("b1", "b2", "b3", "b4")]

    assert decided(in_b, wanted=replace(WANTED, rebalance=False)) == Decision()


def test_scaling_in_takes_from_the_fullest_zone() -> None:
    stops = decided([*FOUR, task("a3", "app-a", age_s=1)]).stops

    assert [stop.id for stop in stops] == ["a3"]


def test_bases_are_filled_first_then_the_weights_count() -> None:
    present: Counter[str] = Counter()
    for _ in range(6):
        present[next_provider(STRATEGY, present)] += 1

    assert present == {"FARGATE": 4, "FARGATE_SPOT": 2}
