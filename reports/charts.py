"""One picture of a drill: availability and latency over time, with the moments that matter marked.

The same history gives the same bytes. Matplotlib takes seconds to import, so that waits until it is needed.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from reports.series import Mark, Numbers, Series

LATENCY_LIMIT_MS = 200.0
NO_ANSWER_MS = 10_000.0  # where "no good answer" is drawn: above anything that was measured
SHORT_S = 0.3  # a shorter span is drawn as a line

# Okabe and Ito's colours, which colour-blind people can tell apart; each mark has its own dashes as well
INK, GREY = "#222222", "#666666"
GOOD, FAILED, UNKNOWN = "#BFDFF2", "#D55E00", "#E69F00"
MEDIAN, SLOW = "#0072B2", "#CC79A7"
MARKS = {
    "fault": ("#D55E00", "-"),
    "first alarm": ("#8A6D00", ":"),
    "recovery": ("#009E73", "--"),
    "healing": ("#0072B2", "-."),
}
_STYLE = {
    "svg.hashsalt": "blackstart", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.axisbelow": True,
}  # fmt: skip


def draw(drawn: Series, marked: tuple[Mark, ...], *, slo: float = 99.9, kind: str = "svg") -> bytes:
    """Draw the picture as SVG, or as PNG when `kind` says so."""
    import matplotlib as mpl  # noqa: PLC0415 - takes seconds, and most commands draw nothing
    from matplotlib.figure import Figure  # noqa: PLC0415 - likewise; without pyplot there is no window system

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11, 6.4), layout="constrained")
        served, waited = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1))
        _draw_availability(served, drawn, slo)
        _draw_latency(waited, drawn)
        for axes in (served, waited):
            _draw_marks(axes, marked)
            axes.grid(visible=True, color="#dddddd", linewidth=0.6)
        _name_marks(served, marked)
        waited.set_xlabel("seconds after the injection" if marked else "seconds")
        picture = io.BytesIO()
        figure.savefig(picture, format=kind, metadata={"Date": None} if kind == "svg" else None, dpi=110)
    return picture.getvalue()


def alternative(drawn: Series, marked: tuple[Mark, ...]) -> str:
    """Say in words what the picture shows, for those who cannot see it."""
    worst = np.nanmin(drawn.availability)
    moments = "; ".join(f"{mark.name} at {_when(mark)}" for mark in marked)
    return (
        f"Availability and latency over {drawn.from_s[-1] - drawn.from_s[0] + drawn.bin_s:.0f} s in steps of "
        f"{drawn.bin_s:g} s. Availability fell to {worst:.0f} % at worst. {moments}."
    )


def _draw_availability(axes: Any, drawn: Series, slo: float) -> None:
    asked = np.where(drawn.intended > 0, drawn.intended, np.nan)
    good, lost = drawn.availability, 100 * drawn.failed / asked
    for low, high, colour, name in (
        (0 * good, good, GOOD, "answered well"),
        (good, good + lost, FAILED, "failed"),
        (good + lost, 0 * good + 100, UNKNOWN, "outcome unknown"),
    ):
        axes.fill_between(
            _edges(drawn), _stepped(low), _stepped(high), step="post", color=colour, label=name, lw=0
        )
    axes.axhline(slo, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set_ylim(0, 102)
    axes.set_ylabel("share of the intended\nrequests, %")
    axes.legend(loc="lower left", framealpha=0.95, edgecolor="none", fontsize=9)


def _draw_latency(axes: Any, drawn: Series) -> None:
    for latency_ms, colour, width, name in (
        (drawn.p99_ms, SLOW, 1.6, "99 of 100 requests below"),
        (drawn.p50_ms, MEDIAN, 1.6, "50 of 100 requests below"),
    ):
        shown = np.minimum(latency_ms, NO_ANSWER_MS)
        axes.step(_edges(drawn), _stepped(shown), where="post", color=colour, linewidth=width, label=name)
    axes.axhline(LATENCY_LIMIT_MS, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.text(1.0, LATENCY_LIMIT_MS * 1.1, "200 ms promised", color=GREY, fontsize=9, ha="right",
              transform=axes.get_yaxis_transform())  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(1, NO_ANSWER_MS * 2)
    axes.minorticks_off()
    axes.set_yticks([1, 10, 100, 1000, NO_ANSWER_MS], ["1 ms", "10 ms", "100 ms", "1 s", "no good\nanswer"])
    axes.set_ylabel("latency from the\nintended start")
    axes.legend(loc="upper left", framealpha=0.95, edgecolor="none", fontsize=9)


def _draw_marks(axes: Any, marked: tuple[Mark, ...]) -> None:
    for mark in marked:
        colour, dashes = MARKS[mark.name]
        if mark.until_s - mark.from_s > SHORT_S:
            axes.axvspan(mark.from_s, mark.until_s, color=colour, alpha=0.18, linewidth=0)
        axes.axvline(_line_s(mark), color=colour, linestyle=dashes, linewidth=1.6)


def _name_marks(axes: Any, marked: tuple[Mark, ...]) -> None:
    """Write each mark's name above the picture, on two levels so that neighbours do not overlap."""
    for number, mark in enumerate(sorted(marked, key=lambda mark: mark.from_s)):
        axes.annotate(
            f"{mark.name} {_when(mark)}", (_line_s(mark), 1.0), xycoords=("data", "axes fraction"),
            xytext=(3, 6 + 14 * (number % 3)), textcoords="offset points", annotation_clip=False,
            color=MARKS[mark.name][0], fontsize=9, fontweight="bold",
        )  # fmt: skip


def _line_s(mark: Mark) -> float:
    """Return where the mark's line is: a recovery is claimed at its latest, anything else where it begins."""
    return mark.until_s if mark.name == "recovery" else mark.from_s


def _when(mark: Mark) -> str:
    if mark.until_s - mark.from_s < 0.05:  # noqa: PLR2004 - as long as one reads it as a moment
        return f"{mark.until_s:.1f} s"
    return f"{mark.from_s:.1f} to {mark.until_s:.1f} s"


def _edges(drawn: Series) -> Numbers:
    return np.append(drawn.from_s, drawn.from_s[-1] + drawn.bin_s)


def _stepped(values: Numbers) -> Numbers:
    """Repeat the last value, so that the last bin has its width too."""
    return np.append(values, values[-1])
