"""The posts of a live feed: follows the store, writes down what was shown and what came of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.feed.items import CONTENT, category_code, milliseconds, numbers, still_there
from app.market.posts import TOPICS, PostView, views
from app.store.db import Store
from app.store.tables import FeedPageRow, FeedPostRow, PostRow, now
from app.views import AppError
from recommend.cascade.feed import Feed
from recommend.cascade.logged import post_facts
from recommend.cascade.page import Slate
from recommend.cascade.posts import Post
from recommend.cascade.request import Moment
from recommend.cascade.visitors import PastPost


@dataclass
class NewEvents:
    """Events on posts within a transaction, by the feed's number; counted when that is committed."""

    impressions: list[int] = field(default_factory=list)
    clicked: list[int] = field(default_factory=list)


class LivePosts:
    """Keeps the feed's posts equal to the store's. Every public method may be called from any thread."""

    def __init__(self, store: Store, feed: Feed) -> None:
        self.store, self.feed = store, feed
        self._keys: dict[int, str] = {}
        self._one_at_a_time = threading.Lock()

    def refresh(self) -> None:
        """Follow the store: posts that came are shown, those that were withdrawn are not, whoever did it."""
        with self._one_at_a_time:
            have = {self._keys[n]: n for n in self.feed.posts.ids()}
            with self.store.read() as session:
                stored = set(session.scalars(select(PostRow.id)))
                new = session.scalars(select(PostRow).where(PostRow.id.in_(sorted(stored - set(have))))).all()
            for post_id in set(have) - stored:
                self.feed.posts.remove(have[post_id])
            if new:
                self._put(new)

    def remember(self, since: datetime) -> None:
        """Counters and visitors' clicks of the last weeks, after a start."""
        with self.store.read() as session:
            rows = session.execute(
                select(FeedPostRow, FeedPageRow.visitor)
                .join(FeedPageRow, FeedPageRow.id == FeedPostRow.page_id)
                .where(FeedPostRow.seen_at.is_not(None), FeedPageRow.at >= since)
                .order_by(FeedPostRow.id)
            ).all()
        for row, who in rows:
            self.feed.posts.add_impression(int(row.known["post_id"]))
            if row.clicked_at is not None:  # the click is remembered though the post may be gone
                self.feed.posts.count_click(int(row.known["post_id"]))
                self.feed.visitors.get(who).posts.append(_past(row))

    def note(self, session: Session, page_id: str, slate: Slate) -> list[PostView | None]:
        """Write a page's posts down; gives them in the slate's order, None for one that was withdrawn meanwhile."""
        post_ids = [self._keys.get(place.post.post_id, "") for place in slate.posts]
        rows = session.scalars(select(PostRow).where(PostRow.id.in_(post_ids)))
        posts = {post.id: post for post in views(session, rows)}
        for place, key in zip(slate.posts, post_ids, strict=True):
            if key in posts:
                session.add(FeedPostRow(page_id=page_id, post_id=key, position=place.position, known=post_facts(place),
                                        scores={"pctr": place.pctr}))  # fmt: skip
        return [posts.get(key) for key in post_ids]

    def titles(self, post_ids: Sequence[int]) -> dict[int, str]:
        """By the feed's number; of posts that were withdrawn none."""
        keys = {self._keys[n]: n for n in post_ids if n in self._keys}
        with self.store.read() as session:
            rows = session.execute(select(PostRow.id, PostRow.title).where(PostRow.id.in_(list(keys))))
            return {keys[post_id]: title for post_id, title in rows}

    def event(self, session: Session, who: int, kind: str, page_id: str, post_id: str, events: NewEvents) -> int:
        """Write an event on a post down; 1 when it is new, 0 when it was known."""
        if kind == "cart":
            raise AppError("not_for_sale", "A post is not for sale and cannot be put into a cart.", 422)
        row = session.scalar(
            select(FeedPostRow)
            .join(FeedPageRow, FeedPageRow.id == FeedPostRow.page_id)
            .where(FeedPostRow.page_id == page_id, FeedPostRow.post_id == post_id, FeedPageRow.visitor == who)
        )
        if row is None:
            raise AppError("not_found", "That post did not stand on such a page of this visitor.", 404)
        new = 0
        if row.seen_at is None:  # who clicked has seen
            row.seen_at, new = now(), 1
            events.impressions.append(int(row.known["post_id"]))
        if kind == "click" and row.clicked_at is None:
            row.clicked_at, new = now(), 1
            events.clicked.append(int(row.known["post_id"]))
        session.flush()
        return new

    def count(self, who: int, events: NewEvents, moment: Moment) -> None:
        """Count what was written down."""
        for post_id in events.impressions:
            self.feed.posts.add_impression(post_id)
        for post_id in events.clicked:
            self.feed.posts.clicked(post_id, self.feed.visitors.get(who), moment)

    def _put(self, rows: Sequence[PostRow]) -> None:
        with self.store.write() as session:
            there = still_there(session, PostRow.id, [r.id for r in rows])
            rows = [r for r in rows if r.id in there]  # an erased author gets no number again
            ids = numbers(session, "post", [r.id for r in rows])
            authors = numbers(session, "seller", [r.author_id for r in rows])
        for row in rows:
            self._keys[ids[row.id]] = row.id
            self.feed.posts.put(
                Post(
                    post_id=ids[row.id],
                    author_id=authors[row.author_id],
                    category=category_code(row.category),
                    topic=TOPICS.index(row.topic) if row.topic in TOPICS else -1,
                    created_ms=milliseconds(row.created_at),
                    length=max(len(row.text.split()), 1),
                    content=np.array(row.content or [0.0] * CONTENT, np.float32),
                )
            )


def _past(row: FeedPostRow) -> PastPost:
    """A click as the visitor's history keeps it."""
    facts, at = row.known, row.clicked_at
    assert at is not None
    content = np.array(facts["content"], np.float32)
    return PastPost(facts["post_id"], facts["author_id"], facts["category"], milliseconds(at), content)
