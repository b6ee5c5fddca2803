"""How long behaviour is kept: what was shown, clicked and asked, who used the assistant, and notices that nobody took,
go after ``log_days``.

Listings, orders and what the feed's models know of listings (numbers only) stay. Small transactions: writers come in
between. A clock that jumps makes everything old at once: what is deleted for its age asks ``clock_holds`` first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, select, tuple_, update
from sqlalchemy.orm import Session

from app.store.db import Store, count_of
from app.store.tables import (
    EventRow,
    FeedCandidatesRow,
    FeedEventRow,
    FeedPageRow,
    FeedPostRow,
    FeedRow,
    IdentityRow,
    KeyRow,
    MessageRow,
    NoticeRow,
    OrderRow,
    now,
)

BATCH = 200  # pages, events or keys of one transaction
STANDING = (OrderRow.refunded_at.is_(None), OrderRow.completed_at.is_(None))

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def clock_holds(store: Store) -> bool:
    """Whether the clock may say what is too old; notes every hour that the store is in use.

    More than a day after the last time that was noted either nobody used the store or the clock has jumped: it holds
    once it still says so a day later. Raises AppError.
    """
    at = now()
    with store.read() as session:
        row = session.scalars(select(IdentityRow)).one()
    if row.ahead_since is None and row.noted_at is not None and abs(at - row.noted_at) < HOUR:
        return True  # nearly always: no writer has to wait for this
    with store.write() as session:
        row = session.scalars(select(IdentityRow).with_for_update()).one()
        if row.noted_at is not None and at - row.noted_at > DAY:
            row.ahead_since = row.ahead_since or at
            if at - row.ahead_since < DAY:
                return False
        row.noted_at, row.ahead_since = at, None
    return True


def forget_behaviour(store: Store, days: float) -> int:
    """Delete what is older than that many days; returns how many pages went. Raises AppError: the rest goes later."""
    before = now() - timedelta(days=days)
    pages = forget_pages(store, FeedPageRow.at < before)
    for table in (EventRow, MessageRow, NoticeRow):
        _delete_in_steps(store, table, table.at < before)
    # The key of a listing with a standing order stays; the draft of any other still answers a repeated wish.
    standing = select(OrderRow.listing_id).where(*STANDING)
    _delete_in_steps(store, KeyRow, KeyRow.at < before, KeyRow.listing_id.not_in(standing))
    return pages


def forget_pages(store: Store, *which: ColumnElement[bool]) -> int:
    """Delete pages of the feed with all that hangs on them; returns how many."""
    gone = 0
    while True:
        with store.write() as session:
            ids = list(session.scalars(select(FeedPageRow.id).where(*which).order_by(FeedPageRow.at).limit(BATCH)))
            _delete_pages(session, ids)
        gone += len(ids)
        if len(ids) < BATCH:
            return gone


def _delete_pages(session: Session, ids: Sequence[str]) -> None:
    rows = select(FeedRow.id).where(FeedRow.page_id.in_(ids))
    # SQLite gives a row's number again: an order must not come to point at somebody else's.
    session.execute(update(OrderRow).where(OrderRow.row_id.in_(rows)).values(row_id=None))
    session.execute(delete(FeedEventRow).where(FeedEventRow.row_id.in_(rows)))
    for table in (FeedRow, FeedCandidatesRow, FeedPostRow):
        session.execute(delete(table).where(table.page_id.in_(ids)))
    session.execute(delete(FeedPageRow).where(FeedPageRow.id.in_(ids)))


def _delete_in_steps(
    store: Store, table: type[EventRow | MessageRow | NoticeRow | KeyRow], *which: ColumnElement[bool]
) -> None:
    keys = table.__mapper__.primary_key
    some = select(*keys).where(*which).order_by(table.at).limit(BATCH)
    deletion = delete(table).where(tuple_(*keys).in_(some)).execution_options(synchronize_session=False)
    deleted = BATCH
    while deleted == BATCH:
        with store.write() as session:
            deleted = count_of(session, deletion)
