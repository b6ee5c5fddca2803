"""Made-up items on sale. Shared by the tests."""

from __future__ import annotations

import numpy as np

from recommend.cascade.catalog import Item
from recommend.cascade.request import Moment

HOUR = 3_600_000
NOW = Moment(20 * 24 * HOUR + 13 * HOUR)
SIZE = 16


def item(item_id: int, **changes) -> Item:
    rng = np.random.default_rng(item_id)
    values = {"item_id": item_id, "seller_id": item_id % 50, "category": item_id % 6, "condition": 1, "price": 20.0,
              "price_bucket": 4, "stock": 1, "single": True, "listed_ms": NOW.time_ms - item_id * 60_000,
              "content": rng.normal(size=SIZE).astype(np.float32), "bid": 0.3 if item_id % 5 == 0 else 0.0}  # fmt: skip
    return Item(**{**values, **changes})
