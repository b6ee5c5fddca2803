"""The pictures of the operator's page: titles state what is seen; one palette, readable in grey and in the dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.ops.impressions import Impressions, wilson
from app.ops.numbers import HIGH, LOW, minutes
from app.ops.table import Table
from recommend.metrics.calibration import pcoc

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREEN, ORANGE, GREY = "#1a8a72", "#c2571a", "#7b8682"
BINS = 8


def _figure(width: float = 6.2, height: float = 3.2) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure as New

    figure = New(figsize=(width, height), dpi=110, layout="constrained", facecolor="none")
    axis = figure.subplots()
    axis.set_facecolor("none")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    # Grey that reads on a light and on a dark page alike.
    axis.tick_params(labelsize=8, colors=GREY)
    for part in (axis.xaxis.label, axis.yaxis.label, axis.title):
        part.set_color(GREY)
    for side in ("bottom", "left"):
        axis.spines[side].set_color(GREY)
    return figure, axis


def _empty(axis: Axes, text: str) -> None:
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, color=GREY, fontsize=10)
    axis.set_axis_off()


def reliability(seen: Impressions) -> Figure:
    """Observed click rate by predicted one, with 95 % intervals."""
    figure, axis = _figure(4.6, 3.4)
    if not seen.click.any():
        _empty(axis, "No clicks yet")
        return figure
    edges = np.unique(np.quantile(seen.pctr, np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.searchsorted(edges, seen.pctr, side="right")
    for bin_ in np.unique(place):
        at = place == bin_
        low, high = wilson(int(seen.click[at].sum()), int(at.sum()))
        x = float(seen.pctr[at].mean())
        axis.plot([x, x], [low, high], color=GREEN, linewidth=2)
        axis.plot(x, seen.click[at].mean(), "o", color=GREEN, markersize=5)
    top = max(float(seen.pctr.max()), axis.get_ylim()[1])
    axis.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle="--")
    ratio = pcoc(seen.click, seen.pctr)
    reads = (
        "agree with clicks" if LOW <= ratio <= HIGH else ("promise too much" if ratio > HIGH else "promise too little")
    )
    axis.set_title(f"Predictions {reads} (PCOC {ratio:.2f})", fontsize=10, loc="left", color=GREY)
    axis.set_xlabel("predicted click rate", fontsize=8)
    axis.set_ylabel("observed, 95 % interval", fontsize=8)
    return figure


def by_day(table: Table) -> Figure:
    """Click rate and calibration by day."""
    figure, axis = _figure()
    rows = [row for row in reversed(table.rows) if row[1] == "all"]
    if not rows:
        _empty(axis, "No impressions yet")
        return figure
    days = [str(row[0])[5:] for row in rows]
    rates = [100 * int(row[3] or 0) / int(row[2] or 1) for row in rows]
    reach = [wilson(int(row[3] or 0), int(row[2] or 0)) for row in rows]
    below = [max(r - 100 * a, 0) for r, (a, _) in zip(rates, reach, strict=True)]
    above = [max(100 * b - r, 0) for r, (_, b) in zip(rates, reach, strict=True)]
    axis.errorbar(days, rates, yerr=[below, above], fmt="o-", color=GREEN, capsize=3, label="observed")
    axis.plot(days, [100 * float(row[9] or 0) for row in rows], "s--", color=ORANGE, label="predicted")
    off = [d for d, row in zip(days, rows, strict=True) if row[7] is not None and not LOW <= float(row[7]) <= HIGH]
    says = f"Predictions were off on {', '.join(off[-3:])}" if off else "Predictions followed the clicks"
    axis.set_title(says, fontsize=10, loc="left", color=GREY)
    axis.set_ylabel("click rate, %", fontsize=8)
    axis.set_ylim(0, None)
    axis.legend(frameon=False, fontsize=8, labelcolor=GREY)
    return figure


def first_impressions(table: Table) -> Figure:
    """How long new listings waited to be seen first."""
    figure, axis = _figure()
    waited = np.sort([float(row[4]) for row in table.rows if row[4] is not None])
    if not len(waited):
        _empty(axis, "No new listing has been seen yet")
        return figure
    unseen = len(table.rows) - len(waited)
    axis.step(
        np.maximum(waited, 0.05), np.arange(1, len(waited) + 1) / len(table.rows) * 100, where="post", color=GREEN
    )
    axis.set_xscale("log")
    axis.set_ylim(0, 100)
    axis.set_xlabel("minutes from publishing to the first impression (log)", fontsize=8)
    axis.set_ylabel("share of new listings, %", fontsize=8)
    half = float(np.median(waited))
    says = f"Half of those that were seen waited {minutes(half)} or less"
    axis.set_title(f"{says}; {unseen} are unseen", fontsize=10, loc="left", color=GREY)
    return figure


def funnel(counts: dict[str, int], ms: dict[str, float]) -> Figure:
    """How many items each stage kept, and where the time went."""
    figure, axis = _figure(9.0, 1.7)
    names = list(counts)
    values = [max(v, 0) for v in counts.values()]
    axis.barh(names[::-1], np.maximum(values[::-1], 0.8), color=[GREEN, GREEN, GREEN, GREY][: len(names)])
    axis.set_xscale("log")
    for place, value in enumerate(values[::-1]):
        axis.text(max(value, 0.8) * 1.1, place, f"{value:,}", va="center", fontsize=8, color=GREY)
    axis.set_xlim(0.8, max([*values, 10]) * 4)
    axis.get_xaxis().set_visible(False)
    axis.spines["bottom"].set_visible(False)
    slowest = max(ms, key=lambda stage: ms[stage]) if ms else ""
    axis.set_title(
        f"{sum(ms.values()):.0f} ms, most of it in {slowest.replace('_', '-')}", fontsize=10, loc="left", color=GREY
    )
    return figure
