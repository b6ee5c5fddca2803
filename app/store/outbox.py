"""From the outbox to feed and index: both follow the store, also after either of them, or the store, was away.

A change of a listing writes a row into the outbox in its own transaction. The row is deleted only after the feed and
the index have followed. It is looked for after each change, every few seconds and at each start. A second row, of the
topic ``CHANGE``, stays for a day: by these (``Changes``) a server learns of what another one did on the same store.
Files of photos (``deletions.py``) and notices (``app/market/notices.py``) follow by rows of topics of their own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.metrics import Metrics
from app.store import listing_repo
from app.store.db import FOLLOWING, Store, count_of
from app.store.draft_repo import new_id
from app.store.media import Media
from app.store.search_index import SearchIndex
from app.store.tables import ListingRow, OutboxRow, Topic, now
from app.views import AppError
from listing.schema import Listing

log = logging.getLogger(__name__)
AT_ONCE = 100
RETRY_SECONDS = 2.0  # after a failure the index is left alone for so long, so that publishing does not wait for it
WAIT_SECONDS = 5.0  # longest wait for somebody else who is at it; what is left then comes with the clock
SETTLED_S = 60.0  # no transaction takes longer than that between drawing its number in the sequence and its end
NEWS = 1_000
CHANGES = OutboxRow.topic == Topic.CHANGE


class Follower(Protocol):
    """Whoever else keeps a copy of the listings, such as the feed."""

    def put(self, listings: Sequence[Listing]) -> None:
        """Listings that came or changed."""
        ...

    def remove(self, listing_ids: Collection[str]) -> None:
        """Listings that left."""
        ...


class Outbox:
    """Brings ``follower`` and index up to date. Every method may be called from any thread."""

    def __init__(self, store: Store, media: Media, index: SearchIndex, metrics: Metrics) -> None:
        self.store, self.media, self.index, self.metrics = store, media, index, metrics
        self.follower: Follower | None = None
        self._one_at_a_time = threading.Lock()
        self._followed: set[int] = set()  # rows that the follower has seen and the index has not
        self._failed_at = -RETRY_SECONDS
        self._failing = False
        self._held = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Many changes one after the other: feed and index follow them all together, at the end of the block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self.follow()

    def follow(self) -> None:
        """Bring feed and index up to date with the store; never raises. What fails stays in the outbox for later."""
        if self._held or not self._one_at_a_time.acquire(timeout=WAIT_SECONDS):
            return
        try:
            self._follow()
        finally:
            self._one_at_a_time.release()

    def catch_up(self) -> None:
        """Follow if something waits; for a clock. Raises AppError while the store is away."""
        with self.store.read() as session:
            waiting = listing_repo.count_waiting(session)
        if waiting or self._failing:
            self.follow()

    def _follow(self) -> None:
        try:
            self._tell_news()
            if time.monotonic() - self._failed_at >= RETRY_SECONDS:
                # Of two servers at it the slower would put what was; who is not alone leaves its rows to the other.
                with self.store.alone(FOLLOWING) as alone:
                    if alone:
                        self._follow_all()
        except Exception as error:
            self._note_failure(error)
        try:
            with self.store.read() as session:
                self.metrics.outbox.set(listing_repo.count_waiting(session))
        except AppError as error:
            log.warning("the outbox cannot be counted: %s", error)

    def _note_failure(self, error: Exception) -> None:
        """The first failure of a row of them is logged with its trace, the others as a line."""
        self._failed_at = time.monotonic()
        foreseen = isinstance(error, AppError)
        log.warning("feed or index could not follow: %s", error, exc_info=not (self._failing or foreseen))
        self._failing = True
        self.metrics.errors.labels(error.code if isinstance(error, AppError) else "index").inc()

    def _tell_news(self) -> None:
        """What is new in the outbox goes to the follower at once, whatever the index is up to."""
        with self.store.read() as session:
            query = select(OutboxRow.id, OutboxRow.key).where(OutboxRow.topic == Topic.INDEX).order_by(OutboxRow.id)
            rows = {row.id: row.key for row in session.execute(query)}
        self._followed &= rows.keys()
        fresh = {row: listing_id for row, listing_id in rows.items() if row not in self._followed}
        self._tell(set(fresh.values()))
        self._followed |= fresh.keys()

    def _follow_all(self) -> None:
        while self._follow_some():
            pass
        if self._failing:
            log.warning("feed and index have caught up")
        self._failing = False

    def _follow_some(self) -> bool:
        with self.store.read() as session:
            query = select(OutboxRow).where(OutboxRow.topic == Topic.INDEX).order_by(OutboxRow.id)
            rows = session.scalars(query.limit(AT_ONCE)).all()
            ids = list(dict.fromkeys(row.key for row in rows))
            listings = _listings(session, ids)
        if not rows:
            return False
        gone = [i for i in ids if i not in listings]
        if gone:
            self.index.remove(gone)
        if listings:
            self._put([listings[i] for i in ids if i in listings])
        if listing_repo.REBUILD in ids:
            self.index.rebuild()
        self._tell(ids)  # again, now that the index has their vectors
        with self.store.write() as session:
            session.execute(delete(OutboxRow).where(OutboxRow.id.in_([row.id for row in rows])))
            for listing_id in listings:  # other servers look again: now there are vectors
                listing_repo.note_change(session, listing_id)
        self._followed.difference_update(row.id for row in rows)
        return True

    def _tell(self, listing_ids: Collection[str]) -> None:
        """The follower hears how these listings stand now."""
        if self.follower is None or not listing_ids:
            return
        with self.store.read() as session:
            listings = _listings(session, listing_ids)
        self.follower.put(list(listings.values()))
        self.follower.remove([i for i in listing_ids if i not in listings])

    def _put(self, listings: Sequence[Listing]) -> None:
        try:
            self.index.put_many([(x, self._photos(x)) for x in listings])
        except Exception as error:
            if len(listings) > 1:  # those ahead of the one at fault go in
                for listing in listings:
                    self._put([listing])
                return
            if not isinstance(error, ValueError):
                raise
            # This one listing cannot be indexed, whenever it is tried: it must not hold up the others.
            log.exception("listing %s cannot be indexed; it is published all the same", listings[0].id)
            self.metrics.errors.labels("index_refused").inc()
            self.index.remove([listings[0].id])

    def _photos(self, listing: Listing) -> list[Path]:
        return [p for ref in listing.photos if (p := self.media.path(ref.id)).is_file()]


def _listings(session: Session, ids: Collection[str]) -> dict[str, Listing]:
    """Those of the listings that belong into the index, as they stand now."""
    rows = session.scalars(select(ListingRow).where(ListingRow.id.in_(set(ids))))
    return {x.id: x for x in listing_repo.to_listings(session, list(rows)) if x.status in listing_repo.INDEXED}


class Changes:
    """One server's place in the sequence; for one thread at a time.

    In PostgreSQL a number that was drawn first may be committed last: for a while it looks for those it has passed.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._passed = 0  # everything up to here is known
        self._recent: dict[int, float] = {}  # numbers after it that are known, and since when

    def start(self) -> None:
        """Stand at the end. Call it before the listings are read, so that nothing falls in between."""
        with self.store.read() as session:
            settled = select(func.max(OutboxRow.id)).where(CHANGES, OutboxRow.at < now() - timedelta(seconds=SETTLED_S))
            self._passed, self._recent = session.scalar(settled) or 0, {}

    def news(self, session: Session) -> dict[int, str]:
        """Numbers that are not known yet, with their listings; the oldest first, not more than ``NEWS``."""
        query = select(OutboxRow.id, OutboxRow.key).where(CHANGES, OutboxRow.id > self._passed).order_by(OutboxRow.id)
        fresh = [(n, listing) for n, listing in session.execute(query) if n not in self._recent]
        return dict(fresh[:NEWS])

    def mark(self, numbers: Iterable[int]) -> None:
        """These have been taken in."""
        at = time.monotonic()
        self._recent.update(dict.fromkeys(numbers, at))
        for number in sorted(self._recent):
            if self._recent[number] > at - SETTLED_S:
                break
            self._passed = number
            del self._recent[number]


def notice(kind: str, to: str, listing_id: str, order_id: str | None) -> OutboxRow:
    """The row of a notice to the seller ``to`` (``app/market/notices.py``)."""
    body = {"id": new_id(), "kind": kind, "listing_id": listing_id, "order_id": order_id}
    return OutboxRow(topic=Topic.NOTICE, key=to, body=body)


def forget_changes(store: Store, before: datetime) -> int:
    """Delete older changes; returns how many. A server that starts reads the listings themselves."""
    with store.write() as session:
        return count_of(session, delete(OutboxRow).where(CHANGES, OutboxRow.at < before))
