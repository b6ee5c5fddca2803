"""The feed's memory of a visitor: the items clicked last, with their content, since most of them are sold by now."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field

import numpy as np

from recommend.cascade.catalog import Catalog


@dataclass(frozen=True)
class Past:
    """A click. ``content`` is the thing's vector at that time."""

    item_id: int
    category: int
    single: bool
    time_ms: int
    content: np.ndarray
    seller_id: int = -1


@dataclass(frozen=True)
class PastPost:
    """A click on a post. It outlives the post."""

    post_id: int
    author_id: int
    category: int
    time_ms: int
    content: np.ndarray


@dataclass
class Visitor:
    """``history``: clicks, oldest first; ``posts``: those opened, oldest first."""

    user_id: int
    history: deque[Past]
    posts: deque[PastPost] = field(default_factory=lambda: deque(maxlen=50))

    def taste(self) -> np.ndarray | None:
        """Mean content of the things clicked, the latest counting most; None without a click."""
        if not self.history:
            return None
        weight = np.power(0.9, np.arange(len(self.history))[::-1], dtype=np.float64)
        vectors = np.concatenate([past.content for past in self.history]).reshape(len(self.history), -1)
        return (weight @ vectors / weight.sum()).astype(np.float32)


class Visitors:
    """Visitors by id; who has not come for longest is forgotten when there are too many.

    Args:
        history: clicks kept of each.
        most: visitors kept.
    """

    def __init__(self, history: int = 50, most: int = 100_000) -> None:
        self._history, self._most = history, most
        self._lock = threading.Lock()
        self._visitors: OrderedDict[int, Visitor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._visitors)

    def get(self, user_id: int) -> Visitor:
        """The visitor; a new one has no history."""
        with self._lock:
            visitor = self._visitors.get(user_id)
            if visitor is None:
                visitor = self._visitors[user_id] = Visitor(user_id, deque(maxlen=self._history))
                while len(self._visitors) > self._most:
                    self._visitors.popitem(last=False)
            self._visitors.move_to_end(user_id)
            return visitor

    def ids(self, most: int = 200) -> list[int]:
        """Ids of the latest visitors, latest first."""
        with self._lock:
            return list(reversed(self._visitors))[:most]

    def clicked(self, user_id: int, item_id: int, catalog: Catalog, time_ms: int) -> bool:
        """Remember a click; False when the thing is not on sale any more and nothing is known of it."""
        rows = catalog.rows([item_id])
        if not len(rows):
            return False
        past = Past(
            item_id,
            int(catalog.get("category", rows)[0]),
            bool(catalog.get("single", rows)[0]),
            time_ms,
            catalog.content(rows)[0].copy(),
            int(catalog.get("seller_id", rows)[0]),
        )
        self.get(user_id).history.append(past)
        return True
