"""Posts in the feed: short texts with a photo, in two stated places of a page, ranked by a model of their own (MKT).

A post is nothing that is sold: it is in no catalogue, no auction and no source. Without a model posts are ranked by
clicks over impressions, drawn to the mean of all posts, so that one that nobody has seen stands in the middle.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recommend.cascade.catalog import PRIOR
from recommend.cascade.request import HOUR_MS, VIDEO, Moment, stacked
from recommend.cascade.visitors import PastPost, Visitor
from recommend.data.ragged import Column, Repeated
from recommend.data.schema import ENTITIES

ROLE = "posts"
POST_SLOTS = (9, 16)  # 0-based places of the posts on a page: a tenth of a page of 20
NEWEST, BEST = 50, 50  # posts that are ranked: a model takes some milliseconds for a hundred
POST = ENTITIES.index("post")


@dataclass(frozen=True)
class Post:
    """A post as it comes in. ``length`` in words; ``content`` has the catalogue's size."""

    post_id: int
    author_id: int
    category: int
    topic: int
    created_ms: int
    length: int
    content: np.ndarray


@dataclass(frozen=True)
class PlacedPost:
    """A post on a page, with what was known of it and how it was scored."""

    post: Post
    position: int
    pctr: float
    age_h: float
    impressions: int


class Posts:
    """The posts that can be shown, with their counters. Every public method may be called from any thread.

    Args:
        content: numbers of a content vector.
    """

    def __init__(self, content: int) -> None:
        self.content = content
        self._posts: dict[int, Post] = {}
        self._counts: dict[int, list[int]] = {}  # impressions, clicks
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._posts)

    def ids(self) -> set[int]:
        """Ids of the posts that can be displayed."""
        with self._lock:
            return set(self._posts)

    def put(self, post: Post) -> None:
        """A post that came."""
        with self._lock:
            self._posts[post.post_id] = post
            self._counts.setdefault(post.post_id, [0, 0])

    def remove(self, post_id: int) -> None:
        """A post that left: no later page shows it."""
        with self._lock:
            self._posts.pop(post_id, None)
            self._counts.pop(post_id, None)

    def add_impression(self, post_id: int) -> None:
        """Count an impression."""
        self._count(post_id, 0)

    def count_click(self, post_id: int) -> None:
        """Count a click."""
        self._count(post_id, 1)

    def clicked(self, post_id: int, visitor: Visitor, moment: Moment) -> None:
        """Count a click, and remember it for the visitor."""
        self.count_click(post_id)
        post = self._posts.get(post_id)
        if post is not None:
            past = PastPost(post_id, post.author_id, post.category, moment.time_ms, post.content)
            visitor.posts.append(past)

    def candidates(self, visitor: Visitor) -> list[Post]:
        """Posts that the visitor has not opened: the newest, and of the others those with the highest rates."""
        opened = {past.post_id for past in visitor.posts}
        with self._lock:
            there = [p for p in self._posts.values() if p.post_id not in opened]
        there.sort(key=lambda p: (-p.created_ms, p.post_id))
        older = there[NEWEST:]
        best = np.argsort(-self.rates(older), kind="stable")[:BEST] if older else ()
        return [*there[:NEWEST], *(older[i] for i in best)]

    def rates(self, posts: Sequence[Post]) -> np.ndarray:
        """(n,) clicks over impressions, drawn to the mean of all posts where impressions are few."""
        with self._lock:
            counts = {p.post_id: tuple(self._counts.get(p.post_id, (0, 0))) for p in posts}
            impressions, clicks = (sum(c[n] for c in self._counts.values()) for n in (0, 1))
        mean = (clicks + 1.0) / (impressions + PRIOR)
        return np.array([(counts[p.post_id][1] + PRIOR * mean) / (counts[p.post_id][0] + PRIOR) for p in posts])

    def impressions(self, post_id: int) -> int:
        """Impressions of a post."""
        return self._counts.get(post_id, [0])[0]

    def _count(self, post_id: int, which: int) -> None:
        with self._lock:
            if post_id in self._counts:
                self._counts[post_id][which] += 1


def slots(size: int, available: int) -> list[int]:
    """Places of the posts on a page of a size."""
    return [slot for slot in POST_SLOTS if slot < size][:available]


def around(items: int, of_posts: Sequence[int]) -> tuple[list[int], list[int]]:
    """Positions of the things and of the posts on a page; on one with few things the posts stand at its end."""
    posts = [min(slot, items + n) for n, slot in enumerate(of_posts)]
    return [n for n in range(items + len(posts)) if n not in posts], posts


def post_columns(posts: Sequence[Post], visitor: Visitor, moment: Moment, size: int) -> dict[str, Column]:
    """Raw columns of ``len(posts)`` candidates for one visitor, as ``recommend.features.entities`` names them.

    What a post has not, such as a price, is what the log of posts has there.

    Args:
        size: numbers of a content vector.
    """
    count = len(posts)
    same: Mapping[str, int] = {
        "user_id": visitor.user_id, "age_group": 0, "city": 0, "hour": moment.hour, "promotion": moment.promotion,
        "entity": POST, "item_id": -1, "condition": 0, "price_bucket": 0, "single": 0, "channel": VIDEO,
    }  # fmt: skip
    of_post = [
        (p.post_id, p.author_id, p.category, p.topic, math.floor(2 * math.log(max(p.length, 1))), p.created_ms)
        for p in posts
    ]
    numbers = np.array(of_post, np.int64).reshape(-1, 6).T.copy()
    age = np.maximum(moment.time_ms - numbers[5], 0) / HOUR_MS
    names = ("post_id", "seller_id", "category", "topic", "length_step")
    clicked, read = list(visitor.history), list(visitor.posts)
    past = {
        "item_category": [p.category for p in clicked],
        "item_seller_id": [p.seller_id for p in clicked],
        "post_category": [p.category for p in read],
        "post_seller_id": [p.author_id for p in read],
    }
    vectors = {"item_content": [p.content for p in clicked], "post_content": [p.content for p in read]}
    out: dict[str, Column] = {name: torch.full((count,), value, dtype=torch.int64) for name, value in same.items()}
    out |= {name: torch.from_numpy(values) for name, values in zip(names, numbers[:5], strict=True)}
    content = torch.from_numpy(stacked([p.content for p in posts], size)).float()
    out |= {"item_age_h": torch.from_numpy(age.astype(np.float32)), "content": content}
    for name, values in past.items():
        out[name] = Repeated(torch.tensor(values, dtype=torch.int64), count)
    for name, rows in vectors.items():
        out[name] = Repeated(torch.from_numpy(stacked(rows, size)).float(), count)
    return out
