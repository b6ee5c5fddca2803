"""What a market brought: sales, new listings, sellers, buyers, cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from recommend.research.market.play import Record
from recommend.research.market.town import Town
from recommend.simulation.config import DAY_MS

DAILY = "sold_by_day"
FIRST_SHOWN, WITHIN_DAYS = 20, 3
MEASURES = {
    "pieces": "pieces sold",
    "singles": "single pieces sold",
    "value": "value sold",
    "money": "money: value that was not sent back, and what ads paid",
    "ads": "of this, what ads paid",
    "sell_through": "of things listed in the days, share sold",
    "days_to_sale": "days until these sold, median",
    "first_shown": f"of new things, share seen {FIRST_SHOWN} times within a day",
    "first_click": f"of new things, share clicked within {WITHIN_DAYS} days",
    "gini": "Gini of impressions over sellers",
    "clicks_page": "clicks a page",
    "post_clicks": "clicks on posts a hundred pages",
    "regret": "share of the best page's expected clicks that is missed",
    "refunds": "refunds a hundred orders",
    "cpu_ms": "CPU milliseconds a page, training included",
}


def measured(town: Town, record: Record) -> dict[str, Any]:
    """Every measure of a player's days; None where nothing tells it."""
    start, end = town.rules.before * DAY_MS, town.days * DAY_MS
    listed = town.listed_ms
    new = np.flatnonzero((listed >= start) & (listed < end))
    times, things = (np.array([row[n] for row in record.sold], np.int64) for n in (0, 1))
    back = [came for *_, came in record.sold]
    first_sale = dict(zip(things[::-1].tolist(), times[::-1].tolist(), strict=True))
    waits = [(first_sale[n] - listed[n]) / DAY_MS for n in new.tolist() if n in first_sale]
    day_old = new[listed[new] < end - DAY_MS].tolist()
    older = new[listed[new] < end - WITHIN_DAYS * DAY_MS].tolist()
    seen = [sum(t < listed[n] + DAY_MS for t in record.shown.get(n, [])) >= FIRST_SHOWN for n in day_old]
    clicked = [record.first.get(n, end) < listed[n] + WITHIN_DAYS * DAY_MS for n in older]
    of_seller = np.zeros(int(town.offers.seller.max()) + 1)
    for n, at in record.shown.items():
        of_seller[town.offers.seller[n]] += len(at)
    sold_day = (times - start) // DAY_MS
    return {
        "pieces": len(things),
        "singles": int((town.pieces[things] == 1).sum()),
        "value": float(sum(price for _, _, price, _ in record.sold)),
        "money": sum(price for _, _, price, came in record.sold if not came) + record.revenue,
        "ads": record.revenue,
        "sell_through": len(waits) / len(new),
        "days_to_sale": float(np.median(waits)) if waits else None,
        "first_shown": float(np.mean(seen)) if seen else None,
        "first_click": float(np.mean(clicked)) if clicked else None,
        "gini": gini(of_seller),
        "clicks_page": record.clicks / max(record.pages, 1),
        "post_clicks": 100 * record.post_clicks / max(record.pages, 1),
        "regret": float(np.mean(record.regret)) if record.regret else None,
        "refunds": 100 * float(np.mean(back)) if len(things) else None,
        "cpu_ms": 1000 * record.cpu_s / max(record.pages, 1),
        "training_share": record.training_s / max(record.cpu_s, 1e-9),
        "pages": record.pages,
        DAILY: np.cumsum(np.bincount(sold_day, minlength=town.rules.days)[: town.rules.days]).tolist(),
    }


def gini(values: np.ndarray) -> float:
    """0 where all are equal, towards 1 where one has everything."""
    ordered, n = np.sort(values), len(values)
    return (
        float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * ordered.sum()) - (n + 1) / n) if ordered.sum() else 0.0
    )
