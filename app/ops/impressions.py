"""What was seen in the feed in the last days and what came of it, as arrays; shares with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from scipy import stats
from sqlalchemy import select

from app.store.db import Store
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow, OrderRow, now

DAYS = 14


@dataclass(frozen=True)
class Impressions:
    """Seen rows of the last days, as arrays."""

    day: np.ndarray  # ISO dates
    visitor: np.ndarray
    single: np.ndarray
    pctr: np.ndarray
    click: np.ndarray

    def __len__(self) -> int:
        return len(self.day)


def impressions(store: Store, days: int = DAYS) -> Impressions:
    """What was seen in the last days, and what came of it."""
    since = now() - timedelta(days=days)
    with store.read() as session:
        # Columns, not objects: the known side of a row is long, and only its stock type is needed.
        query = (
            select(
                FeedRow.id, FeedRow.scores, FeedPageRow.at, FeedPageRow.visitor, FeedRow.known["single"].as_boolean()
            )
            .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
            .where(FeedPageRow.at >= since, FeedRow.seen_at.is_not(None))
            .order_by(FeedRow.id)
        )
        rows = session.execute(query).all()
        clicked = set(session.scalars(select(FeedEventRow.row_id).where(FeedEventRow.kind == "click")))
        ordered = set(session.scalars(select(OrderRow.row_id).where(OrderRow.row_id.is_not(None))))
    number, scores, at, visitor, single = zip(*rows, strict=True) if rows else ((),) * 5
    return Impressions(
        day=np.array([t.date().isoformat() for t in at], dtype=str),
        visitor=np.array(visitor, dtype=np.int64),
        single=np.array(single, dtype=bool),
        pctr=np.array([float(s["pctr"]) for s in scores], dtype=np.float64),
        click=np.array([n in clicked or n in ordered for n in number], dtype=bool),
    )


def wilson(hits: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share; (0, 1) when nothing was observed."""
    if not of:
        return 0.0, 1.0
    interval = stats.binomtest(int(hits), int(of)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def share(hits: int, of: int) -> str:
    """A share with its interval, for people."""
    if not of:
        return "-"
    low, high = wilson(hits, of)
    return f"{100 * hits / of:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
