"""Ads: what a seller bids for a click on an own listing."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store import listing_repo
from app.store.db import Store
from app.store.tables import AdRow, now


def bids(session: Session, listing_ids: Collection[str]) -> dict[str, float]:
    """Bids by listing, of those that are advertised."""
    return {ad.listing_id: ad.bid for ad in session.scalars(select(AdRow).where(AdRow.listing_id.in_(listing_ids)))}


def place_ad(store: Store, seller: str, listing_id: str, bid: float) -> None:
    """What a seller bids for a click on an own listing; 0 ends the ad. The feed learns of it through the outbox.

    Raises:
        AppError: 404.
    """
    with store.write() as session:
        listing_repo.own_listing(session, seller, listing_id, lock=True)
        ad = session.get(AdRow, listing_id)
        if bid == 0 and ad is not None:
            session.delete(ad)
        elif bid > 0 and ad is None:
            session.add(AdRow(listing_id=listing_id, bid=bid))
        elif ad is not None:
            ad.bid, ad.at = bid, now()
        listing_repo.to_index(session, listing_id)
