"""A price range from comparable past and current listings, as wide as they make it, or none."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from rag_index.rules import Query, Rules

if TYPE_CHECKING:
    from rag_index.index import ListingIndex
    from rag_index.records import IndexRecord

Scope = Literal["category and brand", "category", "group"]
MIN_SUPPORT = 3
MIN_OF_BRAND = 3
SOLD_WEIGHT = 2.0  # against 1 of a listing that nobody has bought yet
LOW, HIGH = 0.12, 0.88  # shares of the comparables' weight below the ends of the range
SHOWN = 12  # most comparables that are named
_OUTLIER = 3.0  # in robust standard deviations of the price's logarithm
_LEAST_SPREAD = 0.3  # of that logarithm, so that equal prices do not make every other one an outlier
_STRICT = Rules()


@dataclass(frozen=True)
class PriceBasis:
    """A range and what it rests on: ``count`` comparables that went on sale between ``oldest`` and ``newest``.

    ``listing_ids``: those to show, at most ``SHOWN``: the nearest by photo first, then sold ones, then the newest.
    """

    low: float
    mid: float
    high: float
    currency: str
    listing_ids: tuple[str, ...]
    count: int
    scope: Scope
    oldest: date | None = None
    newest: date | None = None


def comparable_prices(
    index: ListingIndex,
    query: Query,
    brand: str | None = None,
    group: Sequence[str] = (),
    nearest: Sequence[str] = (),
    currency: str | None = None,
) -> PriceBasis | None:
    """The range by the narrowest scope with enough priced listings; None where even the group has too few.

    What the leakage rules forbid counts for nothing: the seller's own listings, and those with the same photo.

    Args:
        query: the item, with its category.
        group: the categories of the category's group.
        nearest: ids of past listings that look like it, best first.
        currency: only prices in it; None takes the currency of most.
    """
    own = frozenset({query.seller_id} if query.seller_id else ())
    category = [query.category] if query.category else []
    scopes: list[tuple[Scope, Sequence[str], str | None, int]] = [("category", category, None, MIN_SUPPORT)]
    if brand:
        scopes.insert(0, ("category and brand", category, brand, MIN_OF_BRAND))
    scopes.append(("group", group, None, MIN_SUPPORT))
    for scope, categories, of_brand, least in scopes:
        records = index.priced(categories, of_brand, own)
        allowed = [r for r in records if _STRICT.violation(query, r, None) is None]
        if basis := price_range(allowed, scope, nearest, currency, least):
            return basis
    return None


def price_range(
    records: Sequence[IndexRecord],
    scope: Scope = "category",
    nearest: Sequence[str] = (),
    currency: str | None = None,
    min_support: int = MIN_SUPPORT,
) -> PriceBasis | None:
    """The range of the prices of ``records``, newest first, in one currency and without outliers; see ``PriceBasis``.

    None when fewer than ``min_support`` remain.
    """
    priced = [r for r in records if r.tells_prices]
    currency = currency or _commonest_currency(priced)
    typical = _without_outliers([r for r in priced if r.currency == currency])
    if currency is None or len(typical) < min_support:
        return None
    low, mid, high = (math.exp(x) for x in _quantiles(typical, (LOW, 0.5, HIGH)))
    place = {listing_id: n for n, listing_id in enumerate(nearest)}
    shown = sorted(typical, key=lambda r: (place.get(r.listing_id, len(place)), not r.sold))[:SHOWN]
    dates = sorted(r.listed_on for r in typical if r.listed_on is not None)
    return PriceBasis(
        low=_rounded(low, math.floor),
        mid=_rounded(mid, round),
        high=_rounded(high, math.ceil),
        currency=currency,
        listing_ids=tuple(r.listing_id for r in shown),
        count=len(typical),
        scope=scope,
        oldest=dates[0] if dates else None,
        newest=dates[-1] if dates else None,
    )


def _weight(record: IndexRecord) -> float:
    return SOLD_WEIGHT if record.sold else 1.0


def _log_price(record: IndexRecord) -> float:
    return math.log(record.price or 1)


def _commonest_currency(records: Sequence[IndexRecord]) -> str | None:
    weights: dict[str, float] = {}
    for record in records:
        weights[record.currency or ""] = weights.get(record.currency or "", 0.0) + _weight(record)
    return max(weights, key=lambda name: (weights[name], name), default=None)


def _without_outliers(records: list[IndexRecord]) -> list[IndexRecord]:
    if len(records) < MIN_SUPPORT:
        return records
    logs = [_log_price(r) for r in records]
    middle = statistics.median(logs)
    spread = max(_LEAST_SPREAD, 1.4826 * statistics.median(abs(x - middle) for x in logs))
    return [r for r, x in zip(records, logs, strict=True) if abs(x - middle) <= _OUTLIER * spread]


def _quantiles(records: Sequence[IndexRecord], shares: Sequence[float]) -> list[float]:
    """Quantiles of the logarithms of the prices, by weight.

    The i-th of n equal weights stands at i / (n + 1). So a new price lies between two quantiles as often as their
    shares say, also by few records, whose own prices the range then exceeds.
    """
    ordered = sorted((_log_price(r), _weight(r)) for r in records)
    total, mean = sum(w for _, w in ordered), sum(w for _, w in ordered) / len(ordered)
    points, below = list[tuple[float, float]](), 0.0
    for value, weight in ordered:
        points.append(((below + (weight + mean) / 2) / (total + mean), value))
        below += weight
    return [_between(points, share) for share in shares]


def _between(points: Sequence[tuple[float, float]], share: float) -> float:
    """The value at ``share`` on the line through the points, which goes on beyond the first and the last one."""
    after = next((i for i, (at, _) in enumerate(points) if at >= share), len(points) - 1)
    (x0, y0), (x1, y1) = points[max(after, 1) - 1], points[max(after, 1)]
    return y0 + (y1 - y0) * (share - x0) / (x1 - x0)


def _rounded(price: float, way: Callable[[float], float]) -> float:
    """The price in steps of about a twentieth, as people name prices."""
    step = 10.0 ** math.floor(math.log10(price)) / 20
    return round(way(round(price / step, 6)) * step, 2)
