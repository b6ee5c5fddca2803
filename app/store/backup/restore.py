"""Bringing a backup back: everything is checked in a folder of its own before anything is put in its place.

An archive is input like any other: only files that its manifest names, with a name that a backup can have, of the
stated size and SHA-256, are taken; links, devices, absolute names and ``..`` are refused.
``app/store/backup/journal.py`` is about what happens when a restore is cut off.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, StrictInt, ValidationError
from sqlalchemy import inspect, make_url

from app.settings import Settings
from app.store.backup.archive import FORMAT, MANIFEST, POSTGRES, SQLITE, TargetExists, damage_of
from app.store.backup.journal import (
    Database,
    Journal,
    Move,
    after_replacement,
    conclude,
    index_again,
    leave_mark,
    plain_url,
    settle_alone,
)
from app.store.backup.postgres import Psql, alone, program, run
from app.store.db import JOURNAL, engine_of, open_store
from app.store.home_lock import at_work, only_user, working_folder
from app.store.media import Media, store_id
from app.store.tables import Base
from app.views import AppError
from listing.errors import IplError
from listing.home import private_files

LOCK_SECONDS = 5.0
MAX_MANIFEST_BYTES = 1 << 30
_BLOCK = 1 << 20
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_NAME = re.compile(rf"store\.sqlite|store\.pgdump|media/[0-9a-f]{{2}}/[0-9a-f]{{32}}\.jpg|feed(/{_PART}){{1,6}}")
_SET_ASIDE = ("store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "feed", "session.key")


class ArchiveError(IplError):
    """The archive cannot be trusted or read; the message is one sentence. Nothing was changed."""

    code, exit_status = "bad_archive", 2


class _Entry(BaseModel):
    bytes: StrictInt
    sha256: str


class _Manifest(BaseModel):
    format: Any
    store: Literal["sqlite", "postgresql"]
    files: dict[str, _Entry]


@dataclass(frozen=True)
class Restored:
    """What was brought back, and where what had been there lies now (None: nothing had been)."""

    listings: int
    photos: int
    store: str
    aside: Path | None
    photos_aside: Path | None = None  # when the photos do not lie in the home


@dataclass(frozen=True)
class _Places:
    """Folders of one restore: what was unpacked, and where what was there goes.

    Photos that lie elsewhere than the home are unpacked and moved aside within their own folder, so that every move is
    a rename.
    """

    home: Path
    stage: Path
    aside: Path
    media: Path
    media_stage: Path
    media_aside: Path

    @property
    def apart(self) -> bool:
        """Whether the photos do not lie in the home."""
        return not self.media_stage.is_relative_to(self.stage)

    def of(self, name: str) -> Path:
        """Where a file of the archive is unpacked."""
        first, *rest = PurePosixPath(name).parts
        return self.media_stage.joinpath(*rest) if first == "media" else self.stage.joinpath(first, *rest)


def restore(archive: Path, settings: Settings, *, force: bool = False) -> Restored:
    """Bring an archive back into ``settings.home`` (photos into its media folder, PostgreSQL into ``IPL_STORE``).

    With ``force`` what is there is moved aside, into a folder of the home; a PostgreSQL database is emptied. When it is
    cut off, the next start leaves all of the old or all of the new.

    Raises:
        ArchiveError: the archive is damaged, was changed, or is of a newer version. TargetExists: the home holds data.
        StoreError: a server uses the home or the database. OSError: a move failed; all others were taken back.
    """
    with private_files(), only_user(settings.home), ExitStack() as held:
        settle_alone(settings)
        occupied = _occupied(settings)
        if occupied and not force:
            names = ", ".join(str(p) for p in occupied)
            raise TargetExists(
                f"There is data already ({names}): stop the server and add --force, which moves it aside, or name an "
                "empty folder with --home."
            )
        held.enter_context(at_work(settings.home))
        places = held.enter_context(_places(settings))
        url = make_url(settings.store_url)
        session = held.enter_context(alone(url)) if url.get_backend_name() == "postgresql" else None
        kind = _unpack(archive, places).store
        _check_target(kind, settings, force)
        photos = sum(1 for _ in places.media_stage.glob("??/*.jpg"))
        if session is None:
            listings = _ready_sqlite(places)
            _move(_journal(settings, places, None))
        else:
            listings = _replace(session, settings, places, _ready_postgres(places, force))
    return Restored(
        listings,
        photos,
        kind,
        places.aside if places.aside.exists() else None,
        places.media_aside if places.apart and places.media_aside.exists() else None,
    )


@contextmanager
def _places(settings: Settings) -> Iterator[_Places]:
    """The folders of this restore; what was unpacked goes at the end, unless a journal needs it."""
    home, media = settings.home, settings.media_folder
    name = f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{os.getpid()}"  # a name that two restores never share
    inside = (
        media.parent == home
        and not media.is_symlink()
        and (not media.exists() or media.stat().st_dev == home.stat().st_dev)
    )

    def unfinished() -> bool:
        return (home / JOURNAL).exists()

    with ExitStack() as folders:
        stage = folders.enter_context(working_folder(home, "restore", home, keep=unfinished))
        if inside:
            yield _Places(home, stage, home / name, media, stage / "media", home / name / media.name)
            return
        if not media.exists():
            media.mkdir(mode=0o700, parents=True)
            folders.callback(lambda: None if any(media.iterdir()) else media.rmdir())
        media_stage = folders.enter_context(working_folder(media, "restore", home, keep=unfinished))
        yield _Places(home, stage, home / name, media, media_stage, media / f".{name}")


def _journal(settings: Settings, places: _Places, database: Database | None) -> Journal:
    """Every move: what is there goes aside, then what was unpacked comes."""

    def name(path: Path) -> str:
        return str(path.relative_to(places.home) if path.is_relative_to(places.home) else path)

    def move(source: Path, target: Path, aside: bool) -> Move:
        return Move(name(source), name(target), aside)

    there = [p for p in _occupied(settings) if p != places.media]
    moves = [move(p, places.aside / p.name, True) for p in there]
    if places.media.is_dir():
        photos = sorted(p for p in places.media.iterdir() if not p.name.startswith((".restore-", ".before-restore-")))
        moves += [move(p, places.media_aside / p.name, True) for p in photos]
    for unpacked in ("feed", SQLITE):
        if (places.stage / unpacked).exists():
            moves.append(move(places.stage / unpacked, places.home / unpacked, False))
    if places.media_stage.is_dir():
        moves += [move(p, places.media / p.name, False) for p in sorted(places.media_stage.iterdir())]
    folders = {places.stage.parent, *([places.media_stage.parent] if places.apart else [])}
    return Journal(places.home, tuple(moves), tuple(sorted(name(f) for f in folders)), database)


def _move(journal: Journal) -> None:
    """Make the moves, all or none: with SQLite that is the whole replacement."""
    journal.write()
    try:
        journal.forward()
    except BaseException:
        journal.back()
        journal.close()
        raise
    journal.close()


def _replace(session: Psql, settings: Settings, places: _Places, scripts: list[str | Path]) -> int:
    """Make the moves and replace the database, or neither; returns the number of listings."""
    mark = secrets.token_hex(16)
    journal = _journal(settings, places, Database(plain_url(make_url(settings.store_url)), mark))
    journal.write()
    try:
        journal.forward()
        session.run("BEGIN;\n", *scripts, leave_mark(mark), "COMMIT;\n")
    except BaseException:
        session.close()
        _take_back(journal, settings)
        raise
    listings = after_replacement(settings)
    journal.close()
    return listings


def _take_back(journal: Journal, settings: Settings) -> None:
    """End a restore that failed. PostgreSQL may keep the lock of a session for a moment after its end."""
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            conclude(journal, settings)
            return
        except AppError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _occupied(settings: Settings) -> list[Path]:
    """What would be overwritten. Models, wheels, index and logs of the set-up are none of it."""
    paths = [*(settings.home / name for name in _SET_ASIDE), settings.media_folder]
    return [p for p in paths if (any(p.iterdir()) if p.is_dir() else p.exists())]


def _check_target(kind: str, settings: Settings, force: bool) -> None:
    backend = make_url(settings.store_url).get_backend_name()
    if kind != backend or (kind == "sqlite" and settings.store):
        advice = "unset IPL_STORE" if kind == "sqlite" else "name the database with IPL_STORE=postgresql://..."
        raise ArchiveError(f"The archive holds a store of {kind}: {advice} and run the command again.")
    if kind == "sqlite":
        return
    with engine_of(settings.store_url) as engine:
        if inspect(engine).get_table_names() and not force:
            raise TargetExists("The database that IPL_STORE names holds tables already: add --force to replace them.")


def _ready_sqlite(places: _Places) -> int:
    """Check the unpacked store and bring it up to date; returns the number of its listings."""
    file = places.stage / SQLITE
    damage = damage_of(file)
    if damage:
        raise ArchiveError(f"The store in the archive is damaged ({damage}).")
    store = open_store(f"sqlite:///{file}")  # one of a newer version is refused here
    try:
        listings = index_again(store)
        Media(places.media_stage).write_mark(store_id(store.engine) or "")
    finally:
        store.engine.dispose()
    return listings


def _ready_postgres(places: _Places, force: bool) -> list[str | Path]:
    """Turn the unpacked dump into the SQL that replaces the data."""
    data = places.stage / "data.sql"
    clean = ["--clean", "--if-exists"] if force else []
    options = ["--no-owner", "--no-privileges", *clean, f"--file={data}"]
    run([program("pg_restore"), *options, str(places.stage / POSTGRES)])
    # Tables that the version of the archive did not have yet would be in the way of the migration.
    tables = ", ".join([*(table.name for table in Base.metadata.sorted_tables), "alembic_version"])
    return [f"DROP TABLE IF EXISTS {tables} CASCADE;\n" if force else "", data]


def _unpack(archive: Path, places: _Places) -> _Manifest:
    """Unpack what the manifest names and check it; returns the manifest."""
    try:
        with tarfile.open(archive, "r:") as tar:
            manifest = _read_manifest(tar)
            files, left = manifest.files, set(manifest.files)
            for member in tar:
                if member.name == MANIFEST and member.offset == 0:
                    continue
                if member.name not in left:
                    raise ArchiveError(f"The archive holds {member.name[:200]!r}, which its manifest does not name.")
                left.discard(member.name)
                _unpack_one(tar, member, files[member.name], places.of(member.name))
    except FileNotFoundError as error:
        raise ArchiveError(f"{archive} is not there; name the file that ./ipl backup wrote.") from error
    except (tarfile.TarError, EOFError, IsADirectoryError) as error:
        raise ArchiveError(f"{archive} is no whole archive of ./ipl backup ({error}).") from error
    if left:
        raise ArchiveError(
            f"The archive is cut off: {len(left)} files are missing, {sorted(left)[0]!r} is one of them."
        )
    return manifest


def _read_manifest(tar: tarfile.TarFile) -> _Manifest:
    first = tar.next()
    file = tar.extractfile(first) if first is not None and first.isreg() and first.size <= MAX_MANIFEST_BYTES else None
    if first is None or file is None or first.name != MANIFEST:
        raise ArchiveError("This is no archive of ./ipl backup: it does not begin with a manifest.")
    try:
        manifest = _Manifest.model_validate_json(file.read())
    except ValidationError as error:
        raise ArchiveError("The archive's manifest cannot be read.") from error
    if manifest.format != FORMAT:
        message = f"The archive has format {manifest.format!r:.20}, this program reads {FORMAT}; update it."
        raise ArchiveError(message)
    for name in manifest.files:
        if not _NAME.fullmatch(name) or ".." in PurePosixPath(name).parts:
            raise ArchiveError(
                f"The archive holds {name[:200]!r}, which is no name of a backup; it was not made by ./ipl."
            )
    if {SQLITE, POSTGRES} & manifest.files.keys() != {SQLITE if manifest.store == "sqlite" else POSTGRES}:
        raise ArchiveError("The archive holds no store, or another one than its manifest names.")
    return manifest


def _unpack_one(tar: tarfile.TarFile, member: tarfile.TarInfo, entry: _Entry, target: Path) -> None:
    if not member.isreg() or member.size != entry.bytes:
        raise ArchiveError(f"{member.name} in the archive is not the file that its manifest describes.")
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while block := source.read(_BLOCK):
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != entry.sha256:
        raise ArchiveError(f"{member.name} in the archive is damaged or was changed: its checksum differs.")
