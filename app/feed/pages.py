"""Pages of the feed: made by the cascade, written down with what was known at that moment, answered."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import select

from app.accounts.sellers import check_there
from app.feed.items import number
from app.feed.posts import LivePosts
from app.feed.sync import ListingSync
from app.market.posts import PostView
from app.metrics import Metrics
from app.settings import Settings
from app.store import listing_repo
from app.store.db import UNSAVED, Store
from app.store.draft_repo import new_id
from app.store.tables import FeedPageRow, FeedRow, NumberRow, now
from app.views import AppError, Busy
from listing.schema import Listing
from recommend.cascade.catalog import Catalog
from recommend.cascade.feed import Feed
from recommend.cascade.logged import candidates, item_facts, item_scores, request_facts
from recommend.cascade.page import PageState, Slate, TraceLine
from recommend.cascade.request import Moment

MAX_BUCKETS = 10_000  # visitors; beyond them those who have not come for ``FORGET_S`` are forgotten
FORGET_S = 60.0
NOBODY = -1  # number of a visitor of whom nothing is known
WAITING = 64  # pages that wait; further ones are refused
MAX_TIMES = 20_000  # pages of which is known how long they took


@dataclass(frozen=True)
class Place:
    """A listing or a post on a page. ``reason``: ranked, exploration, ad or post; pctr: probability of a click."""

    position: int
    reason: str
    pctr: float
    listing: Listing | None = None
    post: PostView | None = None


@dataclass(frozen=True)
class Page:
    """A page as it is answered."""

    id: str
    slate: Slate
    listings: dict[int, Listing]  # by the feed's number
    posts: list[PostView | None] = field(default_factory=list)  # in the slate's order; None: withdrawn meanwhile

    @property
    def places(self) -> list[Place]:
        """Listings and posts on it, in order; what is gone meanwhile leaves no gap."""
        places = [
            Place(s.position or 0, s.reason, s.pctr, listing=listing)
            for s in self.slate.page
            if (listing := self.listings.get(s.item_id)) is not None
        ]
        places += [
            Place(s.position, "post", s.pctr, post=post)
            for s, post in zip(self.slate.posts, self.posts, strict=True)
            if post is not None
        ]
        return [replace(p, position=n) for n, p in enumerate(sorted(places, key=lambda p: p.position))]


class Rates:
    """Requests of each visitor in a second, by a bucket that fills steadily."""

    def __init__(self, per_second: float, burst: float = 2.0) -> None:
        self._rate, self._most = per_second, per_second * burst
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def check(self, visitor: str) -> None:
        """Raises Busy when the visitor asks too often."""
        at = time.monotonic()
        with self._lock:
            left, last = self._left.get(visitor, (self._most, at))
            left = min(self._most, left + (at - last) * self._rate)
            if left < 1:
                raise Busy("You ask too often; wait a moment.", 1)
            self._left[visitor] = (left - 1, at)
            if len(self._left) > MAX_BUCKETS:
                self._left = {v: bucket for v, bucket in self._left.items() if at - bucket[1] < FORGET_S}


class PageMaker:
    """Makes pages and writes them down. Every public method may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        feed: Feed,
        listings: ListingSync,
        posts: LivePosts,
        metrics: Metrics,
        moment: Callable[[], Moment],
    ) -> None:
        self.store, self.feed, self.listings, self.posts = store, feed, listings, posts
        self._moment, self._candidates_share = moment, settings.feed_candidates
        self._seconds, self._stages, self._errors = metrics.feed_seconds, metrics.feed_stages, metrics.errors
        self._line, self._rates = threading.Semaphore(WAITING), Rates(settings.feed_per_second)
        self._rng = np.random.default_rng()
        self.took: deque[tuple[float, float]] = deque(maxlen=MAX_TIMES)  # when, and how many ms it took

    def page(self, visitor: str, size: int) -> Page:
        """A page for a visitor, written down."""
        self._rates.check(visitor)
        if not self._line.acquire(blocking=False):  # a full line is refused instead of growing
            raise Busy("The feed is busy; ask again in a moment.", 1)
        try:
            began = time.perf_counter()
            visitor_id = self._visitor(visitor)
            slate = self.feed.slate(visitor_id, self._moment(), size)
            page = self._written(visitor_id, slate, self._for(visitor, slate.page))
        finally:
            self._line.release()
        seconds = time.perf_counter() - began
        self._seconds.observe(seconds)
        for stage, ms in slate.ms.items():
            self._stages.labels(stage).observe(ms / 1000)
        self.took.append((now().timestamp(), 1000 * seconds))
        return page

    def explain(self, visitor: str, size: int) -> tuple[Slate, dict[int, Listing]]:
        """The page that a visitor would get now; nothing is written down or counted."""
        slate = self.considered(visitor, size).slate
        return slate, self._for(visitor, [*slate.page, *slate.fell])

    def considered(self, visitor: str, size: int) -> PageState:
        """The page that a visitor would get now, with the scores of every stage; nothing is written down or counted."""
        visitor_number = self._visitor_number(visitor)
        return self.feed.considered(visitor_number if visitor_number is not None else NOBODY, self._moment(), size)

    def _for(self, visitor: str, lines: Sequence[TraceLine]) -> dict[int, Listing]:
        """The listings of these lines by the feed's number, without those that the visitor has reported."""
        with self.store.read() as session:
            reported = set(session.scalars(listing_repo.reported_by(visitor)))
        listings = self.listings.listings(line.item_id for line in lines)
        return {number: x for number, x in listings.items() if x.id not in reported}

    def again(self, visitor: str, page_id: str) -> list[Place]:
        """The listings of a page that was made for this visitor, in its order, as far as they can still be bought."""
        with self.store.read() as session:
            query = (
                select(FeedRow)
                .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
                .join(NumberRow, NumberRow.id == FeedPageRow.visitor)
                .where(FeedPageRow.id == page_id, NumberRow.kind == "visitor", NumberRow.key == visitor)
                .where(FeedRow.listing_id.not_in(listing_repo.reported_by(visitor)))
                .order_by(FeedRow.position)
            )
            rows = {row.listing_id: row for row in session.scalars(query)}
            listings = listing_repo.to_listings(session, listing_repo.by_ids(session, rows))
        places = [(rows[x.id], x) for x in listings if x.status == "active"]
        return [Place(row.position, row.reason, float(row.scores["pctr"]), listing=x) for row, x in places]

    def _visitor(self, name: str) -> int:
        """The visitor's number; only a new visitor has to wait for the store's writers."""
        visitor_number = self._visitor_number(name)
        if visitor_number is not None:
            return visitor_number
        try:
            with self.store.write() as session:
                check_there(session, name)
                return number(session, "visitor", name)
        except AppError as error:
            self._check_readable(error)
            return NOBODY

    def _visitor_number(self, name: str) -> int | None:
        with self.store.read() as session:
            return session.scalar(select(NumberRow.id).where(NumberRow.kind == "visitor", NumberRow.key == name))

    def _written(self, visitor_id: int, slate: Slate, listings: dict[int, Listing]) -> Page:
        page_id = new_id()
        facts = request_facts(self.feed.visitors.get(visitor_id), slate.moment)
        try:
            with self.store.write() as session:
                at = datetime.fromtimestamp(slate.moment.time_ms / 1000, UTC)  # as it was scored, also in the log
                # What nobody saw teaches a pre-ranking model what the ranking stage thinks (COPR), if a model ranked.
                kept = self._rng.random() < self._candidates_share and "ranking" not in slate.degraded
                page = FeedPageRow(id=page_id, visitor=visitor_id, at=at, known=facts, models=slate.models)
                page.candidates = candidates(slate) if kept else None
                session.add(page)
                session.flush()
                for place in slate.page:
                    if place.item_id in listings:
                        session.add(feed_row(page_id, place, listings[place.item_id].id, self.feed.catalog))
                posts = self.posts.note(session, page_id, slate)
        except AppError as error:
            self._check_readable(error)
            posts = [None] * len(slate.posts)
        return Page(page_id, slate, listings, posts)

    def _check_readable(self, error: AppError) -> None:
        """A page that cannot be written down is shown all the same; raises the error where it cannot be read either."""
        if error.code not in UNSAVED:
            raise error
        self._errors.labels(error.code).inc()


def feed_row(page_id: str, item: TraceLine, listing_id: str, catalog: Catalog) -> FeedRow:
    """A listing on a page, with what was known of it and how it was scored."""
    return FeedRow(
        page_id=page_id,
        listing_id=listing_id,
        position=item.position or 0,
        reason=item.reason,
        known=item_facts(item, catalog),
        scores=item_scores(item),
    )
