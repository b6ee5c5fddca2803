"""Neighbours of an item: image search and text search, fused by rank, filtered by the leakage rules."""

from __future__ import annotations

from collections.abc import Sequence

from rag_index.index import ListingIndex
from rag_index.records import Neighbour
from rag_index.rules import Query, Rules
from rag_index.search import Filter
from rag_index.storage.rows import chunks

RANK_CONSTANT = 60  # Cormack, Clarke and Buettcher 2009
POOL = 50  # listings that each search contributes
_STRICT = Rules()


def fuse(rankings: Sequence[Sequence[str]], constant: int = RANK_CONSTANT) -> dict[str, float]:
    """Reciprocal rank fusion: id -> sum over rankings of 1 / (constant + rank), as a share of the best possible sum.

    Each ranking holds ids, best first. The result is ordered by score, then by id.
    """
    sums: dict[str, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(ranking, 1):
            sums[name] = sums.get(name, 0.0) + 1.0 / (constant + rank)
    best = sum(1 for ranking in rankings if ranking) / (constant + 1)
    return {name: value / best for name, value in sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))}


def retrieve(index: ListingIndex, query: Query, limit: int = 8, rules: Rules = _STRICT) -> list[Neighbour]:
    """Up to ``limit`` neighbours, best first; fewer when the rules or the category leave no more. IndexUnreachable."""
    filter_by = Filter(
        category=query.category,
        without_listings=frozenset({query.listing_id} if rules.same_item and query.listing_id else ()),
        without_sellers=frozenset({query.seller_id} if rules.same_seller and query.seller_id else ()),
    )
    pool = max(POOL, 2 * limit)
    by_image = {h.listing_id: h for h in index.search_images(query.image_vectors, pool, filter_by, 2 * limit)}
    by_text = {}
    if query.text_vector is not None:
        by_text = {h.listing_id: h for h in index.search_text(query.text_vector, pool, filter_by, 2 * limit)}
    fused = fuse([list(by_image), list(by_text)])
    neighbours: list[Neighbour] = []
    for group in chunks(fused, 2 * limit):
        records = index.fetch([by_image.get(name) or by_text[name] for name in group])
        for name in group:
            record, image, text = records.get(name), by_image.get(name), by_text.get(name)
            cosine = image.cosine if image else None
            if record is not None and rules.violation(query, record, cosine) is None:
                neighbours.append(Neighbour(record, fused[name], cosine, text.cosine if text else None))
        if len(neighbours) >= limit:
            break
    return neighbours[:limit]
