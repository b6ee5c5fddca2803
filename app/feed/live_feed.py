"""The live feed of a server: it follows the store, makes pages, and takes what comes of them.

What others use is this class; its rooms are ``sync`` (listings), ``posts``, ``pages``, ``events`` and ``ads``, and for
training ``log``.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from app.feed.ads import place_ad
from app.feed.events import FeedEvents
from app.feed.items import CONTENT
from app.feed.pages import Page, PageMaker
from app.feed.posts import LivePosts
from app.feed.sync import ListingSync
from app.market.promotions import Calendar, read_calendar
from app.metrics import Metrics
from app.settings import Settings
from app.store.db import Store
from app.store.search_index import SearchIndex
from app.store.tables import now
from listing.schema import Listing
from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy
from recommend.cascade.page import FeedConfig, Slate
from recommend.cascade.registry import Registry
from recommend.cascade.request import Moment
from recommend.cascade.scoring import Models

REMEMBERED = timedelta(days=30)  # clicks that a new server reads back
STALE_S = 900.0  # vectors of the pre-ranking stage are made anew after that long


class LiveFeed:
    """See the module. Every public method may be called from any thread."""

    def __init__(self, settings: Settings, store: Store, index: SearchIndex, metrics: Metrics) -> None:
        folder = settings.home / "feed"
        self.store = store
        self.registry = Registry(folder / "models", healthy)
        self.models = Models(self.registry)
        self.feed = Feed(CONTENT, self.models, FeedConfig(uniform_ads=settings.feed_uniform_ads))
        self.posts = LivePosts(store, self.feed)
        live, projection = metrics.feed_live, folder / "projection.safetensors"
        self.listings = ListingSync(store, index, self.feed, self.moment, live.set, projection)
        self._pages = PageMaker(settings, store, self.feed, self.listings, self.posts, metrics)
        self._events = FeedEvents(store, self.feed, self.posts)
        self._calendar = Calendar()

    def start(self) -> None:
        """Fill the catalogue and read the visitors' latest clicks back."""
        self.read_calendar()
        self.models.refresh(self.moment().day)
        self.listings.start()
        self.posts.refresh()
        self._events.remember(now() - REMEMBERED)
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
        """Look for other models, promotions and posts, and make old vectors anew. Called every few seconds."""
        changed = self.models.refresh(self.moment().day)
        self.read_calendar()
        moment = self.moment()
        if "pre_ranking" in changed or self.feed.pre_ranker.age_s(moment) > STALE_S:
            self.feed.pre_ranker.rebuild(moment)
        self.posts.refresh()

    def catch_up(self) -> int:
        """See ``ListingSync.catch_up``."""
        return self.listings.catch_up()

    def forget_changes(self) -> int:
        """See ``ListingSync.forget_changes``."""
        return self.listings.forget_changes()

    def put(self, listings: Sequence[Listing]) -> None:
        """Listings that came or changed; those that cannot be bought leave."""
        self.listings.put(listings)

    def remove(self, listing_ids: Collection[str]) -> None:
        """Listings that left."""
        self.listings.remove(listing_ids)

    def sold(self, listing_id: str, left: int) -> None:
        """The store has sold a piece: the last one leaves the feed before the buyer is answered."""
        if left == 0:
            self.listings.remove([listing_id])

    def content_of(self, vector: Sequence[float] | None) -> list[float]:
        """The content vector of an image vector; zeros without one."""
        return self.listings.content_of(vector)

    def page(self, visitor: str, size: int) -> Page:
        """See ``PageMaker.page``."""
        return self._pages.page(visitor, size, self.moment())

    def explain(self, visitor: str, size: int) -> tuple[Slate, dict[int, Listing]]:
        """See ``PageMaker.explain``."""
        return self._pages.explain(visitor, size, self.moment())

    def p99_ms(self) -> float | None:
        """See ``PageMaker.p99_ms``."""
        return self._pages.p99_ms()

    def events(self, visitor: str, events: Iterable[tuple[str, str, str, str]]) -> int:
        """See ``FeedEvents.take``."""
        return self._events.take(visitor, events, self.moment())

    def place_ad(self, seller: str, listing_id: str, bid: float) -> None:
        """See ``ads.place_ad``."""
        place_ad(self.store, seller, listing_id, bid)
