"""The live feed of a server: it follows the store, makes pages, and takes what comes of them.

What others use is this class; its rooms are ``sync`` (listings), ``posts``, ``pages`` and ``events``, and for training
``log``.
"""

from __future__ import annotations

from datetime import timedelta

from app.feed.events import FeedEvents
from app.feed.items import CONTENT, milliseconds
from app.feed.pages import PageMaker
from app.feed.posts import LivePosts
from app.feed.sync import ListingSync
from app.market.promotions import Calendar, read_calendar
from app.metrics import Metrics
from app.settings import Settings
from app.store import listing_repo
from app.store.clock import now
from app.store.db import Store
from app.store.search_index import SearchIndex
from listing.schema import Listing
from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy
from recommend.cascade.page import FeedConfig
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
        self._calendar = Calendar()
        self.registry = Registry(folder / "models", healthy, lambda: now().timestamp())
        self.models, self._problems = Models(self.registry), metrics.feed_problems
        self.feed = Feed(CONTENT, self.models, FeedConfig(uniform_ads=settings.feed_uniform_ads))
        self.posts = LivePosts(store, self.feed)
        live, projection = metrics.feed_live, folder / "projection.safetensors"
        self.listings = ListingSync(store, index, self.feed, self.moment, live.set, projection)
        pages = PageMaker(settings, store, self.feed, self.listings, self.posts, metrics, self.moment)
        self._events = FeedEvents(store, self.feed, self.posts, self.moment)
        self.page, self.explain, self.considered = pages.page, pages.explain, pages.considered
        self.took, self.again = pages.took, pages.again
        self.events, self.opened = self._events.take, self._events.opened
        self.catch_up = self.listings.catch_up

    def start(self) -> None:
        """Fill the catalogue and read the visitors' latest clicks back."""
        self.read_calendar()
        self._follow_models()
        self.listings.start()
        self.posts.refresh()
        self._events.remember(now() - REMEMBERED)
        self.feed.pre_ranker.rebuild(self.moment())

    def moment(self) -> Moment:
        """Now, with what the calendar says of today."""
        return self._calendar.moment(milliseconds(now()))

    def read_calendar(self) -> None:
        """Read the calendar of promotions anew."""
        self._calendar = read_calendar(self.store)

    def refresh(self) -> None:
        """Look for other models, promotions and posts, and make old vectors anew. Called every few seconds."""
        changed = self._follow_models()
        self.read_calendar()
        moment = self.moment()
        if "pre_ranking" in changed or self.feed.pre_ranker.age_s(moment) > STALE_S:
            self.feed.pre_ranker.rebuild(moment)
        self.posts.refresh()

    def _follow_models(self) -> list[str]:
        changed = self.models.refresh()
        self._problems.set(len(self.models.problems))
        return changed

    def similar(self, listing_id: str, count: int, reader: str = "") -> list[Listing]:
        """Listings on sale whose photos are most like those of a listing in the feed; none where it is not there.

        What the reader has reported is left out.
        """
        number = self.listings.number(listing_id)
        rows = self.feed.catalog.rows([] if number is None else [number])
        content = self.feed.catalog.content(rows)
        if not content.any():
            return []
        with self.store.read() as session:
            reported = set(session.scalars(listing_repo.reported_by(reader)))
        near = [n for n in self.feed.neighbours.find(content[0], count + 1 + len(reported)) if n != number]
        return [x for x in self.listings.listings(near).values() if x.id not in reported][:count]

    def place_ad(self, seller: str, listing_id: str, bid: float) -> None:
        """Set a seller's bid for a click on their listing (else AppError 404); 0 ends the ad.

        The feed learns of it through the outbox.
        """
        with self.store.write() as session:
            listing_repo.listing_of_seller(session, seller, listing_id, lock=True).bid = bid or None
            listing_repo.to_index(session, listing_id)
