"""Favourites: a like is a message without words from a buyer about a listing, once each; its seller sees how many."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from sqlalchemy import func, select

from app.accounts.sellers import check_there
from app.store import listing_repo
from app.store.db import Store
from app.store.tables import ListingRow, MessageRow, now
from app.views import AppError

LIKE = "like"
_LIKES = MessageRow.kind == LIKE


class Likes:
    """Who likes what. Every method may be called from any thread."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def turn(self, who: str, listing_id: str) -> None:
        """Like a public listing, or no more. AppError: there is none (404), or it is their own (422)."""
        key = hashlib.sha256(f"{who} {listing_id}".encode()).hexdigest()[:32]
        with self.store.write() as session:
            listing = session.get(ListingRow, listing_id, with_for_update=True)
            if listing is None or listing.status not in listing_repo.PUBLIC:
                raise AppError("not_found", listing_repo.NOT_THERE, 404)
            if listing.seller_id == who:
                raise AppError("own", "This is your own listing.", 422)
            check_there(session, who)
            row = session.get(MessageRow, key)
            if row is None:
                session.add(MessageRow(id=key, listing_id=listing_id, sender=who, kind=LIKE, text="", at=now()))
            else:
                session.delete(row)

    def of(self, who: str) -> list[str]:
        """Ids of what they like, the latest first."""
        query = select(MessageRow.listing_id).where(_LIKES, MessageRow.sender == who).order_by(MessageRow.at.desc())
        with self.store.read() as session:
            return list(session.scalars(query))

    def counts(self, listing_ids: Collection[str]) -> dict[str, int]:
        """How many like each; those that nobody likes are left out."""
        query = select(MessageRow.listing_id, func.count()).where(_LIKES, MessageRow.listing_id.in_(listing_ids))
        with self.store.read() as session:
            return {row[0]: row[1] for row in session.execute(query.group_by(MessageRow.listing_id))}
