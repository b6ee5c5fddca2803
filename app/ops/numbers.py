"""The operator's figures, each computed here and nowhere else.

Cards, headline, alerts, tables, pictures, ``/metrics`` and the API all take a ``Measure`` of a ``Figures``; none of
them counts anything again, so that no two places can say different things.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import case, func, select

from app.feed.live_feed import LiveFeed
from app.market.promotions import EPOCH
from app.market.reviews import REVIEW
from app.ops import intervals
from app.ops.impressions import Impressions, Window, clicked, impressions
from app.ops.intervals import NOTHING, Counted, Interval, exact
from app.services import Services
from app.store.db import Store
from app.store.tables import FeedPageRow, FeedRow, ListingRow, MessageRow, OutboxRow, SellerRow
from recommend.cascade.registry import Loaded
from recommend.cascade.scoring import SIMPLE

SLOW_MS = 150.0  # a page that takes longer is slow
TARGET_HOURS = 6.0  # within which a new listing is to be seen
YOUNG_HOURS = 48.0  # a listing is new for that long
KEYS = frozenset((
    "live_listings", "slow_pages", "page_p99", "without_vector", "index_behind", "pages", "reviews_waiting", "reports",
    "click_rate", "seen_in_time", "starved", "first_wait", "models_missing", "auc", "pcoc", "model_age",
    "model_failures", "copy_missing",
))  # of all measures  # fmt: skip
CHANCE = 0.5  # AUC of drawing lots
NEEDED = ("pre_ranking", "ranking")  # stages that choose the page; the others have a simpler way that is meant
CALENDAR_DAY = 10_000  # days since 1970 of a log of this store; smaller ones are of the simulated marketplace


@dataclass(frozen=True)
class Measure:
    """A figure with its interval. ``n`` of ``of``: what it was counted over; ``unit`` says how it is written.

    A figure that was counted whole has its value as both ends; one that cannot be said is None. ``expected``: what
    ``n`` was to be; a rule that needs enough takes the greater, so that what fails to come can break it.
    """

    key: str
    name: str
    unit: str  # share | ratio | auc | ms | minutes | days | count
    interval: Interval
    n: int = 0
    of: str = ""
    expected: int = 0

    @property
    def exact(self) -> bool:
        """Counted, not estimated."""
        return isinstance(self.interval, Counted)

    @property
    def words(self) -> str:
        """Value, interval and what it was counted over."""
        over = f" ({self.n:,} {self.of})" if self.of else ""
        if self.interval.value is None and self.interval.low is not None:
            return f"above {written(self.interval.low, self.unit)}{over}"
        if self.interval.value is None:
            return "not known yet"
        if self.exact:
            return f"{written(self.interval.value, self.unit)}{over}"
        ends = (written(end, self.unit) if end is not None else "?" for end in (self.interval.low, self.interval.high))
        return f"{written(self.interval.value, self.unit)} [{', '.join(ends)}]{over}"

    @property
    def beside_chance(self) -> str:
        """Of an AUC: how it stands to drawing lots."""
        value, low, high = self.interval.value, self.interval.low, self.interval.high
        if value is None or low is None or high is None:
            return "how well is not known yet"
        place = "better than chance" if low > CHANCE else "worse than chance" if high < CHANCE else "at chance"
        return f"{place} (AUC {written(value, 'auc')} [{written(low, 'auc')}, {written(high, 'auc')}])"


def written(value: float, unit: str) -> str:
    """A value for people."""
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "auc":
        return f"{value:.2f}".removeprefix("0")
    if unit == "minutes":
        return f"{value:.0f} min" if value < 120 else f"{value / 60:.1f} h"
    form = {"ratio": f"{value:.2f}", "ms": f"{value:.0f} ms", "days": f"{value:.1f} days"}
    return form.get(unit, f"{value:,.0f}")


@dataclass(frozen=True)
class NewListing:
    """A listing of the last days. ``waited``: hours to the first impression, None: unseen; ``aged``: hours since."""

    id: str
    title: str
    category: str
    seller: str
    status: str
    published_at: datetime
    aged: float
    waited: float | None
    impressions: int
    clicks: int

    @property
    def starved(self) -> bool:
        """On sale, unseen, and past the target."""
        return self.status == "active" and self.waited is None and self.aged > TARGET_HOURS

    @property
    def counts(self) -> bool:
        """Not gone before anybody saw it: of such a one nothing says how long it would have waited."""
        return self.status == "active" or self.waited is not None

    @property
    def in_time(self) -> bool:
        """Seen within the target."""
        return self.waited is not None and self.waited <= TARGET_HOURS


class Figures:
    """All figures of a window, computed once at its end."""

    def __init__(self, services: Services, over: Window) -> None:
        self.services, self.over = services, over
        self.store: Store = services.store
        self.feed: LiveFeed = services.feed

    @cached_property
    def measures(self) -> dict[str, Measure]:
        """By key."""
        every = [*self._feed(), *self._new(), *self._models()]
        return {m.key: m for m in every}

    @cached_property
    def impressions(self) -> Impressions:
        """What was seen in the window."""
        return impressions(self.store, self.over)

    @cached_property
    def ranking(self) -> str:
        """The name of what ranks now."""
        loaded = self.feed.models.get("ranking")
        return loaded.name if loaded is not None else SIMPLE

    @cached_property
    def judged(self) -> Impressions:
        """What was seen of the pages that the present ranking made: what was ranked otherwise says nothing of it."""
        return self.impressions.ranked_by(self.ranking)

    @cached_property
    def new(self) -> list[NewListing]:
        """Listings that came within the window, or so long before it that they still had to be seen in it; latest
        first."""
        return new_listings(self.store, self.over.since - timedelta(hours=TARGET_HOURS), self.over.until)

    @cached_property
    def pages_ms(self) -> np.ndarray:
        """Milliseconds of this server's pages of the window."""
        return np.array(self.feed.pages_ms(self.over.since.timestamp()), np.float64)

    def _feed(self) -> Iterable[Measure]:
        live = self.feed.feed.catalog.live()
        content = self.feed.feed.catalog.content(live)
        ms = self.pages_ms
        slow = intervals.wilson(int((ms > SLOW_MS).sum()), len(ms))
        yield Measure("live_listings", "listings on sale", "count", exact(float(len(live))))
        yield Measure("slow_pages", f"pages slower than {SLOW_MS:.0f} ms", "share", slow, len(ms), "pages")
        yield Measure("page_p99", "p99 of a page", "ms", intervals.quantile(ms, 0.99), len(ms), "pages")
        dark = exact(float((~content.any(1)).mean())) if len(live) else NOTHING
        yield Measure(
            "without_vector", "listings that the index knows no photo of", "share", dark, len(live), "on sale"
        )
        with self.store.read() as session:
            oldest = session.scalar(select(func.min(OutboxRow.at)))
            waiting = session.scalar(select(func.count()).select_from(OutboxRow)) or 0
            review = select(func.count()).select_from(ListingRow).where(ListingRow.status == REVIEW)
            reports = select(func.count()).select_from(MessageRow).where(MessageRow.kind == "report")
            reviews, reported = session.scalar(review) or 0, session.scalar(reports) or 0
            pages = select(func.count()).select_from(FeedPageRow).where(FeedPageRow.at >= self.over.since)
            asked = session.scalar(pages) or 0
        behind = (self.over.until - oldest).total_seconds() / 60 if oldest else 0.0
        yield Measure(
            "index_behind", "how far the index is behind", "minutes", exact(max(behind, 0.0)), waiting, "wait"
        )
        yield Measure("pages", "pages asked for", "count", exact(float(asked)))
        yield Measure("reviews_waiting", "listings that wait for review", "count", exact(float(reviews)))
        yield Measure("reports", "reports by visitors", "count", exact(float(reported)))
        yield click_rate(self.impressions.click, self.impressions.visitor, "impressions")

    def _new(self) -> Iterable[Measure]:
        due = self.due
        hits = sum(x.in_time for x in due)
        yield Measure("seen_in_time", f"new listings seen within {TARGET_HOURS:.0f} h", "share",
                      intervals.wilson(hits, len(due)), len(due), "new listings")  # fmt: skip
        yield Measure("starved", f"listings unseen for over {TARGET_HOURS:.0f} h", "count",
                      exact(float(len(self.starved))))  # fmt: skip
        counted = [x for x in self.arrived if x.counts]
        yield replace(_first_wait(counted), n=len(counted), of="new listings")

    @cached_property
    def arrived(self) -> list[NewListing]:
        """Those that came within the window."""
        return [x for x in self.new if x.published_at >= self.over.since]

    @cached_property
    def due(self) -> list[NewListing]:
        """Those whose time to be seen ended within the window: fast ones are not counted before slow ones could be."""
        return [x for x in self.new if x.aged >= TARGET_HOURS and x.counts]

    @cached_property
    def starved(self) -> list[NewListing]:
        """Those of the last two days that nobody has seen, whatever the window."""
        return [x for x in new_listings(self.store, self.over.until - timedelta(hours=YOUNG_HOURS), self.over.until)
                if x.starved]  # fmt: skip

    @cached_property
    def failures(self) -> list[dict[str, Any]]:
        """Events of models that failed in the window, the latest first."""
        return [e for e in self.feed.registry.events(50)
                if e["what"] in ("failed", "rolled back") and e["at"] >= self.over.since.timestamp()]  # fmt: skip

    def _models(self) -> Iterable[Measure]:
        live = len(self.feed.feed.catalog)
        missing = [role for role in NEEDED if self.feed.models.get(role) is None]
        yield Measure("models_missing", "stages without a model", "count", exact(float(len(missing))), live, "on sale")
        yield from quality(self.judged, f"clicks of what {self.ranking} ranked")
        loaded = self.feed.models.get("ranking")
        age = exact(model_age(loaded, self.over.until)) if loaded is not None else NOTHING
        yield Measure(
            "model_age", "days since what the ranking model learned from", "days", age, int(age is not NOTHING)
        )
        yield Measure("model_failures", "models that failed", "count", exact(float(len(self.failures))))
        moment = self.feed.moment()
        base = self.feed.models.get("conversion")
        lacks = float(moment.promotion != 0 and base is not None and self.feed.models.copy(moment) is None)
        yield Measure("copy_missing", "promotions without a copy", "count", exact(lacks))


def click_rate(click: np.ndarray, visitor: np.ndarray, of: str = "") -> Measure:
    """Share of the impressions that were clicked, with its interval over visitors; both (n,)."""
    rate = intervals.rate_interval(click.astype(float), visitor)
    return Measure("click_rate", "clicks of what was seen", "share", rate, len(click), of)


def quality(rows: Impressions, of: str) -> tuple[Measure, Measure]:
    """How well predictions order what was seen (AUC), and how true they are (PCOC), with intervals over visitors."""
    clicks, promised = int(rows.click.sum()), round(float(rows.pctr.sum()))
    order = intervals.auc_interval(rows.click, rows.pctr, rows.visitor) if len(rows) else NOTHING
    level = intervals.pcoc_interval(rows.click.astype(float), rows.pctr, rows.visitor) if len(rows) else NOTHING
    return (
        Measure("auc", "AUC of predicted clicks", "auc", order, clicks, of),
        Measure("pcoc", "predicted over observed clicks", "ratio", level, clicks, of, promised),
    )


def model_age(loaded: Loaded, until: datetime) -> float:
    """Days since the last day that a model was trained on; since it was installed where that day is of no calendar."""
    last = int(loaded.manifest.get("train_days", [0, 0])[1])
    if last < CALENDAR_DAY:
        return (until.timestamp() - float(loaded.manifest.get("installed", until.timestamp()))) / 86_400
    ended = EPOCH + timedelta(days=last + 1)
    return max((until - datetime(ended.year, ended.month, ended.day, tzinfo=UTC)).total_seconds() / 86_400, 0.0)


def new_listings(store: Store, since: datetime, until: datetime) -> list[NewListing]:
    """Listings published within a time, the latest first, with when they were first seen."""
    first, count = func.min(FeedRow.seen_at), func.count(FeedRow.id)
    with store.read() as session:
        query = (
            select(
                ListingRow.id,
                ListingRow.title,
                ListingRow.category,
                SellerRow.name,
                ListingRow.status,
                ListingRow.published_at,
            )
            .join(SellerRow, SellerRow.id == ListingRow.seller_id)
            .where(ListingRow.published_at >= since, ListingRow.published_at <= until)
            .order_by(ListingRow.published_at.desc(), ListingRow.id)
        )
        rows = session.execute(query).all()
        ids = select(ListingRow.id).where(ListingRow.published_at >= since, ListingRow.published_at <= until)
        viewed = FeedRow.listing_id.in_(ids) & FeedRow.seen_at.is_not(None)
        clicks = func.sum(case((clicked(), 1), else_=0))
        at_first = select(FeedRow.listing_id, first, count, clicks).where(viewed).group_by(FeedRow.listing_id)
        first_views = {r[0]: r[1:] for r in session.execute(at_first)}
    out = []
    for key, title, category, seller, status, published in rows:
        assert published is not None
        at, times, clicks_of = first_views.get(key, (None, 0, 0))
        waited = max((at - published).total_seconds() / 3600, 0.0) if at is not None else None
        out.append(NewListing(key, title, category, seller, status, published,
                              (until - published).total_seconds() / 3600, waited, int(times),
                              int(clicks_of)))  # fmt: skip
    return out


@dataclass(frozen=True)
class Curve:
    """Share of the new listings that is unseen after each of ``hours``, with the ends of its interval (NaN: none)."""

    hours: np.ndarray
    unseen: np.ndarray
    low: np.ndarray
    high: np.ndarray


def waiting_curve(new: list[NewListing]) -> Curve | None:
    """By Kaplan and Meier: of the unseen ones it is known only that they wait for longer than they are on sale. Those
    that are no more on sale and were never seen are left out, as in ``seen_in_time``."""
    from scipy import stats

    new = [x for x in new if x.counts]
    if not any(x.waited is not None for x in new):
        return None
    waits, open_ = [x.aged if x.waited is None else x.waited for x in new], [x.waited is None for x in new]
    left = stats.ecdf(stats.CensoredData.right_censored(waits, open_)).sf
    with warnings.catch_warnings():  # at both ends of the curve there is no interval
        warnings.simplefilter("ignore", RuntimeWarning)
        reach = left.confidence_interval(intervals.LEVEL, method="log-log")
    return Curve(left.quantiles, left.probabilities, reach.low.probabilities, reach.high.probabilities)


def _first_wait(new: list[NewListing]) -> Measure:
    """Median hours to the first impression (Kaplan-Meier, interval by log-log), in minutes."""
    measure = Measure("first_wait", "median wait for the first impression", "minutes", NOTHING)
    curve = waiting_curve(new)
    if curve is None:
        return measure
    # The ends of a median's interval are where the ends of the curve's pass one half.
    ends = [_passes(curve.hours, unseen) for unseen in (curve.unseen, curve.low, curve.high)]
    return replace(measure, interval=Interval(*(None if end is None else 60 * end for end in ends)))


def _passes(hours: np.ndarray, unseen: np.ndarray) -> float | None:
    """The first moment at which at most half are unseen."""
    defined = ~np.isnan(unseen)
    below = np.flatnonzero(defined & (unseen <= 0.5))
    return float(hours[below[0]]) if len(below) else None
