"""What the ranking stage considered, kept for the log: items as they came, candidates of a share of the pages.

A candidate that nobody saw teaches nobody what is clicked, but a pre-ranking model learns from it what the ranking
stage thinks (COPR). Without a ranking model there is nothing to learn, and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.feed.items import rounded
from app.store.tables import FeedCandidatesRow, FeedItemRow
from recommend.cascade.catalog import Item
from recommend.cascade.page import Slate

PART = 500
INSERTS: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def note_items(session: Session, items: Iterable[Item]) -> None:
    """Write items down as they came; of one that is known only a content vector that was missing is added."""
    by_id = {item.item_id: item for item in items}
    ids = sorted(by_id)
    insert = INSERTS[session.get_bind().dialect.name](FeedItemRow)
    for start in range(0, len(ids), PART):
        part = ids[start : start + PART]
        known = {row.item_id: row for row in session.scalars(select(FeedItemRow).where(FeedItemRow.item_id.in_(part)))}
        new = [{"item_id": i, "known": _facts(by_id[i])} for i in part if i not in known]
        if new:  # another server may do the same at this moment
            session.execute(insert.on_conflict_do_nothing(), new)
        for item_id, row in known.items():
            content = _facts(by_id[item_id])["content"]
            if any(content) and not any(row.known["content"]):
                row.known = {**row.known, "content": content}
    session.flush()


def note_candidates(session: Session, page_id: str, slate: Slate) -> None:
    """Write down what was considered for a page, unless no model ranked it."""
    if "ranking" in slate.degraded:
        return
    ranked = slate.ranked
    columns = {
        "item_id": ranked.item_id.tolist(),
        "policy": [str(name) for name in ranked.policy],
        "pctr": np.round(ranked.pctr.astype(np.float64), 6).tolist(),
        "bid": np.round(ranked.bid.astype(np.float64), 4).tolist(),
        "rank": ranked.rank.tolist(),
        "shown": ranked.shown.tolist(),
    }
    session.add(FeedCandidatesRow(page_id=page_id, columns=columns))


def _facts(item: Item) -> dict[str, Any]:
    names = ("seller_id", "category", "condition", "price", "price_bucket", "stock", "single", "listed_ms")
    return {**{name: getattr(item, name) for name in names}, "content": rounded(item.content)}
