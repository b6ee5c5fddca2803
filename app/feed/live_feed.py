"""The live feed of a server: follows the store, makes pages, writes down what was shown and what came of it.

The store is the truth. The cascade's catalogue is a copy in memory: filled at the start, brought up to date with every
change that goes through the outbox, and at once when something is sold.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.feed.candidates import note_candidates, note_items
from app.feed.items import CONTENT, Prices, Projection, milliseconds, number, numbers, to_item
from app.feed.live_posts import LivePosts, PostEvents
from app.market.posts import PostView
from app.market.promotions import Calendar, read_calendar
from app.metrics import Metrics
from app.settings import Settings
from app.store import listing_repo
from app.store.change_feed import Changes
from app.store.db import Store
from app.store.draft_repo import new_id
from app.store.search_index import SearchIndex
from app.store.tables import AdRow, FeedEventRow, FeedPageRow, FeedRow, ListingRow, NumberRow, now
from app.views import AppError, Busy
from listing.schema import Listing
from recommend.cascade.catalog import Item
from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy
from recommend.cascade.page import FeedConfig, Shown, Slate
from recommend.cascade.registry import Registry
from recommend.cascade.request import Moment
from recommend.cascade.scoring import Models
from recommend.cascade.visitors import Past

log = logging.getLogger(__name__)
REMEMBERED_DAYS = 30  # clicks that a new server reads back
STALE_S = 900.0  # vectors of the pre-ranking stage are made anew after that long
KINDS = ("impression", "click", "cart")


@dataclass(frozen=True)
class Page:
    """A page as it is answered."""

    id: str
    slate: Slate
    listings: dict[int, Listing]  # by the feed's number
    posts: list[PostView | None] = field(default_factory=list)  # in the slate's order; None: withdrawn meanwhile


class LiveFeed:
    """See the module. Every public method may be called from any thread."""

    def __init__(self, settings: Settings, store: Store, index: SearchIndex, metrics: Metrics) -> None:
        self.settings, self.store, self.index, self.metrics = settings, store, index, metrics
        self.registry = Registry(settings.home / "feed" / "models", healthy)
        self.models = Models(self.registry)
        self.feed = Feed(CONTENT, self.models, FeedConfig(uniform_ads=settings.feed_uniform_ads))
        self.posts = LivePosts(store, self.feed)
        self._chance = np.random.default_rng()
        self._projection: Projection | None = None
        self._prices = Prices.read([])
        self._calendar = Calendar()
        self._changes = Changes(store)
        self._catching_up = threading.Lock()
        self._keys: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._singles: dict[str, bool] = {}
        self._waiting = 0
        self._count = threading.Lock()
        self._taken: deque[float] = deque(maxlen=500)
        self._rates = Rates(settings.feed_per_second)

    def start(self) -> None:
        """Fill the catalogue and read the visitors' latest clicks back."""
        self.read_calendar()
        self.models.refresh(self.moment().day)
        self._changes.start()
        self._projection = Projection.load(self.settings.home / "feed" / "projection.safetensors", self._sample())
        with self.store.read() as session:
            priced = session.execute(select(ListingRow.category, ListingRow.price).where(ListingRow.price.is_not(None)))
            self._prices = Prices.read([(c, float(p)) for c, p in priced if p is not None])
            rows = list(session.scalars(select(ListingRow).where(ListingRow.status == "active")))
            listings = listing_repo.to_listings(session, rows)
        self.put(listings)
        self.posts.refresh()
        self._remember()
        self.feed.pre_ranker.rebuild(self.moment())

    def close(self) -> None:
        """Let the workers go."""
        self.feed.close()

    def moment(self) -> Moment:
        """Now, with what the calendar says of today."""
        return self._calendar.moment(int(time.time() * 1000))

    def read_calendar(self) -> None:
        """Read the calendar of promotions anew."""
        self._calendar = read_calendar(self.store)

    def refresh(self) -> None:
        """Look for other models and promotions, and make the vectors anew when they are old. Called every few
        seconds."""
        changed = self.models.refresh(self.moment().day)
        self.read_calendar()
        moment = self.moment()
        if "pre_ranking" in changed or self.feed.pre_ranker.age_s(moment) > STALE_S:
            self.feed.pre_ranker.rebuild(moment)
        self.posts.refresh()

    def catch_up(self) -> int:
        """Take in what has changed in the store, on whichever server; returns how many changes. Called every second.

        Raises:
            AppError: the store is away; the changes are taken in later.
        """
        with self._catching_up:
            with self.store.read() as session:
                news = self._changes.news(session)
                rows = list(session.scalars(select(ListingRow).where(ListingRow.id.in_(set(news.values())))))
                listings = listing_repo.to_listings(session, rows) if rows else []
            self.put(listings)
            self.remove(set(news.values()) - {x.id for x in listings})
            self._changes.known(news)
            return len(news)

    def forget_changes(self) -> int:
        """Delete changes that every server has taken in long ago."""
        return self._changes.forget()

    def put(self, listings: Sequence[Listing]) -> None:
        """Listings that came or changed; those that cannot be bought leave."""
        on_sale = [x for x in listings if x.status == "active" and x.stock > 0]
        self.remove([x.id for x in listings if x not in on_sale])
        if not on_sale:
            return
        try:
            vectors = self.index.vectors([x.id for x in on_sale])
        except Exception as error:
            log.warning("the index gives no vectors, the feed goes on without them: %s", error)
            vectors = {}
        with self.store.write() as session:
            ids = numbers(session, "listing", [x.id for x in on_sale])
            sellers = numbers(session, "seller", [x.seller_id for x in on_sale])
            bids = {ad.listing_id: ad.bid for ad in session.scalars(select(AdRow).where(AdRow.listing_id.in_(ids)))}
            items = [self._item(x, ids[x.id], sellers[x.seller_id], vectors, bids.get(x.id, 0.0)) for x in on_sale]
            note_items(session, items)
        moment = self.moment()
        for x, item in zip(on_sale, items, strict=True):
            self._keys[item.item_id], self._numbers[x.id] = x.id, item.item_id
            self.feed.put(item, moment)
        self.remove(self._gone([x.id for x in on_sale]))
        self.metrics.feed_live.set(len(self.feed.catalog))

    def content_of(self, vector: Sequence[float] | None) -> list[float]:
        """The content vector of an image vector; zeros without one."""
        assert self._projection is not None
        return [round(float(v), 4) for v in self._projection(vector)]

    def _item(self, x: Listing, item_id: int, seller: int, vectors: Mapping[str, Sequence[float]], bid: float) -> Item:
        # Single is an attribute of the listing when it came, not of what is left of it.
        single = self._singles.setdefault(x.id, x.stock == 1)
        assert self._projection is not None
        return to_item(x, item_id, seller, self._projection(vectors.get(x.id)), self._prices, bid, single)

    def _gone(self, listing_ids: Collection[str]) -> set[str]:
        """Those that were sold or withdrawn while they were being put in: who sold them may have come before us."""
        with self.store.read() as session:
            still = select(ListingRow.id).where(
                ListingRow.id.in_(listing_ids), ListingRow.status == "active", ListingRow.stock > 0
            )
            return set(listing_ids) - set(session.scalars(still))

    def remove(self, listing_ids: Collection[str]) -> None:
        """Listings that left."""
        if not listing_ids:
            return
        for listing_id in listing_ids:  # without the store: what has been sold leaves even if that goes away now
            if listing_id in self._numbers:
                self.feed.remove(self._numbers[listing_id])
        self.metrics.feed_live.set(len(self.feed.catalog))

    def page(self, visitor: str, size: int) -> Page:
        """A page for a visitor, written down.

        Raises:
            Busy: too many pages are waiting, or this visitor asks too often.
        """
        self._rates.check(visitor)
        with self._count:
            if self._waiting >= self.settings.feed_waiting:
                raise Busy("The feed is busy; ask again in a moment.", 1)
            self._waiting += 1
        began = time.perf_counter()
        try:
            who = self._visitor(visitor)
            slate = self.feed.slate(who, self.moment(), size)
            page = self._written(who, slate)
        finally:
            with self._count:
                self._waiting -= 1
        taken = time.perf_counter() - began
        self.metrics.feed_seconds.observe(taken)
        self._taken.append(1000 * taken)
        return page

    def p99_ms(self) -> float | None:
        """Of the last pages, waiting included; None before there are 20."""
        return float(np.percentile(list(self._taken), 99)) if len(self._taken) >= 20 else None

    def _visitor(self, name: str) -> int:
        """The visitor's number; only a new visitor has to wait for the store's writers."""
        with self.store.read() as session:
            found = session.scalar(select(NumberRow.id).where(NumberRow.kind == "visitor", NumberRow.key == name))
        if found is not None:
            return found
        with self.store.write() as session:
            return number(session, "visitor", name)

    def explain(self, visitor: str, size: int) -> tuple[Slate, dict[int, Listing]]:
        """What a visitor would see now, and why; nothing is written down or counted. For operators."""
        with self.store.read() as session:
            who = session.scalar(select(NumberRow.id).where(NumberRow.kind == "visitor", NumberRow.key == visitor))
        slate = self.feed.slate(who if who is not None else -1, self.moment(), size)
        return slate, self._listings((*slate.page, *slate.fell))

    def events(self, visitor: str, events: Iterable[tuple[str, str, str, str]]) -> int:
        """Write (kind, page id, listing id, post id) down, of which one is empty; a repeated event counts once.

        Returns how many were new.

        Raises:
            AppError: no such page of this visitor, or the listing did not stand on it (404); unknown kind (422).
        """
        new = 0
        clicks: list[int] = []
        shown: list[int] = []
        of_posts = PostEvents()
        with self.store.write() as session:
            who = number(session, "visitor", visitor)
            for kind, page_id, listing_id, post_id in events:
                if kind not in KINDS:
                    raise AppError("no_kind", f"An event is one of {', '.join(KINDS)}.", 422)
                if bool(listing_id) == bool(post_id):
                    raise AppError("no_thing", "An event names a listing_id or a post_id, and not both.", 422)
                if post_id:
                    new += self.posts.event(session, who, kind, page_id, post_id, of_posts)
                    continue
                row = self._row(session, who, page_id, listing_id)
                if kind == "impression":
                    if row.seen_at is None:
                        row.seen_at, new = now(), new + 1
                        shown.append(int(row.known["item_id"]))
                    continue
                query = select(FeedEventRow.id).where(FeedEventRow.row_id == row.id, FeedEventRow.kind == kind)
                if session.scalar(query) is not None:
                    continue
                session.add(FeedEventRow(row_id=row.id, kind=kind))
                session.flush()
                new += 1
                if row.seen_at is None:  # who clicked has seen
                    row.seen_at = now()
                    shown.append(int(row.known["item_id"]))
                if kind == "click":
                    clicks.append(int(row.known["item_id"]))
        moment = self.moment()
        self.posts.count(who, of_posts, moment)
        self.feed.shown(shown, moment)
        for item_id in clicks:
            self.feed.clicked(who, item_id, moment)
        return new

    def sold(self, listing_id: str, left: int) -> None:
        """The store has sold a piece: the last one leaves the feed before the buyer is answered."""
        if left == 0:
            self.remove([listing_id])

    def place_ad(self, seller: str, listing_id: str, bid: float) -> None:
        """What a seller bids for a click on an own listing; 0 ends the ad. The feed learns of it through the outbox.

        Raises:
            AppError: 404.
        """
        with self.store.write() as session:
            listing_repo.own_listing(session, seller, listing_id, lock=True)
            ad = session.get(AdRow, listing_id)
            if bid == 0 and ad is not None:
                session.delete(ad)
            elif bid > 0 and ad is None:
                session.add(AdRow(listing_id=listing_id, bid=bid))
            elif ad is not None:
                ad.bid, ad.at = bid, now()
            listing_repo.to_index(session, listing_id)

    def _row(self, session: Session, who: int, page_id: str, listing_id: str) -> FeedRow:
        query = (
            select(FeedRow)
            .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
            .where(FeedRow.page_id == page_id, FeedRow.listing_id == listing_id, FeedPageRow.visitor == who)
        )
        row = session.scalar(query)
        if row is None:
            raise AppError("not_found", "That listing did not stand on such a page of this visitor.", 404)
        return row

    def _written(self, who: int, slate: Slate) -> Page:
        listings = self._listings(slate.page)
        page_id = new_id()
        visitor = self.feed.visitors.get(who)
        past = list(visitor.history)
        moment = slate.moment
        known: dict[str, Any] = {
            "hour": moment.hour,
            "promotion": moment.promotion,
            "days_to_promotion": moment.days_to_promotion,
            "history_item": [p.item_id for p in past],
            "history_category": [p.category for p in past],
            "history_single": [int(p.single) for p in past],
            "history_post": [p.post_id for p in visitor.posts],
            "history_age_h": [round((moment.time_ms - p.time_ms) / 3_600_000, 3) for p in past],
        }
        with self.store.write() as session:
            session.add(FeedPageRow(id=page_id, visitor=who, known=known, models=slate.models))
            session.flush()
            for shown in slate.page:
                if shown.item_id in listings:
                    session.add(self._feed_row(page_id, shown, listings[shown.item_id].id))
            posts = self.posts.note(session, page_id, slate)
            if self._chance.random() < self.settings.feed_candidates:
                note_candidates(session, page_id, slate)
        return Page(page_id, slate, listings, posts)

    def _feed_row(self, page_id: str, shown: Shown, listing_id: str) -> FeedRow:
        rows = self.feed.catalog.rows([shown.item_id])
        catalog = self.feed.catalog
        content = catalog.content(rows)[0] if len(rows) else np.zeros(CONTENT)
        one = {n: catalog.get(n, rows)[0].item() if len(rows) else 0 for n in ("condition", "price", "price_bucket")}
        known = {
            "item_id": shown.item_id,
            "seller_id": shown.seller_id,
            "category": shown.category,
            "single": shown.single,
            "stock": shown.stock,
            "item_age_h": round(shown.age_h, 3),
            "content": [round(float(v), 4) for v in content],
            **one,
        }
        scores = {
            "pctr": shown.pctr,
            "pcvr": shown.pcvr,
            "score": shown.score,
            "bid": shown.bid,
            "ecpm": shown.ecpm,
            "price_per_click": shown.price_per_click,
            "policy": shown.policy,
            "propensity": shown.propensity,
            "pre_rank": shown.pre_rank,
            "rank": shown.rank,
        }
        return FeedRow(
            page_id=page_id,
            listing_id=listing_id,
            position=shown.position or 0,
            reason=shown.reason,
            known=known,
            scores=scores,
        )

    def _listings(self, shown: Iterable[Shown]) -> dict[int, Listing]:
        """Listings by the feed's number; those that are gone meanwhile are left out."""
        wanted = {s.item_id: self._keys[s.item_id] for s in shown if s.item_id in self._keys}
        with self.store.read() as session:
            found = {x.id: x for x in listing_repo.to_listings(session, listing_repo.by_ids(session, wanted.values()))}
        return {n: found[key] for n, key in wanted.items() if key in found and found[key].status == "active"}

    def _remember(self) -> None:
        """The visitors' clicks and the listings' counts of the last weeks."""
        since = now() - timedelta(days=REMEMBERED_DAYS)
        self.posts.remember(since)
        with self.store.read() as session:
            query = (
                select(FeedPageRow.visitor, FeedRow.known, FeedEventRow.at)
                .join(FeedRow, FeedRow.page_id == FeedPageRow.id)
                .join(FeedEventRow, FeedEventRow.row_id == FeedRow.id)
                .where(FeedEventRow.kind == "click", FeedEventRow.at >= since)
                .order_by(FeedEventRow.id)
            )
            clicks = session.execute(query).all()
            seen = session.execute(
                select(FeedRow.known, FeedRow.seen_at)
                .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
                .where(FeedRow.seen_at.is_not(None), FeedPageRow.at >= since)
                .order_by(FeedRow.id)
            ).all()
        for known, at in seen:
            self.feed.catalog.shown([int(known["item_id"])], milliseconds(at))
        for who, known, at in clicks:
            past = Past(
                int(known["item_id"]),
                int(known["category"]),
                bool(known["single"]),
                milliseconds(at),
                np.array(known["content"], np.float32),
                int(known["seller_id"]),
            )
            self.feed.visitors.get(who).history.append(past)
            self.feed.catalog.clicked([past.item_id], past.time_ms)

    def _sample(self) -> np.ndarray | None:
        """Image vectors of the sample listings, on which the content vectors' axes are fitted."""
        past = getattr(self.index, "past", None)
        if past is None:
            return None
        try:
            found = [r.image_vectors[0] for r in past.index.records() if r.image_vectors]
        except Exception:
            log.exception("the index gives no vectors; the feed's content vectors are drawn at random")
            return None
        return np.array(found, np.float32) if found else None


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
            if len(self._left) > 10_000:
                self._left = {v: kept for v, kept in self._left.items() if at - kept[1] < 60}
