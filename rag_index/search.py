"""Nearest listings of one collection, filtered by category, seller and listing without paying for it.

A ``where`` filter makes Chroma collect every matching id from its metadata table before it looks at a vector: slow for
a large category. So the plain nearest rows are fetched first, ids and distances only, and filtered by what their ids
say. Only when too few are left (a category far from the photo, hence seldom a large one) is ``where`` used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rag_index.storage.rows import RowKey

OVERFETCH = 4
LEAST_FETCH = 100
WIDE_FETCH = 1_000


@dataclass(frozen=True)
class Filter:
    """Conditions on the hits of a search. Empty means everything."""

    category: str | None = None
    without_sellers: frozenset[str] = frozenset()
    without_listings: frozenset[str] = frozenset()

    def admits(self, key: RowKey) -> bool:
        return (
            (self.category is None or key.category == self.category)
            and key.seller_id not in self.without_sellers
            and key.listing_id not in self.without_listings
        )


@dataclass(frozen=True)
class Hit:
    """A listing and the cosine (-1..1) of its nearest photo or of its text; ``row_id`` is that row."""

    listing_id: str
    cosine: float
    row_id: str


def nearest(
    collection: Any, vectors: Sequence[Sequence[float]], limit: int, filter_by: Filter, enough: int | None = None
) -> list[Hit]:
    """Up to ``limit`` listings, nearest first; with several query vectors the best pair counts.

    Args:
        enough: with that many found, no slower way is tried to fill up to ``limit``; None means ``limit``.
    """
    enough = limit if enough is None else min(enough, limit)
    hits: list[Hit] = []
    for size, where in _plans(limit, filter_by):
        rows = collection.query(
            query_embeddings=[list(v) for v in vectors], n_results=size, where=where, include=["distances"]
        )
        hits = _group(rows, filter_by)
        exhausted = where is None and all(len(ids) < size for ids in rows["ids"])
        if len(hits) >= enough or exhausted:
            break
    return hits[:limit]


def _plans(limit: int, filter_by: Filter) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """(rows to fetch, ``where``) from cheap to thorough."""
    first = max(LEAST_FETCH, OVERFETCH * limit)
    where = {"category": filter_by.category} if filter_by.category is not None else None
    yield first, None
    if where is not None:
        yield first, where
    yield max(WIDE_FETCH, first), where
    if filter_by.without_sellers:  # sellers with very many listings can fill even that
        sellers = {"seller_id": {"$nin": sorted(filter_by.without_sellers)}}
        yield first, {"$and": [where, sellers]} if where else sellers


def _group(rows: Any, filter_by: Filter) -> list[Hit]:
    best: dict[str, Hit] = {}
    for ids, distances in zip(rows["ids"], rows["distances"], strict=True):
        for row_id, distance in zip(ids, distances, strict=True):
            key = RowKey.decode(row_id)
            if not filter_by.admits(key):
                continue
            cosine = 1.0 - float(distance)
            if key.listing_id not in best or cosine > best[key.listing_id].cosine:
                best[key.listing_id] = Hit(key.listing_id, cosine, row_id)
    return sorted(best.values(), key=lambda hit: (-hit.cosine, hit.listing_id))
