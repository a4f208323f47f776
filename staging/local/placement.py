"""What an ECS service should start and stop now: pure decisions, from what is wanted and what runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Health = Literal["initial", "healthy", "unhealthy", "draining", "unknown"]
Why = Literal["unhealthy", "surplus", "rebalancing"]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One entry of a capacity provider strategy."""

    name: str
    base: int
    weight: int


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the service's owner asked for."""

    desired_count: int
    subnets: tuple[str, ...]
    strategy: tuple[Provider, ...]
    grace_s: float
    notice_s: float
    maximum_percent: int = 200
    minimum_healthy_percent: int = 100
    rebalance: bool = True


@dataclass(frozen=True, kw_only=True)
class Running:
    """A task that shall run, as placement sees it."""

    id: str
    subnet: str
    provider: str
    age_s: float
    health: Health
    ill_for_s: float = 0.0  # since the load balancer called it unhealthy


@dataclass(frozen=True, kw_only=True)
class Start:
    """Start a task here."""

    subnet: str
    provider: str


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Stop this task."""

    id: str
    why: Why


@dataclass(frozen=True)
class Decision:
    """What to do now; the next look decides again."""

    starts: tuple[Start, ...] = ()
    stops: tuple[Stop, ...] = ()
    unplaceable: int = 0  # tasks that are missing, and no subnet could take them
    starved: tuple[str, ...] = ()  # providers that have no capacity for a task that is missing


def decide(
    wanted: Wanted,
    running: Sequence[Running],
    *,
    light: frozenset[str],
    settled: frozenset[str],
    without: frozenset[str] = frozenset(),
) -> Decision:
    """Decide. `light` subnets can take a task; `settled` ones have been light long enough to return to.

    Providers in `without` have no capacity: their share of the tasks is not placed elsewhere, as on AWS.
    """
    ill = [task for task in running if _is_ill(wanted, task)]
    keep = [task for task in running if task not in ill]
    stops = tuple(Stop(id=task.id, why="unhealthy") for task in ill)
    missing = wanted.desired_count - len(keep)
    if missing > 0:
        subnets = _usable(wanted, light)
        placed = _place(wanted, keep, missing, subnets)
        starved = tuple(start.provider for start in placed if start.provider in without)
        starts = tuple(start for start in placed if start.provider not in without)
        return Decision(starts, stops, missing - len(placed), starved)
    if missing < 0:
        return Decision((), stops + _surplus(wanted, keep, -missing))
    moves = _rebalanced(wanted, keep, _usable(wanted, settled))
    return Decision(tuple(start for start in moves if start.provider not in without), stops)


def _is_ill(wanted: Wanted, task: Running) -> bool:
    return task.health == "unhealthy" and task.age_s > wanted.grace_s and task.ill_for_s >= wanted.notice_s


def _usable(wanted: Wanted, subnets: frozenset[str]) -> list[str]:
    return [subnet for subnet in wanted.subnets if subnet in subnets]


def _place(wanted: Wanted, keep: Sequence[Running], count: int, subnets: list[str]) -> tuple[Start, ...]:
    """Put each task where the fewest are, and take the provider that lacks most."""
    if not subnets:
        return ()
    crowd = Counter(task.subnet for task in keep)
    providers = Counter(task.provider for task in keep)
    starts = []
    for _ in range(count):
        subnet = min(subnets, key=lambda name: crowd[name])
        provider = next_provider(wanted.strategy, providers)
        crowd[subnet] += 1
        providers[provider] += 1
        starts.append(Start(subnet=subnet, provider=provider))
    return tuple(starts)


def next_provider(strategy: Sequence[Provider], present: Counter[str]) -> str:
    """Fill the bases first, then keep to the weights."""
    for provider in strategy:
        if present[provider.name] < provider.base:
            return provider.name
    weighted = [provider for provider in strategy if provider.weight > 0] or list(strategy)
    return min(weighted, key=lambda p: (present[p.name] - p.base + 1) / max(p.weight, 1)).name


def _surplus(wanted: Wanted, keep: Sequence[Running], count: int) -> tuple[Stop, ...]:
    """Stop where most are; a healthy task only while enough healthy ones remain."""
    left, stops = list(keep), []
    needed = wanted.desired_count * wanted.minimum_healthy_percent / 100
    for _ in range(count):
        victim = _most_superfluous(wanted, left)
        healthy = sum(task.health == "healthy" for task in left)
        if victim.health == "healthy" and healthy - 1 < needed:
            break
        left.remove(victim)
        stops.append(Stop(id=victim.id, why="rebalancing" if wanted.rebalance else "surplus"))
    return tuple(stops)


def _most_superfluous(wanted: Wanted, tasks: Sequence[Running]) -> Running:
    crowd = Counter(task.subnet for task in tasks)
    above = Counter(task.provider for task in tasks)
    above.subtract({provider.name: provider.base for provider in wanted.strategy})
    # in the fullest zone: those that do not serve first, then those that no base needs, then the youngest
    return max(tasks, key=lambda t: (crowd[t.subnet], t.health != "healthy", above[t.provider], -t.age_s))


def _rebalanced(wanted: Wanted, keep: Sequence[Running], subnets: list[str]) -> tuple[Start, ...]:
    """Start where tasks are lacking; what is then too much elsewhere stops once these are healthy."""
    if not wanted.rebalance or not subnets or any(task.health != "healthy" for task in keep):
        return ()
    crowd = Counter(dict.fromkeys(subnets, 0))
    crowd.update(task.subnet for task in keep if task.subnet in crowd)
    uneven = max(crowd.values()) - min(crowd.values())
    room = wanted.desired_count * wanted.maximum_percent // 100 - len(keep)
    return _place(wanted, keep, min(uneven // 2, room), subnets)
