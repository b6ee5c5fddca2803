"""Orders: one piece is sold exactly once, whoever asks at the same time, on whichever server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.sellers import check_there
from app.editing import edits
from app.market.notices import Notices
from app.store import listing_repo
from app.store.db import Store
from app.store.draft_repo import new_id
from app.store.outbox import Outbox
from app.store.retention import STANDING
from app.store.tables import (
    BlockRow,
    FeedPageRow,
    FeedRow,
    ListingRow,
    MessageRow,
    NumberRow,
    OrderRow,
    ReviewRow,
    now,
)
from app.views import AppError

Role = Literal["buyer", "seller"]
State = Literal["open", "completed", "refunded", "cancelled"]
Event = Literal["completed", "refunded", "cancelled"]
STAYS = {"read": True, "key_share": True}  # a lock under which a row is not deleted
EVENT = "event"  # the kind of a message that says what one side did
NO_ORDER = "There is no such order of yours."
_WITH_LISTING = select(OrderRow, ListingRow).outerjoin(ListingRow, ListingRow.id == OrderRow.listing_id)
ON_SALE = ("active", "reserved")
SOLD = "Somebody else was faster: this has just been sold."
BLOCKED = "One of you has blocked the other, so you cannot reach each other here."


@dataclass(frozen=True)
class Order:
    """A piece that was bought, as its buyer or its seller sees it; an open one waits for being handed over.

    title: the listing's, None once that is deleted. amount: in units of ``currency``; None in orders of old, when
        listings without a price could be bought. refunded_at: also when it was cancelled, by ``cancelled_by``.
    """

    id: str
    listing_id: str
    title: str | None
    amount: float | None
    currency: str
    at: datetime
    role: Role
    state: State
    completed_at: datetime | None
    refunded_at: datetime | None
    cancelled_by: Role | None = None

    @property
    def other(self) -> Role:
        """The other side."""
        return "seller" if self.role == "buyer" else "buyer"


class Orders:
    """Buying, handing over, cancelling, giving back.

    ``sold_out`` is called with the ids of listings whose last piece was sold.
    """

    def __init__(
        self, store: Store, outbox: Outbox, notices: Notices, sold_out: Callable[[Collection[str]], object]
    ) -> None:
        self.store, self.outbox, self.notices, self._sold_out = store, outbox, notices, sold_out

    def buy(
        self, buyer: str, listing_id: str, key: str, page_id: str = "", *, price: float | None, currency: str = ""
    ) -> Order:
        """Buy a piece at the price that the buyer saw; the same key again gives the same order, whatever the price.

        Args:
            page_id: the page of the feed from which the buyer came, if any.
            price: what the buyer saw, in units of the currency; None only for a key that was used before.
            currency: what the buyer saw; empty for the listing's own.

        Raises:
            AppError: sold, no price or another one, or the key used for something else (409), no such listing (404),
                an own one or no price named (422), one of both has blocked the other (403).
        """
        key = edits.clean_text(key, 200, "The idempotency key")
        if not key:
            message = "An order needs an Idempotency-Key; send any text that is unique to this wish."
            raise AppError("no_key", message, 422)
        try:
            order, left = self._buy(buyer, listing_id, key, page_id, price, currency)
        except IntegrityError:  # the same wish ran elsewhere and was faster
            order, left = self._buy(buyer, listing_id, key, page_id, price, currency)
        if left is not None:
            if left == 0:
                self._sold_out([listing_id])  # the last one leaves the feed before the buyer is answered
            self.outbox.follow()  # brings the feed up to date as well, now or once the store is back
        return order

    def _buy(
        self, buyer: str, listing_id: str, key: str, page_id: str, price: float | None, currency: str
    ) -> tuple[Order, int | None]:
        with self.store.write() as session:
            # The lock comes first: buyers and changes of one listing take turns, and each sees what the last one did.
            row = session.get(ListingRow, listing_id, with_for_update=True)
            used = session.scalar(select(OrderRow).where(OrderRow.buyer == buyer, OrderRow.key == key))
            if used is not None:
                if used.listing_id != listing_id:
                    message = "This idempotency key was used for another order; take a new one."
                    raise AppError("key_reused", message, 409)
                return _order(used, row, "buyer"), None
            if row is None or row.status not in listing_repo.PUBLIC:
                raise AppError("not_found", "There is no such listing; it may have been deleted.", 404)
            _check_wish(row, buyer, price, currency)
            check_there(session, buyer)
            check_blocked(session, buyer, row.seller_id)
            row.stock -= 1
            row.version += 1
            if row.stock == 0:
                row.status = "sold"
            order = OrderRow(
                id=new_id(), buyer=buyer, key=key, listing_id=listing_id, seller_id=row.seller_id,
                row_id=self._row(session, buyer, page_id, listing_id), amount=row.price, currency=row.currency,
            )  # fmt: skip
            session.add(order)
            self.notices.add(session, "ordered", row.seller_id, listing_id, order.id)
            listing_repo.to_index(session, listing_id)
            session.flush()
            return _order(order, row, "buyer"), row.stock

    def mine(self, who: str, role: Role | None = None, limit: int = 100) -> list[Order]:
        """Orders that ``who`` placed or received, or those in one role; the newest first."""
        sides = {"buyer": OrderRow.buyer == who, "seller": OrderRow.seller_id == who}
        which = or_(*sides.values()) if role is None else sides[role]
        return self._orders(who, _WITH_LISTING.where(which).order_by(OrderRow.at.desc(), OrderRow.id).limit(limit))

    def placed(self, buyer: str, listing_id: str) -> Order | None:
        """The latest order of a listing that ``buyer`` placed and that was not refunded."""
        which = (OrderRow.buyer == buyer, OrderRow.listing_id == listing_id, OrderRow.refunded_at.is_(None))
        return next(iter(self._orders(buyer, _WITH_LISTING.where(*which).order_by(OrderRow.at.desc()).limit(1))), None)

    def waiting(self, seller: str, also: Collection[str] = (), limit: int = 200) -> list[Order]:
        """Orders that the seller has to hand over, and those of the ids ``also``; the oldest first."""
        which = or_(and_(*STANDING), OrderRow.id.in_(also))
        query = _WITH_LISTING.where(OrderRow.seller_id == seller, which)
        return self._orders(seller, query.order_by(OrderRow.at, OrderRow.id).limit(limit))

    def _orders(self, who: str, query: Select[OrderRow, ListingRow]) -> list[Order]:
        with self.store.read() as session:
            return [_order(row, listing, _role(row, who)) for row, listing in session.execute(query)]

    def bought(self, listing_ids: Collection[str]) -> set[str]:
        """Those of the listings of which an order stands, that is was not refunded."""
        query = select(OrderRow.listing_id).where(OrderRow.listing_id.in_(listing_ids), OrderRow.refunded_at.is_(None))
        with self.store.read() as session:
            return set(session.scalars(query.distinct()))

    def get(self, who: str, order_id: str) -> Order:
        """An order that ``who`` placed or received; else AppError 404."""
        with self.store.read() as session:
            row = order_of(session, who, order_id)
            return _order(row, session.get(ListingRow, row.listing_id), _role(row, who))

    def complete(self, seller: str, order_id: str) -> Order:
        """The seller has handed the piece over; a second call changes nothing. AppError 409 when it was refunded."""
        with self.store.write() as session:
            row = order_of(session, seller, order_id, "seller", lock=True)
            if row.refunded_at is not None:
                how = "cancelled" if row.cancelled_by else "refunded"
                raise AppError(how, f"This order was {how}; it cannot be completed any more.", 409)
            if row.completed_at is None:
                row.completed_at = now()
                self._note(session, row, "completed", seller)
            return _order(row, session.get(ListingRow, row.listing_id), "seller")

    def cancel(self, who: str, order_id: str) -> Order:
        """Either side calls a sale off; a second call changes nothing. AppError 409 once it was handed over.

        The piece is on sale again at once, unless its seller has taken the listing off meanwhile.
        """
        with self.store.write() as session:
            row = order_of(session, who, order_id, lock=True)
            if row.refunded_at is None and row.completed_at is not None:
                raise AppError("completed", "This was handed over, so it cannot be cancelled any more.", 409)
            listing = session.get(ListingRow, row.listing_id, with_for_update=True)
            if row.refunded_at is None:
                row.refunded_at, row.cancelled_by = now(), _role(row, who)
                self._note(session, row, "cancelled", who)
                if listing is not None:
                    _put_back(session, listing)
            order = _order(row, listing, _role(row, who))
        self.outbox.follow()
        return order

    def refund(self, seller: str, order_id: str) -> Order:
        """The seller takes an order back, also one that was handed over; a second call changes nothing.

        The piece does not come back on sale by itself.
        """
        with self.store.write() as session:
            row = order_of(session, seller, order_id, "seller", lock=True)
            if row.refunded_at is None:
                row.refunded_at = now()
                self._note(session, row, "refunded", seller)
            return _order(row, session.get(ListingRow, row.listing_id), "seller")

    def _note(self, session: Session, row: OrderRow, event: Event, who: str) -> None:
        """What one side did is news to the other: a notice and, while there is a listing, a line of what both wrote."""
        other = row.seller_id if who == row.buyer else row.buyer
        self.notices.add(session, event, other, row.listing_id, row.id)
        if session.get(ListingRow, row.listing_id, with_for_update=STAYS) is not None:
            where = {"listing_id": row.listing_id, "order_id": row.id}
            session.add(MessageRow(id=new_id(), sender=who, kind=EVENT, text=event, at=now(), **where))

    @staticmethod
    def _row(session: Session, buyer: str, page_id: str, listing_id: str) -> int | None:
        """The place on a page that led to the order: the one named, or the latest that the buyer saw."""
        query = latest_place(buyer, listing_id)
        place = session.scalar(query.where(FeedRow.page_id == page_id) if page_id else query)
        return place.id if place is not None else None


def latest_place(visitor: str, listing_id: str) -> Select[FeedRow]:
    """The place of a listing on the latest page of a visitor on which it stood."""
    return (
        select(FeedRow)
        .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
        .join(NumberRow, NumberRow.id == FeedPageRow.visitor)
        .where(FeedRow.listing_id == listing_id, NumberRow.kind == "visitor", NumberRow.key == visitor)
        .order_by(FeedRow.id.desc())
        .limit(1)
    )


def _check_wish(row: ListingRow, buyer: str, price: float | None, currency: str) -> None:
    """Raises AppError where the listing cannot be bought like this."""
    if row.seller_id == buyer:
        raise AppError("own", "This is your own listing; nobody buys from themselves.", 422)
    if row.status != "active" or row.stock < 1:
        raise AppError("sold", SOLD, 409)
    if row.price is None:
        raise AppError("no_price", "This listing has no price, so it cannot be bought until its seller names one.", 409)
    if price is None:
        raise AppError("price_missing", "An order names the price that you saw; send it as `price`.", 422)
    # Prices are kept in cents; half a cent is what a client's arithmetic may lose.
    if abs(price - row.price) >= 0.005 or currency.upper() not in ("", row.currency):
        now_asked = f"{row.price:.2f} {row.currency}"
        raise AppError("price_changed", f"The price is {now_asked} now; order again if that suits you.", 409)


def check_change(session: Session, row: ListingRow, changes: Mapping[str, Any]) -> None:
    """A piece that was sold by an order does not come back while the order stands, that is until it is refunded.

    Like ``check_delete`` it needs the listing's row locked: orders are only made under that lock.
    """
    if row.stock > 0:
        return
    status = changes.get("status", row.status)
    if changes.get("stock", 0) == 0 and (status == row.status or status not in ON_SALE):
        return
    standing = select(OrderRow.id).where(OrderRow.listing_id == row.id, OrderRow.refunded_at.is_(None)).limit(1)
    if session.scalar(standing) is not None:
        message = (
            "This was bought; cancel or refund the order before you sell it again, or write a new listing for another "
            "piece."
        )
        raise AppError("order_stands", message, 409)


def check_delete(session: Session, row: ListingRow) -> None:
    """A listing stays until its orders are handed over or refunded (AppError 409, code ``open_orders``)."""
    if session.scalar(select(OrderRow.id).where(OrderRow.listing_id == row.id, *STANDING).limit(1)) is not None:
        message = "This listing has open orders; complete, cancel or refund them first, then delete it."
        raise AppError("open_orders", message, 409)


def _put_back(session: Session, row: ListingRow) -> None:
    """One piece more; a listing that was sold out by orders is on sale again, or will be once a person has approved."""
    review = session.get(ReviewRow, row.id)
    if row.stock == 0 and row.status == "sold":
        row.status = "active"
    elif row.stock == 0 and review is not None and review.status_after == "sold":
        review.status_after = "active"
    row.stock += 1
    row.version += 1
    listing_repo.to_index(session, row.id)


def is_blocked(session: Session, one: str, other: str) -> bool:
    """Whether one of two people has blocked the other."""
    which = (BlockRow.blocker.in_((one, other)), BlockRow.blocked.in_((one, other)))
    return session.scalar(select(BlockRow.at).where(*which).limit(1)) is not None


def check_blocked(session: Session, one: str, other: str) -> None:
    """Raises AppError (403) where one of two people has blocked the other."""
    if is_blocked(session, one, other):
        raise AppError("blocked", BLOCKED, 403)


def order_of(session: Session, who: str, order_id: str, role: Role | None = None, *, lock: bool = False) -> OrderRow:
    """An order that ``who`` placed or received, or has in this role; else AppError 404.

    lock: only its own row, as orders end independently of what happens to the listing.
    """
    row = session.get(OrderRow, order_id, with_for_update=lock or None)
    if row is None or who not in (row.buyer, row.seller_id) or role not in (None, _role(row, who)):
        raise AppError("not_found", NO_ORDER, 404)
    return row


def _role(row: OrderRow, who: str) -> Role:
    return "buyer" if row.buyer == who else "seller"


def _order(row: OrderRow, listing: ListingRow | None, role: Role) -> Order:
    same = ("id", "listing_id", "amount", "currency", "at", "completed_at", "refunded_at", "cancelled_by")
    return Order(
        **{name: getattr(row, name) for name in same},
        title=listing.title if listing is not None else None,
        role=role,
        state="cancelled"
        if row.cancelled_by
        else "refunded"
        if row.refunded_at
        else "completed"
        if row.completed_at
        else "open",
    )
