"""Listings to look at: one's own, by words or by a photo; those of others as far as they are public.

A search reads the store's rows first, then what the index adds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, String, and_, cast, or_, select
from sqlalchemy.orm import Session

from app.metrics import Metrics
from app.store import listing_repo
from app.store.db import Store
from app.store.media import Media
from app.store.search_index import SearchIndex
from app.store.tables import ListingRow, PhotoRow
from app.views import AppError
from listing.intake.photos import Photo, hamming
from listing.schema import Listing, PhotoRef

log = logging.getLogger(__name__)
SAME_PHOTO_BITS = 10
SAME_ITEM_BITS = 8  # of 32,000 pairs of photos of different clothes none differed in less than 10
UNSOLD = ("active", "reserved", "review")
_MAX_WORDS = 12
_MAX_CHARACTERS = 300
_FROM_INDEX = 200


class Listings:
    """Reads listings. What is not the seller's, nor public, is answered like what does not exist (AppError 404)."""

    def __init__(self, store: Store, media: Media, index: SearchIndex, metrics: Metrics) -> None:
        self.store, self.media, self.index, self.metrics = store, media, index, metrics

    def get(self, seller: str, listing_id: str) -> Listing:
        """One listing of the seller's own."""
        return self.versioned(seller, listing_id)[0]

    def versioned(self, seller: str, listing_id: str) -> tuple[Listing, int]:
        """``get``, and the listing's version: it grows with every change."""
        with self.store.read() as session:
            row = listing_repo.listing_of_seller(session, seller, listing_id)
            return listing_repo.to_listing(session, row), row.version

    def visible(self, seller: str, listing_id: str) -> Listing:
        """A listing that they may look at: an own one in any state, or a public one."""
        with self.store.read() as session:
            return listing_repo.to_listing(session, listing_repo.visible_listing(session, seller, listing_id))

    def comparables(self, listing_ids: Sequence[str]) -> list[Listing]:
        """Public listings by id in that order, for "like these"; ids that are gone are left out."""
        with self.store.read() as session:
            return listing_repo.to_listings(session, listing_repo.by_ids(session, listing_ids))

    def photo_file(self, seller: str | None, photo_id: str) -> Path:
        """The JPEG of an own photo or of an active or sold listing."""
        path = self.media.path(photo_id)
        with self.store.read() as session:
            shown = listing_repo.photo_visible(session, photo_id, seller)
        if not shown or not path.is_file():
            raise AppError("not_found", "There is no such photo; it may have been deleted.", 404)
        return path

    def own(self, seller: str, *, text: str = "", photo: Photo | None = None, limit: int = 100) -> list[Listing]:
        """The seller's listings, newest first; with words or a photo: the best matches first."""
        text = query_text(text)
        with self.store.read() as session:
            query = listing_repo.newest(seller)
            if not text and photo is None:
                return listing_repo.to_listings(session, list(session.scalars(query.limit(limit))))
            matches: list[ListingRow] = []
            if photo is not None:
                bits = near(session, photo, PhotoRow.seller_id == seller)
                rows = session.scalars(query.where(ListingRow.id.in_(bits)))
                matches += sorted(rows, key=lambda row: bits[row.id])
            if text:
                matches += session.scalars(query.where(has_words(text)).limit(limit))
            place = {listing_id: n for n, listing_id in enumerate(self.from_index(text, photo))}
            hits = session.scalars(query.where(ListingRow.id.in_(place)))
            matches += sorted(hits, key=lambda row: place[row.id])
            return listing_repo.to_listings(session, list({row.id: row for row in matches}.values())[:limit])

    def same_as(self, seller: str, photos: Sequence[PhotoRef]) -> list[Listing]:
        """Listings of the seller's own that are not sold and have one of these photos, or almost: the newest first."""
        on_sale = select(ListingRow.id).where(ListingRow.seller_id == seller, ListingRow.status.in_(UNSOLD))
        with self.store.read() as session:
            query = select(PhotoRow.listing_id, PhotoRow.phash).where(PhotoRow.listing_id.in_(on_sale))
            same = {i for i, phash in session.execute(query) if any(_is_same(phash, photo) for photo in photos)}
            rows = session.scalars(listing_repo.newest(seller).where(ListingRow.id.in_(same))) if same else ()
            return listing_repo.to_listings(session, list(rows))

    def from_index(self, text: str, photo: Photo | None) -> list[str]:
        """Hits of the index, the best first; none while it is broken."""
        image = photo.image if photo else None
        return self._ids(lambda: [hit.listing_id for hit in self.index.search(text, image, limit=_FROM_INDEX)], [])

    def nearest(self, text: str) -> list[str]:
        """What the index has that is nearest to words, however far that is; none while it is broken."""
        return self._ids(lambda: [hit.listing_id for hit in self.index.nearest(text, limit=_FROM_INDEX)], [])

    def by_looks(self, photo: Photo, listing_ids: list[str]) -> list[str]:
        """These listings, those first that look most like a photo; as they came while the index is broken."""
        return self._ids(lambda: self.index.by_looks(photo.image, listing_ids), listing_ids)

    def _ids(self, look: Callable[[], list[str]], instead: list[str]) -> list[str]:
        try:
            return look()
        except Exception:
            # The index is a help here, the store has the answer: a broken one must not hide the listings.
            log.exception("the index could not be searched")
            self.metrics.errors.labels("index").inc()
            return instead


def _is_same(phash: str, photo: PhotoRef) -> bool:
    return hamming(phash, photo.phash) <= SAME_ITEM_BITS


def query_text(text: str) -> str:
    """Words to look for as somebody typed them, of a length that can be searched."""
    return text.replace("\x00", " ").encode("utf-8", "ignore").decode()[:_MAX_CHARACTERS].strip()


def near(session: Session, photo: Photo, which: ColumnElement[bool]) -> dict[str, int]:
    """Listings with a photo, of those of ``which``, that looks almost the same: by id in how many bits it differs."""
    bits: dict[str, int] = {}
    query = select(PhotoRow.listing_id, PhotoRow.phash).where(which, PhotoRow.listing_id.is_not(None))
    for listing_id, phash in session.execute(query):
        assert listing_id is not None
        distance = hamming(phash, photo.ref.phash)
        if distance <= min(SAME_PHOTO_BITS, bits.get(listing_id, SAME_PHOTO_BITS)):
            bits[listing_id] = distance
    return bits


def has_words(text: str) -> ColumnElement[bool]:
    """Every word stands in the title, the description, the category or a fact."""
    columns = (ListingRow.title, ListingRow.description, ListingRow.category, cast(ListingRow.attributes, String))
    return and_(*(or_(*(c.icontains(w, autoescape=True) for c in columns)) for w in text.split()[:_MAX_WORDS]))
