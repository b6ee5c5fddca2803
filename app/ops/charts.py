"""The pictures of the operator's page. Their titles are words of the figures; one palette, readable in grey and in the
dark."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from app.ops.intervals import rate_interval
from app.ops.numbers import TARGET_HOURS, Figures, quality, waiting_curve
from app.ops.verdicts import Report
from recommend.cascade.scoring import SIMPLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREEN, ORANGE, GREY = "#1a8a72", "#c2571a", "#7b8682"
BINS = 8


def picture(figure: Figure) -> Markup:
    """The figure as an SVG image; its title is also its description."""
    file = io.StringIO()
    figure.savefig(file, format="svg")
    title = html.escape(figure.axes[0].get_title(loc="left") or "Nothing to show yet", quote=True)
    data = base64.b64encode(file.getvalue().encode()).decode()
    return Markup(f'<figure class="picture"><img alt="{title}" src="data:image/svg+xml;base64,{data}"></figure>')


def reliability(report: Report) -> Figure:
    """Observed click rate by predicted one of what the present ranking showed, with 95 % intervals over visitors."""
    figure, axis = _figure(4.8, 3.4)
    judged = report.figures.judged
    if not judged.click.any():
        return _empty(figure, axis, f"No click yet on what {report.figures.ranking} ranked")
    edges = np.unique(np.quantile(judged.pctr, np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.searchsorted(edges, judged.pctr, side="right")
    for bin_ in np.unique(place):
        of = judged.where(place == bin_)
        rate, x = rate_interval(of.click.astype(float), of.visitor), float(of.pctr.mean())
        if rate.low is not None and rate.high is not None:
            axis.plot([x, x], [rate.low, rate.high], color=GREEN, linewidth=2)
        axis.plot(x, rate.value or 0.0, "o", color=GREEN, markersize=5)
    top = max(float(judged.pctr.max()), axis.get_ylim()[1])
    axis.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle="--")
    axis.set_title(
        f"Predicted over observed {report.measures['pcoc'].words.partition(' (')[0]}",
        fontsize=10,
        loc="left",
        color=GREY,
    )
    return _named(figure, axis, "predicted click rate", "observed, 95 % interval")


def by_day(report: Report) -> Figure:
    """Click rate, observed and predicted, by day; days that break the rule of calibration are named."""
    figure, axis = _figure()
    rows = report.figures.impressions
    rows = rows.where(~rows.ad)
    days = sorted(set(rows.day.tolist()))
    if not days:
        return _empty(figure, axis, "No impressions yet")
    rule = next((f.rule for f in report.findings if f.rule.measure == "pcoc"), None)
    rates, below, above, predicted, off = [], [], [], [], []
    for day in days:
        of = rows.where(rows.day == day)
        interval = rate_interval(of.click.astype(float), of.visitor)
        rate = 100 * (interval.value or 0.0)
        rates.append(rate)
        below.append(rate - 100 * (interval.low if interval.low is not None else rate / 100))
        above.append(100 * (interval.high if interval.high is not None else rate / 100) - rate)
        predicted.append(100 * float(of.pctr.mean()))
        if rule is not None:
            of = of.where(of.model != SIMPLE) if rule.model else of
            off += [day[5:]] if rule.fails_by(quality(of, "")[1]) else []
    names = [day[5:] for day in days]
    axis.errorbar(names, rates, yerr=[below, above], fmt="o-", color=GREEN, capsize=3, label="observed")
    axis.plot(names, predicted, "s--", color=ORANGE, label="predicted")
    says = f"Predictions were off on {', '.join(off[-3:])}" if off else "No day is shown to be off"
    axis.set_title(says, fontsize=10, loc="left", color=GREY)
    axis.set_ylim(0, None)
    axis.tick_params(axis="x", rotation=45 if len(names) > 7 else 0)
    axis.legend(frameon=False, fontsize=8, labelcolor=GREY)
    return _named(figure, axis, "", "click rate, %")


def first_impressions(figures: Figures) -> Figure:
    """Share of the new listings that was seen by each hour (Kaplan-Meier), with its 95 % interval and the target."""
    from matplotlib.ticker import FuncFormatter

    figure, axis = _figure()
    curve = waiting_curve(figures.arrived)
    if curve is None:
        return _empty(figure, axis, "No new listing has been seen yet")
    x = np.maximum(curve.hours, 0.01)
    axis.step(x, 100 * (1 - curve.unseen), where="post", color=GREEN)
    band = [100 * (1 - end) for end in (curve.high, curve.low)]
    axis.fill_between(x, band[0], band[1], step="post", color=GREEN, alpha=0.15)
    axis.axvline(TARGET_HOURS, color=GREY, linestyle="--", linewidth=1)
    axis.set_xscale("log")
    for ticks in (axis.xaxis.set_major_formatter, axis.xaxis.set_minor_formatter):
        ticks(FuncFormatter(_plain_hours))  # 2, not 2 x 10^0
    axis.set_ylim(0, 100)
    axis.set_title(
        f"Median wait {figures.measures['first_wait'].words.partition(' (')[0]}", fontsize=10, loc="left", color=GREY
    )
    return _named(figure, axis, f"hours since published (log); dashed: the target, {TARGET_HOURS:.0f} h", "seen, %")


def _plain_hours(hours: float, _place: int) -> str:
    """Hours at a tick: those that begin with 1, 2 or 5."""
    text = f"{hours:g}"
    return text if text.strip("0.")[:1] in ("1", "2", "5") and len(text.strip("0.")) == 1 else ""


def funnel(counts: dict[str, int], ms: dict[str, float]) -> Figure:
    """How many listings each stage kept, and where the time went."""
    figure, axis = _figure(6.2, 1.9)
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
    return _named(figure, axis, "", "")


def _figure(width: float = 6.2, height: float = 3.4) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure as New

    figure = New(figsize=(width, height), dpi=110, layout="constrained", facecolor="none")
    axis = figure.subplots()
    axis.set_facecolor("none")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.tick_params(which="both", labelsize=8, colors=GREY)
    for side in ("bottom", "left"):
        axis.spines[side].set_color(GREY)
    return figure, axis


def _named(figure: Figure, axis: Axes, x: str, y: str) -> Figure:
    """Labels in a grey that reads on a light and on a dark page alike."""
    axis.set_xlabel(x, fontsize=8, color=GREY)
    axis.set_ylabel(y, fontsize=8, color=GREY)
    return figure


def _empty(figure: Figure, axis: Axes, text: str) -> Figure:
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, color=GREY, fontsize=10)
    axis.set_axis_off()
    return figure
