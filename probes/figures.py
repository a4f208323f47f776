"""What is measured beside the promises, shown and never judged."""

from __future__ import annotations

from blackstart.drills import Figure
from probes.availability import availability_after_heal, availability_overall
from probes.budget import budget_spent, monthly_budget_spent
from probes.data_loss import lost_records
from probes.detection_time import detection_time
from probes.latency import p50, p95

OVERALL = Figure(name="availability, outage and all", unit="%", probe=availability_overall)
WHILE_HEALING = Figure(name="availability while and after healing", unit="%", probe=availability_after_heal)
FIGURES = (
    OVERALL,
    WHILE_HEALING,
    Figure(name="latency, 50 of 100 requests", unit="ms", probe=p50),
    Figure(name="latency, 95 of 100 requests", unit="ms", probe=p95),
    Figure(name="error budget of the drill's own length spent", unit="%", probe=budget_spent),
    Figure(name="error budget of thirty days spent", unit="%", probe=monthly_budget_spent),
)
LOST = Figure(name="acknowledged transfers lost", unit="records", probe=lost_records)
FIRST_ALARM = Figure(name="first alarm", unit="s", probe=detection_time)


def without(figure: Figure) -> tuple[Figure, ...]:
    """Return all of them but this one, which a drill promises or cannot measure."""
    return tuple(one for one in FIGURES if one is not figure)
