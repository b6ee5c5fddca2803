"""Orders: one piece is sold exactly once, whoever asks at the same time, on whichever server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import editing, shelf
from app.db import Store
from app.drafts import new_id
from app.feed_items import number
from app.live_feed import LiveFeed
from app.publish import Publisher
from app.tables import FeedPageRow, FeedRow, ListingRow, OrderRow, now
from app.views import AppError

SOLD = "Somebody else was faster: this has just been sold."


@dataclass(frozen=True)
class Order:
    """A piece that was bought."""

    id: str
    listing_id: str
    amount: float | None
    currency: str
    at: datetime
    refunded_at: datetime | None


class Orders:
    """Buying and giving back."""

    def __init__(self, store: Store, feed: LiveFeed, publisher: Publisher) -> None:
        self.store, self.feed, self.publisher = store, feed, publisher

    def buy(self, buyer: str, listing_id: str, key: str, page_id: str = "") -> Order:
        """Buy a piece; the same key again gives the same order.

        Args:
            page_id: the page of the feed from which the buyer came, if any.

        Raises:
            AppError: sold or the key used for something else (409), no such listing (404), an own one (422).
        """
        key = editing.clean_text(key, 200, "The idempotency key")
        if not key:
            raise AppError(
                "no_key", "An order needs an Idempotency-Key; send any text that is unique to this wish.", 422
            )
        try:
            order, left = self._buy(buyer, listing_id, key, page_id)
        except IntegrityError:
            order, left = self._buy(buyer, listing_id, key, page_id)  # the same wish ran elsewhere and was faster
        if left is not None:
            self.feed.sold(listing_id, left)
            self.publisher.follow()  # brings the feed up to date as well, now or once the store is back
        return order

    def _buy(self, buyer: str, listing_id: str, key: str, page_id: str) -> tuple[Order, int | None]:
        with self.store.write() as session:
            used = session.scalar(select(OrderRow).where(OrderRow.buyer == buyer, OrderRow.key == key))
            if used is not None:
                if used.listing_id != listing_id:
                    raise AppError(
                        "key_reused", "This idempotency key was used for another order; take a new one.", 409
                    )
                return _order(used), None
            row = session.get(ListingRow, listing_id)
            if row is None or row.status not in shelf.PUBLIC:
                raise AppError("not_found", "There is no such listing; it may have been deleted.", 404)
            if row.seller_id == buyer:
                raise AppError("own", "This is your own listing; nobody buys from themselves.", 422)
            # One statement takes the piece: of two at the same time, one finds no stock left.
            taken = session.execute(
                update(ListingRow)
                .where(ListingRow.id == listing_id, ListingRow.status == "active", ListingRow.stock > 0)
                .values(stock=ListingRow.stock - 1, version=ListingRow.version + 1)
                .execution_options(synchronize_session=False)
            )
            if taken.rowcount != 1:  # type: ignore[attr-defined]
                raise AppError("sold", SOLD, 409)
            session.refresh(row)
            if row.stock == 0:
                row.status = "sold"
            order = OrderRow(
                id=new_id(), buyer=buyer, key=key, listing_id=listing_id,
                row_id=self._row(session, buyer, page_id, listing_id), amount=row.price, currency=row.currency,
            )  # fmt: skip
            session.add(order)
            shelf.to_index(session, listing_id)
            session.flush()
            return _order(order), row.stock

    def refund(self, seller: str, order_id: str) -> Order:
        """The seller takes an order back; the piece does not come back on sale by itself.

        Raises:
            AppError: 404.
        """
        with self.store.write() as session:
            order = session.get(OrderRow, order_id)
            listing = session.get(ListingRow, order.listing_id) if order is not None else None
            if order is None or listing is None or listing.seller_id != seller:
                raise AppError("not_found", "There is no such order of one of your listings.", 404)
            if order.refunded_at is None:
                order.refunded_at = now()
            session.flush()
            return _order(order)

    @staticmethod
    def _row(session: Session, buyer: str, page_id: str, listing_id: str) -> int | None:
        """The place on a page that led to the order: the one named, or the latest that the buyer saw."""
        query = (
            select(FeedRow.id)
            .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
            .where(FeedRow.listing_id == listing_id, FeedPageRow.visitor == number(session, "visitor", buyer))
            .order_by(FeedRow.id.desc())
            .limit(1)
        )
        return session.scalar(query.where(FeedRow.page_id == page_id) if page_id else query)


def _order(row: OrderRow) -> Order:
    return Order(row.id, row.listing_id, row.amount, row.currency, row.at, row.refunded_at)
