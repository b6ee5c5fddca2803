"""What a server puts in order by itself: after a start whatever a crash left behind, and every hour what is too old.

The store is the truth; media folder, index and unfinished drafts are brought in line with it. What is too old goes by
``TrustedClock``; a photo's file only ever goes to the trash, and from there after its days.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.metrics import Metrics
from app.settings import Settings
from app.store import draft_repo, listing_repo
from app.store.db import UNSAVED, Store
from app.store.deletions import OF_PHOTOS, Deletions
from app.store.media import Media
from app.store.outbox import Outbox, forget_changes
from app.store.retention import TrustedClock, forget_behaviour
from app.store.search_index import SearchIndex
from app.store.tables import DraftRow, EventRow, PhotoRow, now
from app.views import INTERRUPTED, WRITING, AppError, DraftState, Problem

log = logging.getLogger(__name__)
STRAY_SECONDS = 3600.0
MOST_RESUMED = 2  # times that an open page begins the same draft again; it may be what ends the server


class Housekeeping:
    """Every method may be called from any thread and again at any time."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        media: Media,
        index: SearchIndex,
        outbox: Outbox,
        deletions: Deletions,
        metrics: Metrics,
    ) -> None:
        self.settings, self.store, self.media, self.index = settings, store, media, index
        self.outbox, self.deletions, self.metrics = outbox, deletions, metrics
        self.clock = TrustedClock(store)

    def reconcile(self) -> None:
        """After a start: whatever a crash left behind is put in order."""
        with self.store.write() as session:
            expected = listing_repo.indexed_ids(session)
            present = self._ids_in_index(expected)
            for listing_id in sorted(expected ^ present):
                listing_repo.to_index_again(session, listing_id)
            self._stop_orphans(session)
        self.sweep()
        self.outbox.follow()

    def retire(self) -> int:
        """Delete drafts that nobody touched for ``retention_days``, their photos to the trash; returns how many."""
        before = self._before(days=self.settings.retention_days)
        with self.store.write() as session:
            query = select(DraftRow).where(DraftRow.state != DraftState.PUBLISHED, DraftRow.updated_at < before)
            old = list(session.scalars(query.with_for_update(skip_locked=True)))  # not one in somebody's hands
            for row in old:
                draft_repo.note_event(session, "abandoned", row.seller_id, draft=row.id)
            owners = draft_repo.retire_drafts(session, [row.id for row in old])
            try:  # before the commit: what the store still knows after a kill comes back from the trash
                self.media.retire(owners)
            except OSError as error:
                log.warning("photos of old drafts cannot be moved now: %s", error)
        self.deletions.after()
        return len(old)

    def sweep(self) -> int:
        """Move photos without a row to the trash and empty it of old ones; returns how many were moved.

        On a disk that cannot be written now they stay where they are.
        """
        with self.store.read() as session:
            photo_ids = set(session.scalars(select(PhotoRow.id)))
            photo_ids |= set(session.scalars(OF_PHOTOS))  # they go for good, not into the trash
        try:
            swept = self.media.sweep(photo_ids, self._before(seconds=STRAY_SECONDS))
            self.media.empty_trash(self._before(days=self.settings.trash_days))
        except OSError as error:
            log.warning("photos cannot be swept now: %s", error)
            return 0
        return swept

    def forget(self) -> int:
        """Delete behaviour that is older than ``log_days``; returns how many pages of the feed went."""
        return forget_behaviour(self.store, self._before(days=self.settings.log_days))

    def forget_changes(self) -> int:
        """Delete changes that every server has seen long ago; returns how many."""
        return forget_changes(self.store, self._before(days=1))

    def _before(self, **age: float) -> datetime:
        """What is from before that is older than ``age``; nothing is where the clock cannot be noted."""
        try:
            return self.clock.now() - timedelta(**age)
        except AppError as error:
            if error.code not in UNSAVED:
                raise
            return datetime.min.replace(tzinfo=UTC)

    def stop_orphans(self, alive: Collection[str]) -> int:
        """Stop drafts that nobody writes any more (``alive`` are being written here); returns how many.

        Such drafts are left when the store went away before their end could be written, or by another server that died.
        """
        which = (DraftRow.updated_at < self._too_old(), DraftRow.id.not_in(alive))
        with self.store.read() as session:  # there are none, nearly always: no writer has to wait for this
            if session.scalar(select(DraftRow.id).where(DraftRow.state.in_(WRITING), *which)) is None:
                return 0
        with self.store.write() as session:
            return _stop(session, *which)

    def _ids_in_index(self, expected: set[str]) -> set[str]:
        """Ids in the index; of a broken one those that are wanted, so that the page still opens without it."""
        try:
            return self.index.ids()
        except Exception:
            log.exception("the index cannot be read; listings are kept, and it is tried again on the next start")
            self.metrics.errors.labels("index").inc()
            return expected

    def _too_old(self) -> datetime:
        return now() - timedelta(minutes=self.settings.draft_minutes)

    def _stop_orphans(self, session: Session) -> None:
        """Drafts whose process died: a rewrite goes back to what was there, a first draft is stopped."""
        alone = self.store.engine.dialect.name == "sqlite"
        # Other servers may share another database; their drafts are younger than the time limit.
        _stop(session, *(() if alone else (DraftRow.updated_at < self._too_old(),)))


def _stop(session: Session, *which: ColumnElement[bool]) -> int:
    rows = list(session.scalars(select(DraftRow).where(DraftRow.state.in_(WRITING), *which)))
    for row in rows:
        again = _interruptions(session, row.id) < MOST_RESUMED
        if row.generated is None:
            draft_repo.note_event(session, INTERRUPTED, row.seller_id, draft=row.id)
        code = INTERRUPTED if again else "stopped"
        draft_repo.move(row, DraftState.STOPPED, Problem(code, "The server was restarted; start the draft again."))
    return len(rows)


def _interruptions(session: Session, draft_id: str) -> int:
    """How often the server ended while this draft was being written."""
    query = select(func.count()).select_from(EventRow)
    return session.scalar(query.where(EventRow.draft_id == draft_id, EventRow.kind == INTERRUPTED)) or 0
