"""A seller's own listings by words or by a photo: the store's rows first, then what the index adds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, String, and_, cast, or_, select
from sqlalchemy.orm import Session

from app.store import listing_repo
from app.store.tables import ListingRow, PhotoRow
from listing.intake.photos import Photo, hamming
from listing.schema import Listing

if TYPE_CHECKING:
    from app.services import Services

log = logging.getLogger(__name__)
SAME_PHOTO_BITS = 10
_MOST_WORDS = 12
_MOST_CHARACTERS = 300
_FROM_INDEX = 200


def own_listings(services: Services, seller: str, *, text: str, photo: Photo | None, limit: int) -> list[Listing]:
    """See ``handlers.my_listings``."""
    text = text.replace("\x00", " ").encode("utf-8", "ignore").decode()[:_MOST_CHARACTERS].strip()
    with services.store.read() as session:
        query = listing_repo.newest(seller)
        if not text and photo is None:
            return listing_repo.to_listings(session, list(session.scalars(query.limit(limit))))
        found: list[ListingRow] = []
        if photo is not None:
            found += _near(session, seller, photo)
        if text:
            found += session.scalars(query.where(_has_words(text)).limit(limit))
        place = {listing_id: n for n, listing_id in enumerate(_from_index(services, text, photo))}
        hits = session.scalars(query.where(ListingRow.id.in_(place)))
        found += sorted(hits, key=lambda row: place[row.id])
        return listing_repo.to_listings(session, list({row.id: row for row in found}.values())[:limit])


def _near(session: Session, seller: str, photo: Photo) -> list[ListingRow]:
    """The seller's listings with a photo that looks almost the same, the most alike first."""
    bits: dict[str | None, int] = {}
    query = select(PhotoRow).where(PhotoRow.seller_id == seller, PhotoRow.listing_id.is_not(None))
    for row in session.scalars(query):
        distance = hamming(row.phash, photo.ref.phash)
        if distance <= min(SAME_PHOTO_BITS, bits.get(row.listing_id, SAME_PHOTO_BITS)):
            bits[row.listing_id] = distance
    rows = session.scalars(listing_repo.newest(seller).where(ListingRow.id.in_(bits)))
    return sorted(rows, key=lambda row: bits[row.id])


def _from_index(services: Services, text: str, photo: Photo | None) -> list[str]:
    try:
        hits = services.index.search(text, photo.image if photo else None, limit=_FROM_INDEX)
    except Exception:
        # The index is a help here, the store has the answer: a broken one must not hide the seller's listings.
        log.exception("the index could not be searched")
        services.metrics.errors.labels("index").inc()
        return []
    return [hit.listing_id for hit in hits]


def _has_words(text: str) -> ColumnElement[bool]:
    """Every word stands in the title, the description, the category or a fact."""
    columns = (ListingRow.title, ListingRow.description, ListingRow.category, cast(ListingRow.attributes, String))
    return and_(*(or_(*(c.icontains(w, autoescape=True) for c in columns)) for w in text.split()[:_MOST_WORDS]))
