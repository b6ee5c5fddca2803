"""How long behaviour is kept: what was shown, clicked and asked, who used the assistant, and notices that nobody took,
go after ``log_days``.

Listings, orders and what the feed's models know of listings (numbers only) stay. Small transactions: writers come in
between. A clock that jumps makes everything old at once: all that goes for its age goes by ``TrustedClock``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy import ColumnElement, delete, select, tuple_, update
from sqlalchemy.orm import Session

from app.store.db import Store, count_of
from app.store.tables import (
    EventRow,
    FeedEventRow,
    FeedPageRow,
    FeedPostRow,
    FeedRow,
    IdentityRow,
    KeyRow,
    MessageRow,
    OrderRow,
    OutboxRow,
    Topic,
    now,
)

log = logging.getLogger(__name__)
BATCH = 200  # pages, events or keys of one transaction
STANDING = (OrderRow.refunded_at.is_(None), OrderRow.completed_at.is_(None))

DAY, NOTHING = timedelta(days=1), timedelta()
PAUSE_SECONDS = 30.0  # between two looks at the store


class TrustedClock:
    """The time by which things are too old to keep; for any thread.

    It goes on by the time that servers run (monotonic, summed up in the store). By how much more the clock went on,
    because nobody used the store or because it jumped, it is put forward once a server has run for a whole day since;
    each further jump of more than a day begins that day anew. A clock that is behind is believed at once.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._trusted = now()

    def now(self) -> datetime:
        """That time; what was run until now is noted. Raises AppError: it cannot be."""
        with self._lock:
            at = monotonic()
            if self._looked is None or at - self._looked > PAUSE_SECONDS:
                with self.store.write() as session:
                    row = session.scalars(select(IdentityRow).with_for_update()).one()
                    self._trusted = _go_on(row, now(), timedelta(seconds=at - (self._looked or at)))
                self._looked = at
            return min(self._trusted, now())


def _go_on(row: IdentityRow, at: datetime, ran: timedelta) -> datetime:
    noted, trusted = row.noted_at or at, row.trusted_at or at
    ran = max(min(ran, at - noted), NOTHING)  # several servers of a store count each moment once
    jump, trusted = at - noted - ran, min(trusted + ran, at)
    due = min(row.due_at, trusted + DAY) if row.due_at is not None else None
    if abs(jump) > DAY:
        due = None
        log.warning(
            "the clock is %.1f days %s when this store was last in use: what is too old by it is deleted once a server "
            "has run for a day",
            abs(jump) / DAY,
            "ahead of" if jump > NOTHING else "behind",
        )
    elif due is not None and trusted >= due:
        trusted, due = min(trusted + timedelta(seconds=row.ahead or 0.0), at), None
    if due is None:
        due, row.ahead = trusted + DAY, (at - trusted).total_seconds()
    row.noted_at, row.trusted_at, row.due_at = at, trusted, due
    return trusted


def forget_behaviour(store: Store, before: datetime) -> int:
    """Delete what is older; returns how many pages went. Raises AppError: the rest goes later."""
    pages = forget_pages(store, FeedPageRow.at < before)
    for table in (EventRow, MessageRow):
        _delete_in_steps(store, table, table.at < before)
    _delete_in_steps(store, OutboxRow, OutboxRow.at < before, OutboxRow.topic == Topic.NOTICE)
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
    for table in (FeedRow, FeedPostRow):
        session.execute(delete(table).where(table.page_id.in_(ids)))
    session.execute(delete(FeedPageRow).where(FeedPageRow.id.in_(ids)))


def _delete_in_steps(
    store: Store, table: type[EventRow | MessageRow | OutboxRow | KeyRow], *which: ColumnElement[bool]
) -> None:
    keys = table.__mapper__.primary_key
    some = select(*keys).where(*which).order_by(table.at).limit(BATCH)
    deletion = delete(table).where(tuple_(*keys).in_(some)).execution_options(synchronize_session=False)
    deleted = BATCH
    while deleted == BATCH:
        with store.write() as session:
            deleted = count_of(session, deletion)
