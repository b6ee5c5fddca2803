"""Retrieval: what is new, what is like the visitor's past, its categories, what is popular, what nobody has seen.

Each source names rows of the catalogue; a thing may come from several, and the trace keeps all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import numpy as np
from usearch.index import Index

from recommend.cascade.catalog import Catalog, among, distinct, smallest, smoothed_rate
from recommend.cascade.page import Exposure, FeedConfig, PageState
from recommend.cascade.request import HOUR_MS
from recommend.cascade.visitors import Visitor

EXACT = 100_000  # live things up to which one product with all of them is faster than walking the index
Source = Callable[[Visitor, int, int], np.ndarray]  # visitor, moment in ms, how many -> rows


class Retrieve:
    """Candidates from all sources, the newest first among equals."""

    name = "sources"

    def __init__(self, catalog: Catalog, sources: Sources, config: FeedConfig) -> None:
        self.catalog, self.sources, self.config = catalog, sources, config

    def __call__(self, page: PageState) -> None:
        """Fill ``page.sources``, ``page.usual`` and ``page.rows``."""
        config, time_ms = self.config, page.moment.time_ms
        page.sources = self.sources.find(page.visitor, time_ms, config.candidates)
        page.usual = joined(page.sources)
        if config.exposure.share * config.exposure.beyond > 0:
            page.sources["unseen"] = self.sources.unseen(time_ms, config.exposure, config.ranked // 10)
        rows = distinct(joined(page.sources))
        page.rows = rows[np.argsort(-self.catalog.get("listed_ms", rows), kind="stable")]


def joined(sources: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows of all sources, one after the other."""
    return np.concatenate(list(sources.values())) if sources else np.empty(0, np.int64)


class Neighbours:
    """Approximate nearest neighbours of content vectors (usearch, HNSW, cosine), kept in step with the catalogue."""

    def __init__(self, size: int) -> None:
        self._index = Index(ndim=size, metric="cos", dtype="f32")
        self._lock = threading.Lock()  # changes one at a time; searching runs beside them

    def put(self, item_ids: np.ndarray, content: np.ndarray) -> None:
        """Add things (n,), each once, or change their vectors (n, size)."""
        if not len(item_ids):
            return
        with self._lock:
            here = item_ids[self._index.contains(item_ids)]
            if len(here):
                self._index.remove(here)
            self._index.add(item_ids, content.astype(np.float32))

    def remove(self, item_id: int) -> None:
        """Forget a thing."""
        with self._lock:
            if item_id in self._index:
                self._index.remove(item_id)

    def find(self, vector: np.ndarray, count: int) -> list[int]:
        """Ids of the ``count`` nearest things, nearest first; fewer when there are fewer."""
        if not len(self._index):
            return []
        matches = self._index.search(vector.astype(np.float32), min(count, len(self._index)))
        return np.asarray(matches.keys).astype(np.int64).tolist()


class Sources:
    """The sources by name, each with its share of the candidates."""

    def __init__(self, catalog: Catalog, neighbours: Neighbours, shares: Mapping[str, float]) -> None:
        self.catalog, self.neighbours = catalog, neighbours
        self._sources: dict[str, Source] = {
            "new": self._new,
            "content": self._content,
            "category": self._category,
            "popular": self._popular,
        }
        unknown = sorted(set(shares) - set(self._sources))
        if unknown:
            raise ValueError(f"there is no source '{unknown[0]}'; there are {', '.join(self._sources)}.")
        self.shares = dict(shares)
        self._views: dict[str, tuple[int, np.ndarray]] = {}
        none = np.empty(0, np.int64)
        self._categories = (none, none, none)  # a view, the categories in it, and which of them each row has

    def find(self, visitor: Visitor, time_ms: int, count: int) -> dict[str, np.ndarray]:
        """Rows by source, about ``count`` in all; what a source cannot fill is filled with the newest things."""
        total = sum(self.shares.values())
        sources: dict[str, np.ndarray] = {}
        for name, share in self.shares.items():
            rows = self._sources[name](visitor, time_ms, round(count * share / total))
            sources[name] = rows[self.catalog.on_sale(rows)] if len(rows) else rows
        distinct_rows = distinct(joined(sources))
        if len(distinct_rows) < count:
            newest = self._new(visitor, time_ms, count)
            more = newest[~among(newest, distinct_rows)][: count - len(distinct_rows)]
            sources["new"] = np.concatenate([sources.get("new", np.empty(0, np.int64)), more])
        return sources

    def unseen(self, time_ms: int, rules: Exposure, count: int) -> np.ndarray:
        """Rows of new things, whoever the visitor is: the least shown first, of these the oldest, which are stale
        next."""
        rows = self._newest()
        young = np.searchsorted(-self.catalog.get("listed_ms", rows), rules.young_h * HOUR_MS - time_ms)
        rows = rows[:young]
        listed, impressions = self.catalog.get("listed_ms", rows), self.catalog.get("impressions", rows)
        fresh = (impressions < rules.enough) & self.catalog.on_sale(rows)
        rows, listed, impressions = rows[fresh], listed[fresh], impressions[fresh]
        if not len(rows):
            return rows
        key = impressions.astype(np.int64) << 42 | listed - listed.min()  # 42 bits of milliseconds are a century
        return rows[smallest(key, count)]

    def _new(self, visitor: Visitor, time_ms: int, count: int) -> np.ndarray:
        return self._newest()[:count]

    def _popular(self, visitor: Visitor, time_ms: int, count: int) -> np.ndarray:
        return self._view("popular", lambda rows: -smoothed_rate(self.catalog, rows), every=50)[:count]

    def _content(self, visitor: Visitor, time_ms: int, count: int) -> np.ndarray:
        taste = visitor.taste()
        if taste is None:
            return np.empty(0, np.int64)
        if len(self.catalog) <= EXACT:
            return self.catalog.nearest(taste, count)
        return self.catalog.rows(self.neighbours.find(taste, count))

    def _category(self, visitor: Visitor, time_ms: int, count: int) -> np.ndarray:
        if not visitor.history:
            return np.empty(0, np.int64)
        categories = {past.category for past in visitor.history}
        rows = self._newest()
        if self._categories[0] is not rows:
            self._categories = (rows, *np.unique(self.catalog.get("category", rows), return_inverse=True))
        rows, names, of = self._categories
        return rows[np.isin(names, list(categories))[of]][:count]

    def _newest(self) -> np.ndarray:
        return self._view("new", lambda rows: -self.catalog.get("listed_ms", rows))

    def _view(self, name: str, key: Callable[[np.ndarray], np.ndarray], every: int = 1) -> np.ndarray:
        """Live rows in an order that is made anew when the catalogue has changed ``every`` times."""
        version, order = self._views.get(name, (-every, np.empty(0, np.int64)))
        if self.catalog.version - version >= every or not len(order):
            version = self.catalog.version
            rows = self.catalog.live()
            order = rows[np.argsort(key(rows), kind="stable")]
            self._views[name] = (version, order)
        return order
