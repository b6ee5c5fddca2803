"""Searches that buyers save, each with how many listings that fit it are new since it was last opened."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.market.search.conditions import Wish
from app.market.shop import Shop
from app.store.db import Store, alone_in
from app.store.draft_repo import new_id
from app.store.tables import SavedSearchRow
from app.views import AppError

MOST = 20  # of one person
COUNT_SECONDS = 60.0  # for so long a count is remembered
_REMEMBERED = 10_000  # counts
EMPTY = "There is nothing to save yet; search with words or a filter first."
FULL = f"You have {MOST} saved searches, and more cannot be kept; remove one, then save this one."
NOT_THERE = "There is no such saved search of yours."


@dataclass(frozen=True)
class SavedSearch:
    """A saved search. ``new``: how many listings that fit came on sale since it was last opened."""

    id: str
    wish: Wish
    new: int


class SavedSearches:
    """Saving, counting, opening, removing; each person has their own. Every method may be called from any thread."""

    def __init__(self, store: Store, shop: Shop) -> None:
        self.store = store
        self._count = lru_cache(_REMEMBERED)(lambda wish, since, owner, _: shop.count_new(wish, since, owner))

    def mine(self, owner: str) -> list[SavedSearch]:
        """The person's searches, the latest first."""
        with self.store.read() as session:
            rows = _rows(session, owner)
        return [self._counted(row) for row in rows]

    def get(self, owner: str, search_id: str) -> SavedSearch:
        """One of the person's searches; else AppError 404."""
        with self.store.read() as session:
            return self._counted(_row(session, owner, search_id))

    def save(self, owner: str, wish: Wish) -> SavedSearch:
        """Save a search, for which nothing is new yet; the same one again is the same.

        Raises:
            AppError: nothing is searched for (422), or the person has ``MOST`` already (409).
        """
        if wish == Wish():
            raise AppError("empty", EMPTY, 422)
        with self.store.write() as session:
            alone_in(session, SavedSearchRow)
            rows = _rows(session, owner)
            row = next((row for row in rows if _wish(row) == wish), None)
            if row is None:
                if len(rows) >= MOST:
                    raise AppError("too_many", FULL, 409)
                filled = {name: value for name, value in asdict(wish).items() if value not in ("", None, False)}
                row = SavedSearchRow(id=new_id(), owner=owner, wish={**filled, "off": sorted(wish.off)})
                session.add(row)
                session.flush()
        return self._counted(row)

    def opened(self, owner: str, search_id: str, at: datetime) -> None:
        """The person has seen what fitted ``at`` that time: it is not new any more."""
        with self.store.write() as session:
            row = _row(session, owner, search_id)
            row.opened_at = max(row.opened_at, at)

    def remove(self, owner: str, search_id: str) -> None:
        """Forget one of the person's searches; AppError 404 where there is none."""
        with self.store.write() as session:
            session.delete(_row(session, owner, search_id))

    def _counted(self, row: SavedSearchRow) -> SavedSearch:
        wish, minute = _wish(row), time.monotonic() // COUNT_SECONDS
        return SavedSearch(row.id, wish, self._count(wish, row.opened_at, row.owner, minute))


def _rows(session: Session, owner: str) -> Sequence[SavedSearchRow]:
    which = select(SavedSearchRow).where(SavedSearchRow.owner == owner)
    return session.scalars(which.order_by(SavedSearchRow.at.desc(), SavedSearchRow.id)).all()


def _row(session: Session, owner: str, search_id: str) -> SavedSearchRow:
    row = session.get(SavedSearchRow, search_id)
    if row is None or row.owner != owner:
        raise AppError("not_found", NOT_THERE, 404)
    return row


def _wish(row: SavedSearchRow) -> Wish:
    fields: dict[str, Any] = {**row.wish, "off": frozenset(row.wish.get("off", ()))}
    return Wish(**fields)
