"""The stock that is on sale now, as columns: the one place that the stages read, changed in place and at once.

A thing that is sold leaves here first; nothing else keeps a copy of it, so that no stage can show it again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommend.features.counts import LiveCounts
from recommend.features.feature_map import COUNTED

FIELDS: dict[str, type[np.generic]] = {
    "item_id": np.int64,
    "seller_id": np.int64,
    "category": np.int32,
    "condition": np.int32,
    "price": np.float32,
    "price_bucket": np.int32,
    "single": np.bool_,
    "stock": np.int32,
    "listed_ms": np.int64,
    "bid": np.float32,
    "impressions": np.int32,
    "clicks": np.int32,
    "orders": np.int32,
    "first_shown_ms": np.int64,
    "first_click_ms": np.int64,
}
COUNTED_IDS = ("item_id", "category", "seller_id")  # of a thing; with the visitor's, those of the counts
NEVER = -1  # of the moments above
FIRST_ROWS = 1024
PRIOR = 20.0  # impressions with which a smoothed click rate starts
CHANGING = ("item_id", "seller_id", "category", "condition", "price", "price_bucket", "single", "stock", "bid")
REST = 1024  # rows of things that left rest until so many have: a request that is under way still points at them


Facts = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Item:
    """A thing as it comes in. ``content`` has the catalogue's size; a bid of 0 means that it is no ad."""

    item_id: int
    seller_id: int
    category: int
    condition: int
    price: float
    price_bucket: int
    stock: int
    single: bool
    listed_ms: int
    content: Sequence[float] | np.ndarray
    bid: float = 0.0


class Catalog:
    """Live things by row. Every public method may be called from any thread.

    Args:
        content: numbers of a content vector.

    Attributes:
        version: rises with every thing that comes or goes.
        counts: what was shown and clicked before, by item, visitor and the like, as models read it.
    """

    def __init__(self, content: int) -> None:
        self.version = 0
        self.counts = LiveCounts(COUNTED)
        self.lock = threading.RLock()
        self._rows: dict[int, int] = {}
        self._free: deque[int] = deque()
        self._columns = {name: np.zeros(FIRST_ROWS, kind) for name, kind in FIELDS.items()}
        self._content = np.zeros((FIRST_ROWS, content), np.float32)
        self._directions = np.zeros((FIRST_ROWS, content), np.float32)  # content of length 1; 0 where nothing is known
        self._alive = np.zeros(FIRST_ROWS, np.bool_)
        self._used = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, item_id: int) -> bool:
        return item_id in self._rows

    @property
    def content_size(self) -> int:
        """Numbers of a content vector."""
        return self._content.shape[1]

    def put(self, item: Item) -> int:
        """Add a thing, or change one: counters and the moment of listing of a known thing stay. Returns its row.

        Raises:
            ValueError: the content vector has another size.
        """
        vector = np.asarray(item.content, np.float32)
        if vector.shape != (self.content_size,):
            raise ValueError(f"item {item.item_id} needs {self.content_size} numbers of content, not {vector.shape}.")
        with self.lock:
            row = self._rows.get(item.item_id)
            if row is None:
                row = self._new_row(item.item_id)
                for name in ("impressions", "clicks", "orders"):
                    self._columns[name][row] = 0
                for name in ("first_shown_ms", "first_click_ms"):
                    self._columns[name][row] = NEVER
                self._columns["listed_ms"][row] = item.listed_ms
            for name in CHANGING:
                self._columns[name][row] = getattr(item, name)
            self._content[row] = vector
            self._directions[row] = vector / (float(np.linalg.norm(vector)) or 1.0)
            self._alive[row] = item.stock > 0
            self.version += 1
            return row

    def remove(self, item_id: int) -> bool:
        """Take a thing off sale; False when it was not there."""
        with self.lock:
            row = self._rows.pop(item_id, None)
            if row is None:
                return False
            self._alive[row] = False
            self._free.append(row)
            self.version += 1
            return True

    def take(self, item_id: int) -> bool:
        """Sell one piece: True for exactly as many callers as there are pieces; the last one takes the thing away."""
        with self.lock:
            row = self._rows.get(item_id)
            if row is None or self._columns["stock"][row] <= 0:
                return False
            self._columns["stock"][row] -= 1
            self._columns["orders"][row] += 1
            if self._columns["stock"][row] == 0:
                self.remove(item_id)
            return True

    def rows(self, item_ids: Iterable[int]) -> np.ndarray:
        """Rows of the ids that are on sale, in the order given."""
        with self.lock:
            return np.array([self._rows[i] for i in item_ids if i in self._rows], np.int64)

    def live(self) -> np.ndarray:
        """Rows of everything on sale."""
        with self.lock:
            return np.flatnonzero(self._alive[: self._used])

    def on_sale(self, rows: np.ndarray) -> np.ndarray:
        """(n,) which of the rows are on sale."""
        with self.lock:
            return self._alive[rows]

    def get(self, name: str, rows: np.ndarray) -> np.ndarray:
        """(n,) values of a column of ``FIELDS``."""
        with self.lock:
            return self._columns[name][rows]

    def content(self, rows: np.ndarray) -> np.ndarray:
        """(n, size) content vectors."""
        with self.lock:
            return self._content[rows]

    def nearest(self, vector: np.ndarray, count: int) -> np.ndarray:
        """Rows of at most ``count`` live things of highest cosine to a (size,) vector, nearest first."""
        with self.lock:
            directions, alive = self._directions[: self._used], self._alive[: self._used].copy()
        far = -(directions @ vector)
        far[~alive | (far == 0)] = np.inf  # what is unlike in everything, or unknown, is nobody's neighbour
        rows = smallest(far, count)
        return rows[far[rows] < np.inf]

    def add_impressions(
        self, item_ids: Iterable[int], time_ms: int, user_id: int = -1, facts: Facts | None = None
    ) -> None:
        """Count an impression of each, by a visitor if that is known; see ``clicked``."""
        self._count("impressions", "first_shown_ms", item_ids, time_ms, user_id, facts)

    def clicked(self, item_ids: Iterable[int], time_ms: int, user_id: int = -1, facts: Facts | None = None) -> None:
        """Count a click on each, by a visitor if that is known.

        Args:
            facts: (n,) ``COUNTED_IDS`` of each when its page was made; without them those of now are read here, and
                what is not on sale is missing in the counts.
        """
        self._count("clicks", "first_click_ms", item_ids, time_ms, user_id, facts)

    def _count(
        self, counter: str, first: str, item_ids: Iterable[int], time_ms: int, user_id: int, facts: Facts | None
    ) -> None:
        with self.lock:
            item_ids = list(item_ids)
            rows = self.rows(item_ids)
            ids = facts or {name: self._columns[name][rows] for name in COUNTED_IDS}
            visitors = np.full(len(ids["item_id"]), user_id)
            self.counts.add({**ids, "user_id": visitors}, time_ms, counter == "clicks")
            for item_id in item_ids:
                row = self._rows.get(item_id)
                if row is not None:
                    self._columns[counter][row] += 1
                    if self._columns[first][row] == NEVER:
                        self._columns[first][row] = time_ms

    def _new_row(self, item_id: int) -> int:
        if len(self._free) > REST:
            row = self._free.popleft()
        else:
            if self._used == len(self._alive):
                self._grow()
            row, self._used = self._used, self._used + 1
        self._rows[item_id] = row
        return row

    def _grow(self) -> None:
        more = len(self._alive)
        self._columns = {n: np.concatenate([c, np.zeros(more, c.dtype)]) for n, c in self._columns.items()}
        none = np.zeros((more, self.content_size), np.float32)
        self._content = np.concatenate([self._content, none])
        self._directions = np.concatenate([self._directions, none])
        self._alive = np.concatenate([self._alive, np.zeros(more, np.bool_)])


def smoothed_rate(catalog: Catalog, rows: np.ndarray) -> np.ndarray:
    """(n,) clicks over impressions, drawn to the mean of all live things where impressions are few."""
    live = catalog.live()
    impressions, clicks = catalog.get("impressions", live).sum(), catalog.get("clicks", live).sum()
    mean = (clicks + 1.0) / (impressions + PRIOR)
    return (catalog.get("clicks", rows) + PRIOR * mean) / (catalog.get("impressions", rows) + PRIOR)


def smallest(keys: np.ndarray, count: int) -> np.ndarray:
    """Places of the ``count`` smallest keys, the smallest first."""
    first = np.argpartition(keys, count)[:count] if len(keys) > count else np.arange(len(keys))
    return first[np.argsort(keys[first], kind="stable")]


def distinct(rows: np.ndarray) -> np.ndarray:
    """The rows of the catalogue among (n,) rows, each once, ascending; for small numbers faster than ``np.unique``."""
    return np.flatnonzero(np.bincount(rows)) if len(rows) else rows


def among(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) which of the rows of the catalogue are among the others."""
    if not len(rows) or not len(others):
        return np.zeros(len(rows), np.bool_)
    there = np.zeros(max(int(rows.max()), int(others.max())) + 1, np.bool_)
    there[others] = True
    return there[rows]
