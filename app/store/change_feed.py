"""The sequence of the listings' changes: how a server learns of what another one did on the same store.

Whoever changes a listing appends its id in the same transaction. Each server reads on from where it stood. In
PostgreSQL a number that was drawn first may be committed last, so that for a while a server also looks for numbers that
it has passed already.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.store.db import Store, count_of
from app.store.tables import ChangeRow, now

SETTLED_S = 60.0  # no transaction takes longer than that between drawing its number and its end
AT_ONCE = 1_000
RETENTION = timedelta(days=1)  # a server that starts reads the listings themselves


class Changes:
    """One server's place in the sequence; for one thread at a time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._passed = 0  # everything up to here is known
        self._recent: dict[int, float] = {}  # numbers after it that are known, and since when

    def start(self) -> None:
        """Stand at the end. Call it before the listings are read, so that nothing falls in between."""
        with self.store.read() as session:
            settled = select(func.max(ChangeRow.id)).where(ChangeRow.at < now() - timedelta(seconds=SETTLED_S))
            self._passed, self._recent = session.scalar(settled) or 0, {}

    def news(self, session: Session) -> dict[int, str]:
        """Numbers that are not known yet, with their listings; the oldest first, not more than ``AT_ONCE``."""
        query = select(ChangeRow.id, ChangeRow.listing_id).where(ChangeRow.id > self._passed).order_by(ChangeRow.id)
        fresh = [(n, listing) for n, listing in session.execute(query) if n not in self._recent]
        return dict(fresh[:AT_ONCE])

    def mark(self, numbers: Iterable[int]) -> None:
        """These have been taken in."""
        at = time.monotonic()
        self._recent.update(dict.fromkeys(numbers, at))
        for number in sorted(self._recent):
            if self._recent[number] > at - SETTLED_S:
                break
            self._passed = number
            del self._recent[number]

    def forget(self) -> int:
        """Delete what every server has seen long ago; returns how many."""
        with self.store.write() as session:
            return count_of(session, delete(ChangeRow).where(ChangeRow.at < now() - RETENTION))
