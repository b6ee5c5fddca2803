"""The photos' files: one JPEG a photo under its random id, whole or not at all.

Their folder carries the id of its store; another store is not opened beside it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from app.settings import Settings
from app.store.db import Store, StoreError, disk_full, engine_of, open_store, read_only, sentences
from app.store.files import replace_privately
from app.store.tables import IdentityRow
from app.views import AppError

log = logging.getLogger(__name__)
MARK = ".store"  # holds the id of the store that the photos belong to
TRASH = ".trash"
_ID = re.compile(r"[0-9a-f]{32}")
_NOT_HERE = "There is no such photo; it may have been deleted."


class Media:
    """A folder of photos, spread over 256 subfolders by the first two digits of their ids."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, photo_id: str) -> Path:
        """Where the photo of that id lies or would lie. Raises AppError (404) for what cannot be an id."""
        if not _ID.fullmatch(photo_id):
            raise AppError("not_found", _NOT_HERE, 404)
        return self.folder / photo_id[:2] / f"{photo_id}.jpg"

    def save(self, photo_id: str, jpeg: bytes) -> Path:
        """Write a photo so that after a crash it is whole or not there. Raises AppError (507): it cannot."""
        path = self.path(photo_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_privately(path, jpeg)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise disk_full() from error
            if error.errno == errno.EROFS:
                raise read_only() from error
            raise
        return path

    def delete(self, photo_ids: Collection[str]) -> None:
        """Delete the photos of these ids, in the trash as well; those that are gone already are passed over."""
        for photo_id in photo_ids:
            path = self.path(photo_id)
            for trashed in self._trashed(path.name):  # first: what a sweep brings back meanwhile goes next
                trashed.unlink(missing_ok=True)
            path.unlink(missing_ok=True)

    def ids(self) -> Iterator[str]:
        """Ids of all photos in the folder."""
        yield from (path.stem for path in self.folder.glob("??/*.jpg"))

    def in_use(self) -> bool:
        """Whether the folder belongs to a store already or holds photos."""
        return self.mark() is not None or any(self.ids())

    def mark(self) -> str | None:
        """The id of the store that the folder belongs to; None when nothing is noted."""
        try:
            return (self.folder / MARK).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise StoreError(f"{self.folder} is a file, but has to be the photos' folder: check IPL_MEDIA.") from None

    def write_mark(self, store_id: str) -> None:
        """Note the id of the store that the folder belongs to."""
        if self.mark() != store_id:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_privately(self.folder / MARK, f"{store_id}\n".encode())

    def sweep(self, photo_ids: Collection[str], before: datetime) -> int:
        """Move photos that the store does not know to the trash if they are from before that.

        First what it does know comes back from there. Returns how many files went. Such files stay behind when a
        process dies between writing a photo and its row, or a row and its photo. When most of the photos are unknown
        they are left: then the store is the likelier culprit.
        """
        self._bring_back(photo_ids)
        photos = list(self.folder.glob("??/*.jpg"))
        strays = [p for p in photos if p.stem not in photo_ids and _is_older(p, before)]
        if strays and not photo_ids:
            log.warning("%d photos in %s are kept: the store knows no photo", len(strays), self.folder)
            return 0
        if 2 * len(strays) > len(photos):
            log.warning(
                "%d of %d photos in %s are unknown to the store and are kept: is it the right store (IPL_STORE), is "
                "it the right folder (IPL_MEDIA)?",
                len(strays),
                len(photos),
                self.folder,
            )
            return 0
        for path in strays:
            self._to_trash(path)
        halves = [p for p in self.folder.glob("??/.*.part") if _is_older(p, before)]
        for path in halves:
            path.unlink(missing_ok=True)
        return len(strays) + len(halves)

    def retire(self, owners: Mapping[str, str]) -> None:
        """Move photos to the trash, each into the part of its owner, who may be erased."""
        for photo_id, owner in owners.items():
            self._to_trash(self.path(photo_id), owner)

    def forget_owner(self, owner: str) -> None:
        """Delete a person's part of the trash."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder / TRASH / owner)

    def _trashed(self, name: str = "*.jpg") -> list[Path]:
        return [*(self.folder / TRASH).rglob(name)]

    def _to_trash(self, path: Path, owner: str = "") -> None:
        trashed = self.folder / TRASH / owner / path.name
        for folder in (self.folder / TRASH, trashed.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # somebody else deleted it
            os.utime(path)  # its time in the trash begins; first, so that it is never emptied too early
            path.rename(trashed)

    def _bring_back(self, photo_ids: Collection[str]) -> None:
        """Move photos that the store knows out of the trash, where an older copy of it may have put them."""
        for trashed in self._trashed():
            if trashed.stem in photo_ids:
                path = self.path(trashed.stem)
                path.parent.mkdir(mode=0o700, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):  # somebody else deleted it
                    trashed.rename(path)

    def empty_trash(self, before: datetime) -> int:
        """Delete what has lain in the trash since before that; returns how many photos."""
        old = [p for p in self._trashed() if _is_older(p, before)]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)


def _is_older(path: Path, moment: datetime) -> bool:
    try:
        return path.stat().st_mtime <= moment.timestamp()
    except FileNotFoundError:
        return False


def open_marked_store(settings: Settings, media: Media) -> Store:
    """The store of ``settings``, its schema brought up to date, whose photos lie in ``media``; the folder is marked.

    Raises:
        StoreError: the photos belong to another store (nothing was changed), or the store cannot be opened.
    """
    if media.in_use() and _is_new(settings.store_url):
        raise _foreign(settings)
    store = open_store(settings.store_url)
    try:
        check_photos(settings, media, store.engine)
        media.write_mark(store_id(store.engine) or "")
    except BaseException:
        store.engine.dispose()
        raise
    return store


def check_photos(settings: Settings, media: Media, engine: Engine) -> None:
    """Raises StoreError when the photos in the media folder are not those of the store.

    Without a mark (an older version wrote none) the store has to know most of them, or most of its own are there.
    """
    mark = media.mark()
    if mark is None:
        files, names = set(media.ids()), photo_ids(engine)
        both = 2 * len(files & names)
        foreign = bool(files) and both <= len(files) and (not names or both <= len(names))
    else:
        foreign = mark != store_id(engine)
    if foreign:
        raise _foreign(settings)


@sentences()
def photo_ids(engine: Engine) -> set[str]:
    """The photos that a store of any version knows."""
    with engine.connect() as connection:
        return set(connection.scalars(text("SELECT id FROM photos")))


@sentences()
def store_id(engine: Engine) -> str | None:
    """The id of the store; None when its schema is of a version that had none."""
    if not inspect(engine).has_table(IdentityRow.__tablename__):
        return None
    with engine.connect() as connection:
        return connection.scalar(select(IdentityRow.id))


def _is_new(url: str) -> bool:
    """Whether there is no store yet, so that opening it would make an empty one."""
    try:
        parsed = make_url(url)
    except ArgumentError:  # opening it says so
        return False
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).is_file():
        return True
    with engine_of(url) as engine:
        try:
            return not inspect(engine).has_table("alembic_version")
        except DBAPIError:  # opening it says what is wrong
            return False


def _foreign(settings: Settings) -> StoreError:
    store = make_url(settings.store_url).render_as_string(hide_password=True)
    return StoreError(
        f"The photos in {settings.media_folder} belong to another store than {store}: name their store with IPL_STORE "
        "(or IPL_HOME), or another folder with IPL_MEDIA; if the store was lost, bring it back into another home "
        "(./ipl restore FILE --into DIR); photos that are nobody's can be moved away."
    )
