"""Everything the handlers stand on, built once from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from app.db import Store, open_store
from app.media import Media
from app.metrics import Metrics
from app.publish import Publisher
from app.queue import DraftQueue
from app.search_index import NoIndex, SearchIndex
from app.sellers import Sellers, read_passwords
from app.settings import Settings, load_settings
from listing.request import DraftPipeline


@dataclass(frozen=True)
class Services:
    """Shared by the page and the API; holds no state of a person."""

    settings: Settings
    store: Store
    media: Media
    index: SearchIndex
    sellers: Sellers
    queue: DraftQueue
    publisher: Publisher
    pipeline: DraftPipeline
    metrics: Metrics

    def close(self) -> None:
        """Give the database's connections back."""
        self.store.engine.dispose()


def build_services(
    settings: Settings | None = None, *, pipeline: DraftPipeline | None = None, index: SearchIndex | None = None
) -> Services:
    """The services of ``settings`` (default: of the environment). Tests hand in their own pipeline and index.

    The schema is migrated and whatever a crash left behind is put in order.

    Raises:
        SettingsError, StoreError, PasswordFileError: with a sentence that says what to do.
    """
    settings = (settings or load_settings()).checked()
    passwords = read_passwords(settings.passwords) if settings.passwords else None
    store = open_store(settings.store_url)
    media, metrics = Media(settings.media_folder), Metrics()
    if pipeline is None:
        from listing.pipeline import build_pipeline

        pipeline = build_pipeline(settings.model, settings.rag, settings.home)
    if index is None:
        index = open_index(settings)
    queue = DraftQueue(settings.queue_length, settings.queue_per_seller, settings.draft_seconds)
    metrics.queue_length.set_function(queue.__len__)
    publisher = Publisher(settings, store, media, index, metrics)
    publisher.retire()
    publisher.reconcile()
    return Services(
        settings=settings,
        store=store,
        media=media,
        index=index,
        sellers=Sellers(store, passwords),
        queue=queue,
        publisher=publisher,
        pipeline=pipeline,
        metrics=metrics,
    )


def open_index(settings: Settings) -> SearchIndex:
    """The index of past listings in ``settings.home``, or none when retrieval is off."""
    if not settings.rag:
        return NoIndex()
    from app.chroma_index import ChromaSearchIndex

    return ChromaSearchIndex.open(settings.home)
