"""What was seen in the feed within a window of time and what came of it, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import ColumnElement, exists, select

from app.store.db import Store
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow, OrderRow, now

SPANS = {
    "1h": (timedelta(hours=1), "last hour"),
    "24h": (timedelta(hours=24), "last 24 hours"),
    "7d": (timedelta(days=7), "last 7 days"),
    "14d": (timedelta(days=14), "last 14 days"),
}
USUAL = "24h"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """A stretch of time that ends at ``until``; ``past``: that is not the moment at which it is looked at."""

    name: str
    until: datetime
    past: bool = False

    @property
    def since(self) -> datetime:
        """Its beginning."""
        return self.until - SPANS[self.name][0]

    @property
    def words(self) -> str:
        """For people."""
        return SPANS[self.name][1]

    def yesterday(self) -> Window:
        """The same stretch a day earlier."""
        return Window(self.name, self.until - DAY, past=True)


def window(name: str = USUAL, until: datetime | None = None) -> Window:
    """The window of that name, up to now; the usual one for a name that there is not."""
    return Window(name if name in SPANS else USUAL, until or now())


@dataclass(frozen=True)
class Impressions:
    """(n,) seen rows of a window, as arrays. ``by``: what scored the page, by role; ``ad``: the row was paid for."""

    visitor: np.ndarray
    pctr: np.ndarray
    click: np.ndarray
    ad: np.ndarray
    by: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.visitor)

    def scored(self, role: str, model: str) -> np.ndarray:
        """(n,) whether this model scored the row in that role; ads have a role of their own."""
        return np.asarray((self.by[role] == model) & (self.ad == (role == "ads")))


def clicked() -> ColumnElement[bool]:
    """Of a ``FeedRow``: it was clicked, or bought, which is a click as well."""
    event = exists().where(FeedEventRow.row_id == FeedRow.id, FeedEventRow.kind == "click").correlate(FeedRow)
    return event | FeedRow.id.in_(select(OrderRow.row_id).where(OrderRow.row_id.is_not(None)))


def impressions(store: Store, over: Window, roles: Sequence[str]) -> Impressions:
    """What was seen on the pages of a window, and what came of it."""
    # Values, not whole documents: what is written down of a row is long.
    columns = (
        FeedPageRow.visitor,
        FeedRow.scores["pctr"].as_float(),
        clicked(),
        FeedRow.reason,
        *(FeedPageRow.models[role].as_string() for role in roles),
    )
    query = (
        select(*columns)
        .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
        .where(FeedPageRow.at >= over.since, FeedPageRow.at <= over.until, FeedRow.seen_at.is_not(None))
        .order_by(FeedPageRow.at, FeedRow.id)
    )
    with store.read() as session:
        rows = session.execute(query).all()
    visitor, pctr, click, reason, *by = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return Impressions(
        visitor=np.array(visitor, dtype=np.int64),
        pctr=np.array(pctr, dtype=np.float64),
        click=np.array(click, dtype=bool),
        ad=np.array([r == "ad" for r in reason], dtype=bool),
        by={role: np.array(names, dtype=str) for role, names in zip(roles, by, strict=True)},
    )
