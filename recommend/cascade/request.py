"""One request as the raw columns that the models' encoders read: a visitor, a moment, and some things on sale.

The columns are those of an impression that are known at the request (``recommend/data/schema.py``), so that what serves
is what was trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from recommend.cascade.catalog import Catalog
from recommend.cascade.visitors import Visitor
from recommend.data.ragged import Column, Repeated, tensor_of
from recommend.data.schema import CHANNELS

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
IDS = ("item_id", "seller_id", "category", "condition", "price_bucket", "stock")
FEED, ADS, VIDEO = (CHANNELS.index(name) for name in ("feed", "ads", "video"))  # posts are the video channel


@dataclass(frozen=True)
class Moment:
    """When a request comes. ``time_ms`` counts from the log's own start, as everywhere in the log."""

    time_ms: int
    promotion: int = 0
    days_to_promotion: int = 0

    @property
    def hour(self) -> int:
        return self.time_ms // HOUR_MS % 24

    @property
    def day(self) -> int:
        return self.time_ms // DAY_MS


def columns(
    catalog: Catalog, rows: np.ndarray, visitor: Visitor, moment: Moment, channel: int | np.ndarray
) -> dict[str, Column]:
    """Raw columns of ``len(rows)`` candidates for one visitor.

    Args:
        rows: (n,) rows of the catalogue.
        channel: code of ``CHANNELS``, of all or (n,) of each.
    """
    count = len(rows)
    out: dict[str, Column] = {n: torch.from_numpy(catalog.get(n, rows).astype(np.int64)) for n in IDS}
    out["single"] = torch.from_numpy(catalog.get("single", rows))
    out["price"] = torch.from_numpy(catalog.get("price", rows))
    age = (moment.time_ms - catalog.get("listed_ms", rows)) / HOUR_MS
    out["item_age_h"] = torch.from_numpy(np.maximum(age, 0).astype(np.float32))
    out["content"] = torch.from_numpy(catalog.content(rows))
    same = {
        "user_id": visitor.user_id,
        "hour": moment.hour,
        "day": moment.day,
        "time_ms": moment.time_ms,
        "promotion": moment.promotion,
        "days_to_promotion": moment.days_to_promotion,
        "entity": 0,
        "post_id": -1,
    }
    out.update({name: torch.full((count,), value, dtype=torch.int64) for name, value in same.items()})
    channels = torch.from_numpy(np.full(count, channel))
    out |= {"channel": channels, "is_ad": channels.eq(ADS).to(torch.int64)}
    asked = {name: tensor_of(out[name]) for f in catalog.counts.features for name in f.inputs}
    out |= catalog.counts(asked, moment.time_ms)
    return {**out, **histories(visitor, moment, count, catalog.content_size)}


def histories(visitor: Visitor, moment: Moment, count: int, content: int) -> dict[str, Column]:
    """The visitor's clicks as ragged columns, the same for each of ``count`` rows."""
    past = list(visitor.history)
    values = {
        "history_item": torch.tensor([p.item_id for p in past], dtype=torch.int64),
        "history_category": torch.tensor([p.category for p in past], dtype=torch.int64),
        "history_single": torch.tensor([int(p.single) for p in past], dtype=torch.int64),
        "history_age_h": torch.tensor([(moment.time_ms - p.time_ms) / HOUR_MS for p in past], dtype=torch.float32),
        "history_content": torch.from_numpy(stacked([p.content for p in past], content)),
    }
    values["history_post"] = torch.tensor([p.post_id for p in visitor.posts], dtype=torch.int64)
    return {name: Repeated(v, count) for name, v in values.items()}


def stacked(vectors: list[np.ndarray], size: int) -> np.ndarray:
    """(n, size) of n vectors; for many short ones faster than ``np.stack``."""
    return np.concatenate(vectors).reshape(-1, size) if vectors else np.zeros((0, size), np.float32)
