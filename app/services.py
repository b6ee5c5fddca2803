"""The parts of a server, built once from the settings; each is handed only the parts that it needs."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from app.accounts.sellers import open_sellers
from app.drafting.covers import Covers
from app.drafting.draft_photos import DraftPhotos
from app.drafting.draft_run import DraftRunner
from app.drafting.draft_writer import DraftWriter
from app.drafting.drafts import Drafts
from app.drafting.hearing import Hearing
from app.drafting.late_pipeline import LatePipeline
from app.drafting.queue import DraftQueue
from app.feed.live_feed import LiveFeed
from app.market.chroma_index import ChromaSearchIndex
from app.market.likes import Likes
from app.market.listing_photos import ListingPhotos
from app.market.listings import Listings
from app.market.messages import Messages
from app.market.notices import Notices
from app.market.orders import Orders
from app.market.posts import Posts
from app.market.promotions import Promotions
from app.market.publish import Publisher
from app.market.reviews import Reviews
from app.market.shop import Shop
from app.metrics import Metrics
from app.settings import Settings, SettingsError, load_settings
from app.store.db import StoreError
from app.store.deletions import Deletions
from app.store.housekeeping import Housekeeping
from app.store.media import Media, open_marked_store
from app.store.outbox import Outbox
from app.store.search_index import NoIndex, SearchIndex
from app.views import AppError
from listing.errors import PROGRAM
from listing.pipeline_parts import (
    EMBEDDED,
    at_once,
    is_server,
    rationed,
    require_embedded,
    rules_of_now,
)
from listing.request import DraftPipeline
from listing.rules import PressRules
from listing.taxonomy import load_taxonomy

if TYPE_CHECKING:
    from listing.observe.past_listings import PastListings
    from listing.pipeline import Pipeline
    from rag_index import EncodersInfo

log = logging.getLogger(__name__)
SLOW = 0.1  # of a draft's longest time, from which on one answer of a model's server is too slow


class Services:
    """The parts of a server, shared by the page and the API; holds no state of a person."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        pipeline: DraftPipeline | None = None,
        index: SearchIndex | None = None,
    ) -> None:
        """Built from ``settings`` (default: of the environment). Tests hand in their own pipeline and index.

        The schema is migrated and whatever a crash left behind is put in order.

        Raises:
            SettingsError, StoreError, AccountError, BackendError: with a sentence that says what to do.
        """
        self.settings = settings = (settings or load_settings()).checked()
        self.media, self.metrics = media, metrics = Media(settings.media_folder), Metrics()
        self.store = store = open_marked_store(settings, media)
        self.sellers = open_sellers(store)
        if self.sellers.single and not settings.on_loopback:
            store.engine.dispose()
            raise SettingsError(
                f"IPL_HOST={settings.host} opens the page to others; ./ipl accounts add NAME adds somebody who may "
                "sign in."
            )
        past = _open_past(settings) if settings.rag and (pipeline is None or index is None) else None
        self.queue = DraftQueue(
            settings.queue_length,
            settings.queue_per_seller,
            at_once=pipeline.concurrency if pipeline else at_once(settings.model, settings.concurrency),
        )
        self.late: LatePipeline | None = None
        self.hearing = Hearing(store, self.queue, settings.home, settings.model, settings.calibrate, self._use)
        if pipeline is None:
            pipeline = self.late = _late(settings, past, self.hearing)
        if index is None:
            index = ChromaSearchIndex(past) if past is not None else NoIndex()
        self.pipeline, self.index = pipeline, index
        self.outbox = Outbox(store, media, index, metrics)
        self.deletions = deletions = Deletions(store, media, settings.home / "uploads")
        self.housekeeping = Housekeeping(settings, store, media, index, self.outbox, deletions, metrics)
        metrics.queue_length.set_function(self.queue.__len__)
        self.rules = rules = PressRules(settings.home / "rules", lambda: rules_of_now(settings.home, load_taxonomy()))
        self.drafts = Drafts(store, self.queue, deletions, settings.currency, rules)
        self.draft_photos = DraftPhotos(store, media, deletions, settings.currency)
        self.covers = Covers(store, media, settings.home / "models" / EMBEDDED)
        runner = DraftRunner(self.queue, pipeline, store, metrics, settings.draft_minutes, rules)
        self.draft_writer = DraftWriter(store, media, self.draft_photos, runner, settings.currency)
        self.feed = feed = LiveFeed(settings, store, index, metrics)
        self.housekeeping.retire()
        self.housekeeping.reconcile()
        feed.start()
        self.outbox.follower = feed.listings
        self.listings = Listings(store, media, index, metrics)
        self.notices = notices = Notices(store, settings)
        self.shop, self.messages = Shop(store, self.listings, pipeline.glance), Messages(store, notices)
        self.likes = Likes(store)
        self.publisher = Publisher(store, metrics, self.drafts, self.outbox, deletions, settings.currency)
        self.listing_photos = ListingPhotos(store, self.draft_photos, self.outbox, deletions)
        self.reviews = Reviews(store, self.outbox)
        self.posts = Posts(store, media, index, deletions, feed.listings.content_of, feed.posts.refresh)
        self.orders = Orders(store, self.outbox, notices, feed.listings.remove)
        self.promotions = Promotions(store, feed.read_calendar)

    def _use(self, pipeline: DraftPipeline) -> None:
        if self.late:
            self.late.use(pipeline)

    def close(self) -> None:
        """Give the database's connections and the index back; the store's file keeps nothing of what was deleted."""
        self.hearing.close()
        if self.late:
            self.late.close()
        self.feed.feed.close()
        with contextlib.suppress(AppError):
            self.housekeeping.clock.now()
        self.deletions.compact()
        self.store.engine.dispose()
        self.index.close()


def _late(settings: Settings, past: PastListings | None, hearing: Hearing) -> LatePipeline:
    """The real pipeline, not loaded yet. BackendError: the embedded model is wanted and not there."""
    built: list[Pipeline] = []
    at = at_once(settings.model, settings.concurrency)

    def build() -> DraftPipeline:
        from listing.pipeline import Pipeline, build_pipeline

        home, model, rag = settings.home, settings.model, settings.rag
        if model is not None and is_server(model):
            limits = settings.model_requests, SLOW * settings.draft_minutes * 60
            pipeline = Pipeline(rationed(model, rag, home, past, at, *limits))
        else:
            pipeline = build_pipeline(model, rag, home, past, at)
        for rules in filter(None, (pipeline.parts.rules, pipeline.parts.alone)):
            rules.keep(home / "rules")
        built.append(pipeline)
        return pipeline

    def afterwards() -> None:
        _ = past and past.encoders.text_model  # else the first search would wait for its encoder
        hearing.begin(built[0])

    if settings.model is None:
        require_embedded(settings.home / "models" / EMBEDDED)
    return LatePipeline(build, at, afterwards)


def _open_past(settings: Settings) -> PastListings:
    """The index of past listings, one for the pipeline and for publishing: an embedded index has a single owner.

    An empty one is made where there is none, so that the first published listing has a place to go, and one of the
    sample listings where its files are damaged; the store's own listings follow.
    """
    from listing.observe.past_listings import PastListings
    from listing.safety.contacts import sure_contact
    from rag_index import (
        IndexDamaged,
        IndexFailure,
        IndexMissing,
        ListingIndex,
        build,
        default_encoders,
        default_location,
    )

    location, encoders = settings.index or default_location(settings.home), default_encoders(settings.home)
    try:
        try:
            index = ListingIndex.open(location, encoders.info, contact_check=sure_contact)
        except IndexMissing:
            build([], location, encoders.info)
            index = ListingIndex.open(location, encoders.info, contact_check=sure_contact)
        except IndexDamaged as error:
            log.warning("%s It is made again now: what %s index add brought has to be added once more.", error, PROGRAM)
            _make_again(location, encoders.info)
            index = ListingIndex.open(location, encoders.info, contact_check=sure_contact)
    except IndexFailure as error:
        raise StoreError(str(error)) from error
    return PastListings(index, encoders, load_taxonomy())


def _make_again(location: str, info: EncodersInfo) -> None:
    """Build the index of the sample listings, or an empty one where they are of other models."""
    from rag_index import IndexMismatch, build, sample_records

    try:
        build(sample_records(info), location, info)
    except IndexMismatch:
        build([], location, info)
