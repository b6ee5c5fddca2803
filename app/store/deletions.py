"""What was deleted leaves the disk too: files of photos, the store's write-ahead log, raw uploads.

Rows go first, in one transaction that also notes the photos whose files have to go. Files follow after the commit; what
a kill or a failure leaves is worked off at the next start and by the clock, on any server of the same store.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from time import monotonic

from sqlalchemy import delete, select

from app.store.db import Store
from app.store.media import Media
from app.store.tables import OutboxRow, PhotoRow, Topic
from app.views import AppError

log = logging.getLogger(__name__)
AT_ONCE = 500
UPLOAD_SECONDS = 600.0  # a raw upload is taken within moments; one that nobody took is deleted after that long
OF_PHOTOS = select(OutboxRow.key).where(OutboxRow.topic == Topic.PHOTO)
MAX_COMPACTED_BYTES = 256 << 20  # bytes of a SQLite file that is written anew while people wait, about 2 s


class Deletions:
    """Works off what deletions leave; every method may be called from any thread and again at any time."""

    def __init__(self, store: Store, media: Media, uploads: Path) -> None:
        self.store, self.media, self.uploads = store, media, uploads
        self._log_due = self._compact_due = True  # after a start: what the last run left
        self._waiting: dict[Path, tuple[float, float]] = {}  # uploads: last written, and since when that is known

    def after(self) -> None:
        """After a commit that deleted something. Never raises: what fails now comes with the clock."""
        self._log_due = self._compact_due = True
        try:
            self.delete_photos()
        except AppError as error:
            log.warning("deleted photos have to wait: %s", error)

    def delete_photos(self) -> int:
        """Delete the files of noted photos but those that have a row again; returns how many. Raises AppError."""
        deleted, failed = 0, set[str]()
        while True:
            with self.store.read() as session:
                noted = set(session.scalars(OF_PHOTOS.where(OutboxRow.key.not_in(failed)).limit(AT_ONCE)))
                in_use = set(session.scalars(select(PhotoRow.id).where(PhotoRow.id.in_(noted))))
            if not noted:
                return deleted
            self._log_due = self._compact_due = True  # another process may have deleted their rows
            failed |= {photo_id for photo_id in noted - in_use if not self._unlink(photo_id)}
            done = noted - failed
            with self.store.write() as session:
                session.execute(delete(OutboxRow).where(OutboxRow.topic == Topic.PHOTO, OutboxRow.key.in_(done)))
            deleted += len(done - in_use)

    def _unlink(self, photo_id: str) -> bool:
        try:
            self.media.delete([photo_id])
        except OSError as error:
            log.warning("the file of photo %s cannot be deleted, it is tried again: %s", photo_id, error)
            return False
        return True

    def discard(self, photo_ids: Collection[str], error: BaseException) -> None:
        """Delete files that were saved for rows which ``error`` prevented; one whose row is there all the same stays.

        When the store went away, it may have taken the rows, and when it was busy, the same photos may be in another
        call's hands: then the files stay, to be swept later if nobody has them.
        """
        if isinstance(error, AppError) and error.code in ("store", "busy"):
            return
        try:
            with self.store.read() as session:
                in_use = set(session.scalars(select(PhotoRow.id).where(PhotoRow.id.in_(photo_ids))))
        except AppError:
            return
        self.media.delete(set(photo_ids) - in_use)

    def catch_up(self) -> None:
        """Everything that is due; for a clock, every few seconds. Raises AppError while the store is away."""
        self.sweep_uploads()
        self.delete_photos()
        if self._log_due:
            self._log_due = False  # before: a deletion that comes meanwhile makes it due again
            self._log_due = not self.store.empty_log() or self._log_due
        self.store.hold_back()

    def sweep_uploads(self) -> None:
        """Delete raw uploads (whole or cut off) that nobody wrote to for ten minutes, whatever the clock says."""
        before, self._waiting, at = self._waiting, {}, monotonic()
        for place, folders, files in os.walk(self.uploads, topdown=False):  # passes over what vanishes meanwhile
            for path in (Path(place, name) for name in (*files, *folders)):
                with contextlib.suppress(OSError):  # gone already, or a folder that is not empty
                    written = path.lstat().st_mtime
                    known = before.get(path)
                    since = known[1] if known is not None and known[0] == written else at
                    self._waiting[path] = written, since
                    if at - since < UPLOAD_SECONDS:
                        continue
                    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    def compact(self, largest: int | None = MAX_COMPACTED_BYTES) -> bool:
        """Write the store's file anew if something was deleted since the last time (see ``Store.compact``)."""
        if not self._compact_due:
            return True
        self._compact_due = False
        done = self.store.compact(largest)
        self._compact_due = self._compact_due or not done
        return done


def empty_uploads(folder: Path) -> None:
    """Make the folder of uploads in progress, or empty it: whoever was uploading is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
