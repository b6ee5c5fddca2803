"""The cascade's catalogue follows the store: filled at the start, then with every change of a listing.

The store is the truth; the catalogue is a copy in memory. Changes come through the outbox of this server, through the
sequence of changes of all servers, and at once when something is sold.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import select

from app.feed.items import (
    PART,
    Prices,
    Projection,
    category_code,
    condition_code,
    milliseconds,
    note_items,
    numbers,
    still_there,
)
from app.store import listing_repo
from app.store.db import Store
from app.store.outbox import Changes
from app.store.search_index import SearchIndex
from app.store.tables import ListingRow
from listing.schema import Listing
from recommend.cascade.catalog import Item
from recommend.cascade.feed import Feed
from recommend.cascade.logged import rounded
from recommend.cascade.request import Moment

log = logging.getLogger(__name__)


class ListingSync:
    """Keeps the cascade's items equal to the store's listings. Every public method may be called from any thread.

    ``count`` is told how many items are live; ``projection``: file of the content vectors' axes.
    """

    def __init__(
        self,
        store: Store,
        index: SearchIndex,
        feed: Feed,
        moment: Callable[[], Moment],
        count: Callable[[float], None],
        projection: Path,
    ) -> None:
        self.store, self.index, self.feed = store, index, feed
        self._moment, self._count = moment, count
        self._projection_file = projection
        self._projection: Projection | None = None
        self._prices = Prices.read([])
        self._changes = Changes(store)
        self._catching_up = threading.Lock()
        self._keys: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._singles: dict[str, bool] = {}

    def start(self) -> None:
        """Fill the catalogue with the listings on sale."""
        self._changes.start()
        self._projection = Projection.load(self._projection_file, self._sample)
        with self.store.read() as session:
            priced = session.execute(select(ListingRow.category, ListingRow.price).where(ListingRow.price.is_not(None)))
            self._prices = Prices.read([(c, float(p)) for c, p in priced if p is not None])
            rows = list(session.scalars(select(ListingRow).where(ListingRow.status == "active")))
            listings = listing_repo.to_listings(session, rows)
        self.put(listings)

    def catch_up(self) -> int:
        """Take in what has changed in the store, on whichever server; returns how many changes. Called every second."""
        with self._catching_up:
            with self.store.read() as session:
                news = self._changes.news(session)
                rows = list(session.scalars(select(ListingRow).where(ListingRow.id.in_(set(news.values())))))
                listings = listing_repo.to_listings(session, rows) if rows else []
            self.put(listings)
            self.remove(set(news.values()) - {x.id for x in listings})
            self._changes.mark(news)
            return len(news)

    def put(self, listings: Sequence[Listing]) -> None:
        """Listings that came or changed; those that cannot be bought leave."""
        on_sale = [x for x in listings if x.status == "active" and x.stock > 0]
        ids = {x.id for x in on_sale}
        self.remove([x.id for x in listings if x.id not in ids])
        if not on_sale:
            return
        items = self._items(on_sale)
        moment = self._moment()
        for listing_id, item in items.items():
            self._keys[item.item_id], self._numbers[listing_id] = listing_id, item.item_id
        self.feed.put_many([*items.values()], moment)
        self.remove(self._gone(ids))
        self._count(len(self.feed.catalog))

    def remove(self, listing_ids: Collection[str]) -> None:
        """Listings that left."""
        for listing_id in listing_ids:  # without the store: what has been sold leaves even if that goes away now
            if listing_id in self._numbers:
                self.feed.remove(self._numbers[listing_id])
        self._count(len(self.feed.catalog))

    def number(self, listing_id: str) -> int | None:
        """The feed's number of a listing that is or was in the feed."""
        return self._numbers.get(listing_id)

    def live(self) -> dict[int, str]:
        """Listings in the feed by the feed's number."""
        return {n: key for n, key in list(self._keys.items()) if n in self.feed.catalog}

    def listings(self, item_ids: Iterable[int]) -> dict[int, Listing]:
        """Listings by the feed's number; those that are gone meanwhile are left out."""
        keys = {n: self._keys[n] for n in item_ids if n in self._keys}
        with self.store.read() as session:
            rows = listing_repo.by_ids(session, keys.values())
            active = {x.id: x for x in listing_repo.to_listings(session, rows) if x.status == "active"}
        return {n: active[key] for n, key in keys.items() if key in active}

    def content_of(self, vector: Sequence[float] | None) -> list[float]:
        """The content vector of an image vector; zeros without one."""
        assert self._projection is not None
        return rounded(self._projection(vector))

    def _items(self, listings: Sequence[Listing]) -> dict[str, Item]:
        """Listings that are still there as the cascade takes them, by id; written down for the log."""
        vectors = self._vectors([x.id for x in listings])
        with self.store.write() as session:
            there = still_there(session, ListingRow.id, [x.id for x in listings])
            listings = [x for x in listings if x.id in there]  # an erased seller gets no number again
            ids = [x.id for x in listings]
            item_ids = numbers(session, "listing", ids)
            sellers = numbers(session, "seller", [x.seller_id for x in listings])
            ads = select(ListingRow.id, ListingRow.bid).where(ListingRow.bid.is_not(None))
            parts = (ads.where(ListingRow.id.in_(ids[n : n + PART])) for n in range(0, len(ids), PART))
            bid = {key: bid or 0.0 for part in parts for key, bid in session.execute(part)}
            items = {
                x.id: self._item(x, item_ids[x.id], sellers[x.seller_id], vectors, bid.get(x.id, 0.0)) for x in listings
            }
            note_items(session, items.values())
        return items

    def _item(self, x: Listing, item_id: int, seller: int, vectors: Mapping[str, Sequence[float]], bid: float) -> Item:
        # Single is an attribute of the listing when it came, not of what is left of it.
        single = self._singles.setdefault(x.id, x.stock == 1)
        assert self._projection is not None
        return Item(
            item_id=item_id,
            seller_id=seller,
            category=category_code(x.category),
            condition=condition_code(x.condition),
            price=x.price or 0.0,
            price_bucket=self._prices.bucket(x.category, x.price),
            stock=x.stock,
            single=single,
            listed_ms=milliseconds(x.published_at or x.created_at),
            content=self._projection(vectors.get(x.id)),
            bid=bid,
        )

    def _vectors(self, listing_ids: Sequence[str]) -> Mapping[str, Sequence[float]]:
        try:
            return self.index.vectors(list(listing_ids))
        except Exception as error:
            log.warning("the index gives no vectors, the feed goes on without them: %s", error)
            return {}

    def _gone(self, listing_ids: Collection[str]) -> set[str]:
        """Those that were sold or withdrawn while they were being put in: who sold them may have come before us."""
        ids, gone = list(listing_ids), set(listing_ids)
        still = select(ListingRow.id).where(ListingRow.status == "active", ListingRow.stock > 0)
        with self.store.read() as session:
            for start in range(0, len(ids), PART):
                gone -= set(session.scalars(still.where(ListingRow.id.in_(ids[start : start + PART]))))
        return gone

    def _sample(self) -> np.ndarray | None:
        """Image vectors of the sample listings, on which the content vectors' axes are fitted."""
        past = getattr(self.index, "past", None)
        if past is None:
            return None
        try:
            vectors = list(past.index.first_image_vectors(sorted(past.index.ids())).values())
        except Exception:
            log.exception("the index gives no vectors; the feed's content vectors are drawn at random")
            return None
        return np.array(vectors, np.float32) if vectors else None
