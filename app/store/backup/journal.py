"""The moves of a restore, written down before the first: whoever comes next finishes them or takes them back.

A restore unpacks and checks everything first. Then the journal is written to the disk, then what is there is moved
aside and what was unpacked is moved to its place; a database of PostgreSQL is replaced last, in one transaction that
leaves a mark. Without a database the journal is the point of no return; with one that transaction is.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import URL, make_url, select, text

from app.settings import Settings
from app.store import listing_repo
from app.store.db import JOURNAL, Store, StoreError, engine_of, migrate, migrations, share
from app.store.files import replace_privately, sync
from app.store.home_lock import HomeInUse, at_work, clean_up, note_of, only_user, working_folders
from app.store.media import Media, store_id
from app.store.tables import ListingRow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Move:
    """One rename. Paths are relative to the home where they lie in it, so that a home may be mounted elsewhere.

    aside: what was there leaves; it has happened when ``target`` is there. Otherwise what was unpacked comes; it has
    happened when ``source`` is gone.
    """

    source: str
    target: str
    aside: bool


@dataclass(frozen=True)
class Database:
    """Which database is replaced (its URL without a password), and the mark that the transaction leaves in it."""

    url: str
    mark: str


@dataclass(frozen=True)
class Journal:
    """The moves of one restore of ``home`` in their order; ``folders`` go at the end."""

    home: Path
    moves: tuple[Move, ...]
    folders: tuple[str, ...]
    database: Database | None = None

    @property
    def file(self) -> Path:
        return self.home / JOURNAL

    def write(self) -> None:
        """Write it to the disk, whole or not at all; what it moves is there before it."""
        sync({(self.home / move.source).parent for move in self.moves})
        rest = {name: value for name, value in asdict(self).items() if name != "home"}
        replace_privately(self.file, json.dumps(rest).encode())

    @classmethod
    def read(cls, home: Path) -> Journal | None:
        """The journal of a restore that was cut off; None when there is none."""
        try:
            raw = json.loads((home / JOURNAL).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        database = Database(**raw["database"]) if raw["database"] else None
        return cls(home, tuple(Move(**m) for m in raw["moves"]), tuple(raw["folders"]), database)

    def forward(self) -> None:
        """Make every move that has not been made yet. Raises OSError when one fails."""
        for move in self.moves:
            source, target = self.home / move.source, self.home / move.target
            done = os.path.lexists(target) if move.aside else not os.path.lexists(source)
            if not done:
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                source.rename(target)
        self._sync_moves()

    def back(self) -> None:
        """Take back every move that was made. Raises OSError when that fails."""
        for move in reversed(self.moves):
            source, target = self.home / move.source, self.home / move.target
            moved = os.path.lexists(target) and (move.aside or not os.path.lexists(source))
            if moved:
                source.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                target.rename(source)
        for folder in sorted({(self.home / m.target).parent for m in self.moves if m.aside}, reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        self._sync_moves()

    def close(self) -> None:
        """The restore has ended, one way or the other."""
        self.file.unlink()
        sync([self.home])
        for folder in self.folders:
            shutil.rmtree(self.home / folder, ignore_errors=True)

    def _sync_moves(self) -> None:
        sync({(self.home / path).parent for move in self.moves for path in (move.source, move.target)})


def settle(settings: Settings) -> None:
    """Finish or take back a restore that was cut off in this home; whoever opens what is in a home calls this first.

    Raises:
        StoreError: a restore runs, or it cannot be finished now; the message says what to do.
    """
    if (settings.home / JOURNAL).exists():
        with only_user(settings.home):
            settle_alone(settings)


def settle_alone(settings: Settings) -> None:
    """``settle`` for who holds the lock of the home; also removes what dead backups and restores left."""
    home, media = settings.home, settings.media_folder
    journal = Journal.read(home)
    if journal is not None:
        try:
            how = conclude(journal, settings)
        except OSError as error:
            raise StoreError(
                f"A restore into {home} was cut off and cannot be finished ({error.strerror}: {error.filename}): mend "
                "that and start again."
            ) from error
        log.warning("a restore into %s had been cut off and was %s", home, how)
    for part in home.glob(f".{JOURNAL}.*.part"):
        part.unlink()
    with contextlib.suppress(HomeInUse), at_work(home):  # a backup at work keeps its folder
        pass
    clean_up(media, home)
    for folder in working_folders(media):
        raise StoreError(
            f"A restore into {media} runs or was cut off: start ./ipl serve with IPL_HOME="
            f"{note_of(folder).get('home')} first, which finishes it; if that home is gone, delete {folder}."
        )


def conclude(journal: Journal, settings: Settings) -> str:
    """Finish a restore or take it back, whichever leaves home and database in step; returns which, in a word.

    Raises:
        OSError: neither is possible now. StoreError: it is a restore into another database than ``settings`` name.
    """
    if journal.database is None:
        replaced = _moved(journal)
    elif replaced := _replaced(journal.database, settings):
        after_replacement(settings)
    if not replaced:
        journal.back()
    journal.close()
    return "finished" if replaced else "taken back"


def _moved(journal: Journal) -> bool:
    with contextlib.suppress(OSError):
        journal.forward()
        return True
    return False


def _replaced(database: Database, settings: Settings) -> bool:
    """Whether the transaction that replaces the data was committed."""
    if plain_url(make_url(settings.store_url)) != database.url:
        raise StoreError(
            f"A restore into {settings.home} and {database.url} was cut off: name that database with IPL_STORE and "
            "start again, which finishes it or takes it back."
        )
    query = text("SELECT obj_description(to_regclass('alembic_version'), 'pg_class')")
    # Refused while a psql whose restore was killed is still at work.
    with engine_of(settings.store_url) as engine, Store(share(engine)).read() as session:
        return bool(session.scalar(query) == database.mark)


def leave_mark(mark: str) -> str:
    """SQL that leaves the mark in a restored database, or fails if this version cannot read its schema."""
    allowed = ", ".join(f"'{revision}'" for revision in sorted(migrations()[1]))
    return f"""
RESET search_path;
DO $$ BEGIN
  IF (SELECT version_num FROM alembic_version) NOT IN ({allowed}) THEN
    RAISE EXCEPTION 'this version of IPL cannot read the archive, update it';
  END IF;
END $$;
COMMENT ON TABLE alembic_version IS '{mark}';
"""  # noqa: S608 - our own revisions


def plain_url(url: URL) -> str:
    """The URL of a database without its password."""
    return url.set(drivername="postgresql", password=None).render_as_string()


def after_replacement(settings: Settings) -> int:
    """What is left to do when the data of PostgreSQL and the photos are new; returns how many listings there are."""
    with engine_of(settings.store_url) as engine:
        listings = index_again(Store(engine))
        Media(settings.media_folder).write_mark(store_id(engine) or "")
    return listings


def index_again(store: Store) -> int:
    """Bring the schema up to date and note every listing for the index, whose texts may be those of another day."""
    migrate(store.engine)
    with store.write() as session:
        ids = list(session.scalars(select(ListingRow.id)))
        for listing_id in ids:
            listing_repo.to_index_again(session, listing_id)
    return len(ids)
