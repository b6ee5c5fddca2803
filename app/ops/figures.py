"""The operator's figures, each computed here and nowhere else, so that page, ``/metrics`` and API say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, case, func, select

from app.market.promotions import EPOCH
from app.market.reviews import REVIEW
from app.ops import intervals
from app.ops.impressions import Impressions, Window, clicked, impressions
from app.ops.intervals import NOTHING, Counted, Interval, exact
from app.services import Services
from app.store.db import Store
from app.store.tables import (
    FeedPageRow,
    FeedRow,
    ListingRow,
    MessageRow,
    OrderRow,
    OutboxRow,
    SellerRow,
    Topic,
)
from recommend.cascade.registry import Loaded
from recommend.cascade.scoring import SIMPLE

SLOW_MS = 150.0  # a page that takes longer is slow
TARGET_HOURS = 6.0  # within which a new listing is to be seen
INDEXED_WITHIN = 60.0  # seconds: a listing that was just published still waits for its turn in the index
YOUNG_HOURS = 48.0  # a listing is new for that long
BINS = 8  # of predictions, whose click rates are compared
NEEDED = ("pre_ranking", "ranking")  # stages that choose the page; the others have a simpler way that is meant
CALENDAR_DAY = 10_000  # days since 1970 of a log of this store; smaller ones are of the simulated marketplace
MEASURES = {  # name for people, and unit
    "live_listings": ("listings on sale", "count"),
    "without_vector": ("listings that the index knows no photo of", "share"),
    "index_behind": ("how far the index is behind", "minutes"),
    "reviews_waiting": ("listings that wait for review", "count"),
    "reports": ("reports by visitors", "count"),
    "requests_failed": ("requests that failed", "share"),
    "requests_refused": ("requests turned away", "share"),
    "models_missing": ("stages without a model", "count"),
    "model_age": ("days since what the ranking model learned from", "days"),
    "pages": ("pages asked for", "count"),
    "slow_pages": (f"pages slower than {SLOW_MS:.0f} ms", "share"),
    "click_rate": ("clicks of what was seen", "share"),
    "orders": ("orders", "count"),
    "published": ("listings published", "count"),
    "seen_in_time": (f"new listings seen within {TARGET_HOURS:.0f} h", "share"),
    "starved": (f"listings unseen for over {TARGET_HOURS:.0f} h", "count"),
    "auc": ("AUC of predicted clicks", "auc"),
    "pcoc": ("predicted over observed clicks", "ratio"),
    "model_failures": ("models that failed", "count"),
    "feed_problems": ("stages in which something else serves than feed.yaml names", "count"),
}
KEYS = frozenset(MEASURES)


@dataclass(frozen=True)
class Measure:
    """A figure with its interval. ``n`` of ``of``: what it was counted over.

    A figure that was counted whole has its value as both ends; one that cannot be said is None. ``expected``: what
    ``n`` was to be; a rule that needs enough takes the greater, so that what fails to come can break it.
    """

    key: str
    interval: Interval
    n: int = 0
    of: str = ""
    expected: int = 0

    @property
    def name(self) -> str:
        """Its name for people."""
        return MEASURES[self.key][0]

    @property
    def title(self) -> str:
        """The name as a sentence begins; AUC stays AUC."""
        return self.name[0].upper() + self.name[1:]

    @property
    def unit(self) -> str:
        """How it is written: share, ratio, auc, ms, minutes, days or count."""
        return MEASURES[self.key][1]

    @property
    def brief(self) -> str:
        """Value and interval."""
        value, low, high = self.interval.value, self.interval.low, self.interval.high
        if value is None:
            return f"above {written(low, self.unit)}" if low is not None else "not known yet"
        if isinstance(self.interval, Counted):
            return written(value, self.unit)
        ends = ("?" if end is None else written(end, self.unit) for end in (low, high))
        return f"{written(value, self.unit)} [{', '.join(ends)}]"

    @property
    def words(self) -> str:
        """Value, interval and what it was counted over."""
        unsaid = self.interval.value is None and self.interval.low is None
        return self.brief + (f" ({self.n:,} {self.of})" if self.of and not unsaid else "")


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
    """A listing of the last days, as it was at ``until``. ``first_seen`` None: nobody has seen it."""

    id: str
    title: str
    category: str
    seller: str
    status: str
    published_at: datetime
    first_seen: datetime | None
    impressions: int
    clicks: int
    until: datetime = field(kw_only=True)

    @property
    def aged(self) -> float:
        """Hours since it was published."""
        return (self.until - self.published_at).total_seconds() / 3600

    @property
    def waited(self) -> float | None:
        """Hours to the first impression."""
        if self.first_seen is None:
            return None
        return max((self.first_seen - self.published_at).total_seconds() / 3600, 0.0)

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
    """All figures of a window, computed once at its end. Of a past window those of what is now are left out."""

    def __init__(self, services: Services, over: Window) -> None:
        self.services, self.over, self.store, self.feed = services, over, services.store, services.feed

    @cached_property
    def measures(self) -> dict[str, Measure]:
        """By key."""
        present = () if self.over.past else (*self._market(), *self._models())
        return {m.key: m for m in (*present, *self._feed(), *self._new(), *self._predictions())}

    @cached_property
    def impressions(self) -> Impressions:
        """What was seen in the window."""
        split = [role for role in ("pre_ranking", "conversion", "ads") if len(self.feed.models.serving(role)) > 1]
        return impressions(self.store, self.over, ["ranking", *split])

    @cached_property
    def ranking(self) -> str:
        """The name of what ranks now, of a past window of what ranked last."""
        if self.over.past:
            return str(self.impressions.by["ranking"][-1]) if len(self.impressions) else SIMPLE
        loaded = self.feed.models.get("ranking")
        return loaded.name if loaded is not None else SIMPLE

    @cached_property
    def judged(self) -> np.ndarray:
        """Which rows this ranking made: what was ranked otherwise says nothing of it."""
        return self.impressions.scored("ranking", self.ranking)

    @cached_property
    def calibration(self) -> list[tuple[float, float]]:
        """(predicted, observed) click rates of what this ranking showed, in bins of as many impressions each."""
        pctr, click = self.impressions.pctr[self.judged], self.impressions.click[self.judged]
        bins = [b for b in np.array_split(np.argsort(pctr, kind="stable"), BINS) if len(b)]
        return [(float(pctr[b].mean()), float(click[b].mean())) for b in bins]

    def clicks(self, role: str, model: str) -> Measure | None:
        """Clicks of what a model scored; None where nobody needs to compare it."""
        if role not in self.impressions.by:
            return None
        rows, seen = self.impressions.scored(role, model), self.impressions
        rate = intervals.rate_interval(seen.click[rows].astype(float), seen.visitor[rows])
        return Measure("click_rate", rate, int(rows.sum()), "impressions")

    @cached_property
    def new(self) -> list[NewListing]:
        """Listings that came within the window, or so long before it that they still had to be seen in it; latest
        first."""
        return new_listings(self.store, self.over.since - timedelta(hours=TARGET_HOURS), self.over.until)

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
        since = self.over.until - timedelta(hours=YOUNG_HOURS)
        return [x for x in new_listings(self.store, since, self.over.until) if x.starved]

    @cached_property
    def failures(self) -> list[dict[str, Any]]:
        """Events of models that failed in the window, the latest first."""
        since, until = self.over.since.timestamp(), self.over.until.timestamp()
        return [e for e in self.feed.registry.events(50) if e["what"] == "failed" and since <= e["at"] <= until]

    def _market(self) -> Iterable[Measure]:
        catalog = self.feed.feed.catalog
        live = catalog.live()
        waits = OutboxRow.topic == Topic.INDEX
        due = catalog.get("listed_ms", live) < (self.over.until.timestamp() - INDEXED_WITHIN) * 1000
        dark = exact(float((due & ~catalog.content(live).any(1)).mean())) if len(live) else NOTHING
        with self.store.read() as session:
            oldest = session.scalar(select(func.min(OutboxRow.at)).where(waits))
        behind = max((self.over.until - oldest).total_seconds() / 60, 0.0) if oldest else 0.0
        yield Measure("live_listings", exact(float(len(live))))
        yield Measure("without_vector", dark, len(live), "on sale")
        yield Measure("index_behind", exact(behind), int(self._count(waits)), "wait")
        yield Measure("reviews_waiting", exact(self._count(ListingRow.status == REVIEW)))
        statuses = Counter[str]()
        for sample in (s for metric in self.services.metrics.requests.collect() for s in metric.samples):
            statuses[sample.labels["status"]] += int(sample.value) if sample.name.endswith("_total") else 0
        asked, refused = statuses.total(), statuses["429"] + statuses["503"]
        failed = sum(n for status, n in statuses.items() if status[:1] == "5" and status != "503")
        for key, n in (("requests_failed", failed), ("requests_refused", refused)):
            yield Measure(key, exact(n / max(asked, 1)), asked, "requests since the server began")
        yield Measure("reports", exact(self._count(MessageRow.kind == "report")))

    def _models(self) -> Iterable[Measure]:
        models = self.feed.models
        missing = [role for role in NEEDED if models.get(role) is None]
        yield Measure("models_missing", exact(float(len(missing))), len(self.feed.feed.catalog), "on sale")
        loaded = models.get("ranking")
        age = exact(model_age(loaded, self.over.until)) if loaded is not None else NOTHING
        yield Measure("model_age", age, int(age is not NOTHING))
        yield Measure("feed_problems", exact(float(len(models.problems))))

    def _feed(self) -> Iterable[Measure]:
        since, until = self.over.since, self.over.until
        ms = np.array([ms for at, ms in list(self.feed.took) if since.timestamp() <= at <= until.timestamp()])
        yield Measure("slow_pages", intervals.wilson(int((ms > SLOW_MS).sum()), len(ms)), len(ms), "pages")
        yield Measure("pages", exact(self._count(FeedPageRow.at.between(since, until))))
        yield Measure("orders", exact(self._count(OrderRow.at.between(since, until))))
        yield Measure("published", exact(self._count(ListingRow.published_at.between(since, until))))
        seen = self.impressions
        rate = intervals.rate_interval(seen.click.astype(float), seen.visitor)
        yield Measure("click_rate", rate, len(seen), "impressions")

    def _new(self) -> Iterable[Measure]:
        hits = intervals.wilson(sum(x.in_time for x in self.due), len(self.due))
        yield Measure("seen_in_time", hits, len(self.due), "new listings")
        yield Measure("starved", exact(float(len(self.starved))))

    def _predictions(self) -> Iterable[Measure]:
        """How well predictions order what was seen, and how true they are."""
        of = f"clicks of what {self.ranking} ranked"
        click, pctr, visitor = (getattr(self.impressions, name)[self.judged] for name in ("click", "pctr", "visitor"))
        order = intervals.auc_interval(click, pctr, visitor) if len(click) else NOTHING
        level = intervals.pcoc_interval(click.astype(float), pctr, visitor) if len(click) else NOTHING
        yield Measure("auc", order, int(click.sum()), of)
        yield Measure("pcoc", level, int(click.sum()), of, round(float(pctr.sum())))
        yield Measure("model_failures", exact(float(len(self.failures))))

    def _count(self, where: ColumnElement[bool]) -> float:
        with self.store.read() as session:
            return float(session.scalar(select(func.count()).where(where)) or 0)


def model_age(loaded: Loaded, until: datetime) -> float:
    """Days since the last day that a model was trained on; since it was installed where that day is of no calendar."""
    last = int(loaded.manifest.get("train_days", [0, 0])[1])
    if last < CALENDAR_DAY:
        return (until.timestamp() - float(loaded.manifest.get("installed", until.timestamp()))) / 86_400
    ended = EPOCH + timedelta(days=last + 1)
    return max((until - datetime(ended.year, ended.month, ended.day, tzinfo=UTC)).total_seconds() / 86_400, 0.0)


def new_listings(store: Store, since: datetime, until: datetime) -> list[NewListing]:
    """Listings published within a time, the latest first, with when they were first seen until its end."""
    within, listing = ListingRow.published_at.between(since, until), FeedRow.listing_id
    clicks = func.sum(case((clicked(), 1), else_=0)).label("clicks")
    first, count = func.min(FeedRow.seen_at).label("first"), func.count().label("count")
    views = (
        select(listing, first, count, clicks)
        .where(listing.in_(select(ListingRow.id).where(within)), FeedRow.seen_at <= until)
        .group_by(listing)
        .subquery()
    )
    query = (
        select(
            *(ListingRow.id, ListingRow.title, ListingRow.category, SellerRow.name, ListingRow.status),
            *(ListingRow.published_at, views.c.first),
            *(func.coalesce(views.c.count, 0), func.coalesce(views.c.clicks, 0)),
        )
        .join(SellerRow, SellerRow.id == ListingRow.seller_id)
        .outerjoin(views, views.c.listing_id == ListingRow.id)
        .where(within)
        .order_by(ListingRow.published_at.desc(), ListingRow.id)
    )
    with store.read() as session:
        return [NewListing(*row, until=until) for row in session.execute(query)]
