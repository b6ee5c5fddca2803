"""Events on pages: impressions, clicks, carts; written down, counted, and read back after a start."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.sellers import check_there
from app.feed.items import milliseconds, number
from app.feed.posts import LivePosts, NewEvents
from app.market.orders import latest_place
from app.store.db import Store
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow
from app.views import AppError
from recommend.cascade.catalog import COUNTED_IDS
from recommend.cascade.feed import Feed
from recommend.cascade.request import Moment
from recommend.cascade.visitors import Past

KINDS = ("impression", "click", "cart")


class FeedEvents:
    """Takes events on the pages. Every public method may be called from any thread."""

    def __init__(self, store: Store, feed: Feed, posts: LivePosts, moment: Callable[[], Moment]) -> None:
        self.store, self.feed, self.posts, self._moment = store, feed, posts, moment

    def take(self, visitor: str, events: Iterable[tuple[str, str, str, str]]) -> int:
        """Write (kind, page id, listing id, post id) down, of which one is empty; a repeated event counts once.

        Returns how many were new.
        """
        new, of_items, of_posts, moment = 0, _ItemEvents(), NewEvents(), self._moment()
        at = datetime.fromtimestamp(moment.time_ms / 1000, UTC)  # as it is counted now and after a start
        rows = list(events)
        for kind, _, listing_id, post_id in rows:
            if kind not in KINDS:
                raise AppError("no_kind", f"An event is one of {', '.join(KINDS)}.", 422)
            if bool(listing_id) == bool(post_id):
                raise AppError("no_thing", "An event names a listing_id or a post_id, and not both.", 422)
        with self.store.write() as session:
            check_there(session, visitor)
            visitor_id = number(session, "visitor", visitor)
            page_rows = _PageRows(session, visitor_id, {page_id for _, page_id, listing_id, _ in rows if listing_id})
            for kind, page_id, listing_id, post_id in rows:
                if post_id:
                    new += self.posts.event(session, visitor_id, kind, page_id, post_id, of_posts)
                else:
                    new += page_rows.note(kind, page_id, listing_id, of_items, at)
        self.posts.count(visitor_id, of_posts, moment)
        # Of its page's time, as in the log: what is reported after an hour's turn counts in the hour before it.
        for page_at, known in of_items.impressions.items():
            facts = _facts(known)
            self.feed.add_impressions(visitor_id, facts["item_id"].tolist(), milliseconds(page_at), facts)
        for clicked in of_items.clicked:
            self.feed.clicked(visitor_id, int(clicked["item_id"]), moment, _facts([clicked]))
        return new

    def opened(self, visitor: str, listing_id: str) -> None:
        """A visitor opened a listing from the feed: a click on the latest page of theirs on which it stood, if any."""
        with self.store.read() as session:
            place = session.scalar(latest_place(visitor, listing_id))
        if place is not None:
            self.take(visitor, [("click", place.page_id, listing_id, "")])

    def remember(self, since: datetime) -> None:
        """The visitors' clicks and the listings' counts from a moment on, after a start."""
        self.posts.remember(since)
        with self.store.read() as session:
            clicks = session.execute(
                select(FeedPageRow.visitor, FeedRow.known, FeedEventRow.at)
                .join(FeedRow, FeedRow.page_id == FeedPageRow.id)
                .join(FeedEventRow, FeedEventRow.row_id == FeedRow.id)
                .where(FeedEventRow.kind == "click", FeedEventRow.at >= since)
                .order_by(FeedEventRow.id)
            ).all()
            impressions = session.execute(
                select(FeedPageRow.visitor, FeedRow.known, FeedPageRow.at)
                .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
                .where(FeedRow.seen_at.is_not(None), FeedPageRow.at >= since)
                .order_by(FeedPageRow.at, FeedRow.id)
            ).all()
        for visitor_id, facts, at in impressions:
            self.feed.catalog.add_impressions([int(facts["item_id"])], milliseconds(at), visitor_id, _facts([facts]))
        for visitor_id, facts, at in clicks:
            past = Past(
                int(facts["item_id"]),
                int(facts["category"]),
                bool(facts["single"]),
                milliseconds(at),
                np.array(facts["content"], np.float32),
                int(facts["seller_id"]),
            )
            self.feed.visitors.get(visitor_id).history.append(past)
            self.feed.catalog.clicked([past.item_id], past.time_ms, visitor_id, _facts([facts]))


@dataclass
class _ItemEvents:
    """Events on items within a transaction, with the items' facts on their pages; impressions by their page's time."""

    impressions: dict[datetime, list[Mapping[str, Any]]] = field(default_factory=dict)
    clicked: list[Mapping[str, Any]] = field(default_factory=list)


def _facts(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """(n,) ids by column as items are counted: those of their page, which outlive the listing."""
    return {name: np.array([int(row[name]) for row in rows], np.int64) for name in COUNTED_IDS}


class _PageRows:
    """Listings on some pages of a visitor, with their events so far, read at once."""

    def __init__(self, session: Session, visitor_id: int, page_ids: Collection[str]) -> None:
        self.session = session
        query = (
            select(FeedRow, FeedPageRow.at)
            .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
            .where(FeedRow.page_id.in_(page_ids), FeedPageRow.visitor == visitor_id)
        )
        placed = session.execute(query).all() if page_ids else []
        self._rows = {(row.page_id, row.listing_id): (row, page_at) for row, page_at in placed}
        ids = [row.id for row, _ in self._rows.values()]
        noted = select(FeedEventRow.row_id, FeedEventRow.kind).where(FeedEventRow.row_id.in_(ids))
        self._noted = {(row_id, kind) for row_id, kind in session.execute(noted)} if ids else set()

    def note(self, kind: str, page_id: str, listing_id: str, events: _ItemEvents, at: datetime) -> int:
        """Write an event on a listing down; 1 when it is new, 0 when it was known."""
        if (page_id, listing_id) not in self._rows:
            raise AppError("not_found", "That listing did not stand on such a page of this visitor.", 404)
        row, page_at = self._rows[page_id, listing_id]
        first_impression = row.seen_at is None
        if kind == "impression" and not first_impression:
            return 0
        if kind != "impression":
            if (row.id, kind) in self._noted:
                return 0
            self._noted.add((row.id, kind))
            self.session.add(FeedEventRow(row_id=row.id, kind=kind, at=at))
            if kind == "click":
                events.clicked.append(row.known)
        if first_impression:  # who clicked has seen
            row.seen_at = at
            events.impressions.setdefault(page_at, []).append(row.known)
        return 1
