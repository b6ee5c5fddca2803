"""What was seen in the feed within a window of time and what came of it, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import ColumnElement, exists, select

from app.store.db import Store
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow, OrderRow, now


@dataclass(frozen=True)
class Window:
    """A stretch of time that ends at ``until``, which is when it was looked at."""

    name: str
    span: timedelta
    until: datetime

    @property
    def since(self) -> datetime:
        """Its beginning."""
        return self.until - self.span

    @property
    def words(self) -> str:
        """For people."""
        return SPANS[self.name][1]


SPANS = {
    "1h": (timedelta(hours=1), "last hour"),
    "24h": (timedelta(hours=24), "last 24 hours"),
    "7d": (timedelta(days=7), "last 7 days"),
    "14d": (timedelta(days=14), "last 14 days"),
}
USUAL = "24h"


def window(name: str = USUAL, until: datetime | None = None) -> Window:
    """The window of that name, up to now; the usual one for a name that there is not."""
    name = name if name in SPANS else USUAL
    return Window(name, SPANS[name][0], until or now())


@dataclass(frozen=True)
class Impressions:
    """(n,) seen rows of a window, as arrays. ``model``: what ranked the page; ``ad``: the row was paid for."""

    day: np.ndarray  # ISO dates
    visitor: np.ndarray
    single: np.ndarray
    pctr: np.ndarray
    click: np.ndarray
    model: np.ndarray
    ad: np.ndarray

    def __len__(self) -> int:
        return len(self.day)

    def where(self, which: np.ndarray) -> Impressions:
        """Some of the rows; ``which``: (n,) bool."""
        return Impressions(**{name: values[which] for name, values in vars(self).items()})

    def ranked_by(self, model: str) -> Impressions:
        """Rows that this model ranked; ads, which have a model of their own, are left out."""
        return self.where((self.model == model) & ~self.ad)


def clicked() -> ColumnElement[bool]:
    """Of a ``FeedRow``: it was clicked, or bought, which is a click as well."""
    event = exists().where(FeedEventRow.row_id == FeedRow.id, FeedEventRow.kind == "click").correlate(FeedRow)
    return event | FeedRow.id.in_(select(OrderRow.row_id).where(OrderRow.row_id.is_not(None)))


def impressions(store: Store, over: Window) -> Impressions:
    """What was seen on the pages of a window, and what came of it."""
    with store.read() as session:
        # Values, not whole documents: the known side of a row is long.
        query = (
            select(
                FeedRow.scores["pctr"].as_float(),
                FeedPageRow.at,
                FeedPageRow.visitor,
                FeedRow.known["single"].as_boolean(),
                FeedPageRow.models["ranking"].as_string(),
                FeedRow.reason,
                clicked(),
            )
            .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
            .where(FeedPageRow.at >= over.since, FeedRow.seen_at.is_not(None))
            .order_by(FeedRow.id)
        )
        rows = session.execute(query).all()
    pctr, at, visitor, single, model, reason, click = zip(*rows, strict=True) if rows else ((),) * 7
    return Impressions(
        day=np.array([t.date().isoformat() for t in at], dtype=str),
        visitor=np.array(visitor, dtype=np.int64),
        single=np.array(single, dtype=bool),
        pctr=np.array(pctr, dtype=np.float64),
        click=np.array(click, dtype=bool),
        model=np.array(model, dtype=str),
        ad=np.array([r == "ad" for r in reason], dtype=bool),
    )
