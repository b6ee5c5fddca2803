"""A price range from comparable past listings that carry real prices, or none."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag_index.records import IndexRecord

if TYPE_CHECKING:
    from rag_index.records import Neighbour

MIN_SUPPORT = 5
LEAST_AGREEMENT = 0.5
_OUTLIER = 3.0  # in robust standard deviations of the price's logarithm
_LEAST_SPREAD = 0.1  # of that logarithm, so that five equal prices do not make every other one an outlier


@dataclass(frozen=True)
class PriceBasis:
    """``low``, ``mid``, ``high`` are the quartiles of the comparables' prices; ``listing_ids`` are the comparables."""

    low: float
    mid: float
    high: float
    currency: str
    listing_ids: tuple[str, ...]
    sold_only: bool


def price_range(
    neighbours: Sequence[Neighbour], category: str, facts: Mapping[str, str], currency: str | None = None
) -> PriceBasis | None:
    """Quartiles over comparables: same category, at least half of the shared facts equal, a price somebody asked.

    Sold listings alone when there are enough of them, else sold and listed ones. Sample and simulated listings never
    count. None when fewer than ``MIN_SUPPORT`` remain.

    Args:
        facts: supported facts of the item, by attribute.
        currency: only prices in it; None takes the most frequent one.
    """
    records = [n.record for n in neighbours if n.record.origin == "user" and n.record.category == category]
    priced = [r for r in records if r.currency and r.price is not None and math.isfinite(r.price) and r.price > 0]
    usable = [r for r in priced if _agreement(r.attributes, facts) >= LEAST_AGREEMENT]
    if currency is None:
        currency = next((name for name, _ in Counter(r.currency for r in usable).most_common(1)), None)
    usable = [r for r in usable if r.currency == currency]
    for sold_only in (True, False):
        typical = _without_outliers([r for r in usable if r.sold or not sold_only])
        if currency is not None and len(typical) >= MIN_SUPPORT:
            low, mid, high = statistics.quantiles([float(r.price or 0) for r in typical], n=4, method="inclusive")
            ids = tuple(r.listing_id for r in typical)
            return PriceBasis(round(low, 2), round(mid, 2), round(high, 2), currency, ids, sold_only)
    return None


def _agreement(theirs: Mapping[str, str], ours: Mapping[str, str]) -> float:
    shared = theirs.keys() & ours.keys()
    return sum(theirs[name] == ours[name] for name in shared) / len(shared) if shared else 1.0


def _without_outliers(records: list[IndexRecord]) -> list[IndexRecord]:
    if len(records) < MIN_SUPPORT:
        return records
    logs = [math.log(r.price or 1) for r in records]
    middle = statistics.median(logs)
    spread = max(_LEAST_SPREAD, 1.4826 * statistics.median(abs(x - middle) for x in logs))
    return [r for r, x in zip(records, logs, strict=True) if abs(x - middle) <= _OUTLIER * spread]
