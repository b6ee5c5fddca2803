"""The figures day by day and by what ranked: what the charts draw, and the sentence on what changed last."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import inf, sqrt
from typing import Any

from sqlalchemy import func, select

from app.market.promotions import read_calendar
from app.ops import intervals
from app.ops.figures import TARGET_HOURS, new_listings, written
from app.ops.impressions import Window, impressions
from app.ops.intervals import Interval
from app.seller.words import counted
from app.services import Services
from app.store.clock import now
from app.store.tables import OrderRow
from recommend.cascade.scoring import SIMPLE

DAYS = 14
SECONDS = 2.0  # of counting for one look; what is then left is counted with the next ones
CHANGED = 3.0  # standard errors between two stretches of days
HALF_WIDTH = 1.96  # standard errors from a value to an end of its interval
NOON = timedelta(hours=12)
FEW = 10  # clicks: below them a day says nothing of a model, and its points stand in the table alone
ALL = "all"  # of what nothing ranked
LINES = {  # name for people, and unit
    "auc": ("AUC", "auc"),
    "pcoc": ("predicted over observed clicks", "ratio"),
    "click_rate": ("clicks of what was seen", "share"),
    "seen_in_time": (f"new listings seen within {TARGET_HOURS:.0f} h", "share"),
    "orders": ("pieces sold", "count"),
}
CHANGING = ("click_rate", "auc", "seen_in_time", "orders")  # whose days are compared
CHARTS = {
    "AUC and calibration": ("auc", "pcoc"),
    "Click rate": ("click_rate",),
    "First impression of new listings": ("seen_in_time",),
    "Pieces sold": ("orders",),
}


@dataclass(frozen=True)
class Point:
    """A figure of a day. ``by``: what ranked; ``n``: over how many cases."""

    day: date
    measure: str
    by: str
    interval: Interval
    n: int


class Days:
    """The last days' points. A day that is over is counted once."""

    def __init__(self, services: Services) -> None:
        self._services, self._lock = services, threading.Lock()
        self._over: dict[date, list[Point]] = {}

    def points(self) -> list[Point]:
        """In their order in time, as far as there was time to count them, which goes backwards."""
        with self._lock:
            began, found, moment = time.monotonic(), dict[date, list[Point]](), now()
            for back in range(DAYS):
                day = moment.date() - timedelta(days=back)
                if day not in self._over and time.monotonic() - began > SECONDS:
                    break
                found[day] = self._over.get(day) or points_of(self._services, day, moment)
                if back > 1:  # until then its last listings wait for their first impression
                    self._over[day] = found[day]
            self._over = {day: points for day, points in self._over.items() if day in found}
        return [point for day in sorted(found) for point in found[day]]


def points_of(services: Services, day: date, moment: datetime) -> list[Point]:
    """The points of a day, counted."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = begin + timedelta(days=1)
    seen, points = impressions(services.store, Window("24h", end, past=True), ["ranking"]), []
    for by in sorted(set(seen.by["ranking"].tolist())):
        rows = seen.scored("ranking", by)
        click, pctr, visitor = seen.click[rows], seen.pctr[rows], seen.visitor[rows]
        if not len(click):
            continue
        rate = intervals.rate_interval(click.astype(float), visitor)
        points.append(Point(day, "click_rate", by, rate, len(click)))
        points.append(Point(day, "auc", by, intervals.auc_interval(click, pctr, visitor), int(click.sum())))
        if by != SIMPLE:
            level = intervals.pcoc_interval(click.astype(float), pctr, visitor)
            points.append(Point(day, "pcoc", by, level, int(click.sum())))
    until = min(moment, end + timedelta(hours=TARGET_HOURS))
    new = [x for x in new_listings(services.store, begin, until) if x.published_at < end]
    due = [x for x in new if x.aged >= TARGET_HOURS and x.counts]
    if due:
        hits = intervals.wilson(sum(x.in_time for x in due), len(due))
        points.append(Point(day, "seen_in_time", ALL, hits, len(due)))
    with services.store.read() as session:
        sold = select(func.count()).where(OrderRow.at >= begin, OrderRow.at < end, OrderRow.cancelled_by.is_(None))
        count = session.scalar(sold) or 0
    if count or points:
        points.append(Point(day, "orders", ALL, Interval(float(count), None, None), count))
    return points


def charts(points: Sequence[Point]) -> list[dict[str, Any]]:
    """For the page's script: of each chart the days and its lines, a value or nothing for each day."""
    days, yesterday = sorted({p.day for p in points}), now().date() - timedelta(days=1)
    sold = sum(p.n for p in points if (p.measure, p.day) == ("orders", yesterday))
    drawn = []
    for title, measures in CHARTS.items():
        lines = []
        for measure in measures:
            for by in dict.fromkeys(p.by for p in points if p.measure == measure):
                values = {p.day: p.interval.value for p in points if (p.measure, p.by) == (measure, by)
                          and (p.n >= FEW or measure not in ("auc", "pcoc"))}  # fmt: skip
                name = {"auc": "AUC", "pcoc": "calibration"}.get(measure, "")
                label = f"{name} {by}".strip() if by != ALL else LINES[measure][0]
                line = {"label": label, "by": by, "unit": LINES[measure][1], "values": [values.get(d) for d in days]}
                if values:
                    lines.append(line)
        says = [x for m in measures if (x := _moved(points, m)[1] or _stood(points, m))]
        told = (f"{sold} yesterday. " if "orders" in measures else "") + "; ".join(says)
        drawn.append({"title": title, "says": told, "days": [_noon(d) for d in days], "lines": lines})
    return drawn


def marks(services: Services, points: Sequence[Point]) -> list[dict[str, Any]]:
    """What was done to the models, and the promotions, within the days of the points: when, and what in words."""
    if not points:
        return []
    since, told = points[0].day, dict[tuple[str, str], list[str]]()
    for event in reversed(services.feed.registry.events(200)):
        if event["what"] != "activated":  # an installed one that serves at once is told once
            when = f"{datetime.fromtimestamp(event['at'], UTC):%Y-%m-%d %H:%M}"
            told.setdefault((when, event["what"]), []).append(f"{event['role'].replace('_', '-')} {event['version']}")
    found: list[dict[str, Any]] = [
        {"at": datetime.fromisoformat(f"{when}+00:00").timestamp(), "says": f"{when} UTC: {', '.join(of)} {what}"}
        for (when, what), of in told.items()
    ]
    for promotion in read_calendar(services.store).promotions:
        says = f"{promotion.first_day} to {promotion.last_day}: promotion {promotion.name}"
        found.append({"at": _noon(promotion.first_day) - NOON.total_seconds(), "says": says})
    first = _noon(since) - NOON.total_seconds()
    within = [m for m in found if first <= m["at"] <= now().timestamp()]
    return sorted(within, key=lambda m: m["at"])


def changed(points: Sequence[Point], serves: str = "") -> str:
    """The largest change of the days that chance does not explain, in a sentence; else that there was none.

    Args:
        points: of the days, in their order. serves: what ranks, and since when.
    """
    if not points:
        return "Nobody has seen a page in the last two weeks."
    tail = f"; {serves}." if serves else "."
    _, says = max(_moved(points, measure) for measure in CHANGING)
    if says:
        return says + tail
    now_ = [_last_days(points, m) for m in ("click_rate", "auc") if _by_day(points, m)]
    stood = f" ({', '.join(now_)} over the last seven)" if now_ else ""
    days_told = (points[-1].day - points[0].day).days + 1
    return f"Nothing changed beyond chance in {counted(days_told, 'day')}{stood}{tail}"


def _moved(points: Sequence[Point], measure: str) -> tuple[float, str]:
    """The largest change of a figure in standard errors, and in words; "" where chance explains it."""
    days, best, says = _by_day(points, measure) if measure in CHANGING else [], CHANGED, ""
    name, unit = LINES[measure]
    if measure == "orders":
        days, name = days[1:-1], "pieces sold a day"  # the first and the last day are not whole
    for cut in range(2, len(days) - 1):
        before, after = _pooled(days[:cut]), _pooled(days[cut:])
        apart = abs(after[0] - before[0]) / (sqrt(before[1] ** 2 + after[1] ** 2) or inf)
        if apart > best:
            best, day = apart, days[cut][0]
            verb = "rose" if after[0] > before[0] else "fell"
            of = f"from {_written(before[0], unit)} to {_written(after[0], unit)} since {day:%A} {day.day} {day:%B}"
            says = f"{name[0].upper()}{name[1:]} {verb} {of}"
    return best, says


def _stood(points: Sequence[Point], measure: str) -> str:
    """That a figure did not change, and what it was in the last days; of what is to be 1 that alone."""
    if not _by_day(points, measure):
        return ""
    last = f"{_last_days(points, measure)} in the last seven days"
    return f"{last} (1 is right)" if measure == "pcoc" else f"No change beyond chance: {last}"


def _last_days(points: Sequence[Point], measure: str) -> str:
    name, unit = ("pieces sold a day", "count") if measure == "orders" else LINES[measure]
    days = _by_day(points, measure)
    if measure == "orders":
        days = days[:-1] or days  # the last day is not whole
    return f"{name} {_written(_pooled(days[-7:])[0], unit)}"


def _by_day(points: Iterable[Point], measure: str) -> list[tuple[date, float, float, float]]:
    """(day, value, standard error, weight) of the days that have an interval, what ranked apart taken together."""
    days: dict[date, list[tuple[date, float, float, float]]] = {}
    for p in points:
        value, low, high = ends(p)
        if p.measure != measure or value is None:
            continue
        if measure == "orders":
            days.setdefault(p.day, []).append((p.day, value, sqrt(max(value, 1.0)), 1.0))
        elif low is not None and high is not None and p.n:
            days.setdefault(p.day, []).append((p.day, value, (high - low) / 2 / HALF_WIDTH, float(p.n)))
    return [(day, *_pooled(of), sum(x[3] for x in of)) for day, of in sorted(days.items())]


def _pooled(days: Sequence[tuple[date, float, float, float]]) -> tuple[float, float]:
    """Mean by weight, and its standard error."""
    total = sum(weight for *_, weight in days)
    mean = sum(value * weight for _, value, _, weight in days) / total
    return mean, sqrt(sum((error * weight) ** 2 for _, _, error, weight in days)) / total


def ends(point: Point) -> tuple[float | None, float | None, float | None]:
    """Value and ends of a point."""
    return point.interval.value, point.interval.low, point.interval.high


def _written(value: float, unit: str) -> str:
    return f"{value:.1f}" if unit == "count" else written(value, unit)


def _noon(day: date) -> float:
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) + NOON).timestamp()
