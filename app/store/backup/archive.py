"""A backup: store, photos, feed models in one tar, taken while the server runs, with the SHA-256 of every file.

The store's copy is one moment (SQLite's backup API; a snapshot that PostgreSQL's pg_dump shares). A photo's file never
changes, it can only be deleted, and only after its row: so the photos of that moment are held by hard links, and if one
had gone already, the store is copied again. Everything is read and checked before an archive that is there is replaced.
The index is derived from the store and is not copied.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import URL, Connection, create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app import __version__
from app.settings import Settings
from app.store.backup.checks import check_pages, log_is_torn, value_damage
from app.store.backup.photo_files import read_photo
from app.store.backup.postgres import BackupError, dump, program
from app.store.db import BUSY_SECONDS, REMEDY, engine_of, unusable
from app.store.files import sync
from app.store.home_lock import HomeInUse, held
from app.store.media import Media, check_photos, photo_ids
from listing.errors import IplError
from listing.home import private_files

FORMAT = 1
MANIFEST = "manifest.json"
SQLITE, POSTGRES = "store.sqlite", "store.pgdump"
APPENDED = "events.jsonl"  # the one file of the feed's models that grows; all others are whole and stay as they are
RETRIES = 5
MOST_NAMES = 20  # of what is damaged, in a sentence
WORKPLACE = ".backup"  # in a home
_PART = "part"  # in the workplace: which file is being written elsewhere
_FULL = (errno.ENOSPC, errno.EDQUOT)


class TargetExists(IplError):
    """Something would be overwritten; the message says what."""

    code, exit_status = "target_exists", 2


@dataclass(frozen=True)
class Written:
    """What went into an archive. ``damaged``: photos that are not in it and values that cannot be read."""

    files: int
    photos: int
    bytes: int
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Copy:
    """The store of one moment: its photos with their hashes, its schema, and what is damaged in it."""

    kind: str
    photos: Sequence[tuple[str, str | None]]
    schema: str
    damaged: list[str]


def back_up(settings: Settings, out: Path, *, force: bool = False) -> Written:
    """Write the archive ``out``, whole or not at all, readable by its owner alone.

    Raises:
        TargetExists: ``out`` is there already, or is no file. BackupError: there is no store, its program is missing,
            or something is damaged where ``out`` is an archive, which stays.
        StoreError: the store is locked, damaged or cannot be read, another backup is at work, or the photos are those
            of another store.
    """
    _check_target(out, force)
    url, home = make_url(settings.store_url), settings.home
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise BackupError(f"There is no store at {url.database}: nothing has been published here; check IPL_HOME.")
    if not home.is_dir():
        raise BackupError(f"There is no folder {home}: check IPL_HOME.")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    with private_files(), _workplace(home, part) as stage:
        try:
            written = _write(settings, stage, part, replaces=out.exists())
            part.replace(out)
            sync([out.parent])
        finally:
            part.unlink(missing_ok=True)
    return written


def _check_target(out: Path, force: bool) -> None:
    if not out.parent.is_dir():
        raise TargetExists(f"{out.parent} is no folder: make it, or name another file.")
    if out.is_symlink() or (out.exists() and not out.is_file()):
        kind = "a link" if out.is_symlink() else "a folder" if out.is_dir() else "a pipe or a device"
        raise TargetExists(f"{out} is {kind}, which a backup never replaces: name a file.")
    if out.exists() and not force:
        raise TargetExists(f"{out} exists already: name another file, or add --force to replace it.")


@contextmanager
def _workplace(home: Path, part: Path) -> Iterator[Path]:
    """An empty folder in the home, for one backup at a time; what a killed one left, here and elsewhere, goes first."""
    folder = home / WORKPLACE
    folder.mkdir(mode=0o700, exist_ok=True)
    with held(folder / "lock", f"Another backup of {home} is at work: try again when it has ended."):
        _clear(folder)
        (folder / _PART).write_text(str(part))
        (folder / "files").mkdir()
        try:
            yield folder / "files"
        finally:
            _clear(folder)


def _clear(folder: Path) -> None:
    shutil.rmtree(folder / "files", ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        Path((folder / _PART).read_text()).unlink(missing_ok=True)
        (folder / _PART).unlink()


def tidy(home: Path) -> None:
    """Remove what a killed backup of the home left, also of photos that were deleted since."""
    folder = home / WORKPLACE
    if folder.is_dir():
        with contextlib.suppress(HomeInUse), held(folder / "lock", ""):
            _clear(folder)


def _write(settings: Settings, stage: Path, part: Path, *, replaces: bool) -> Written:
    """Copy store, photos and feed into ``stage``, check them, and write them into the archive ``part``."""
    media = Media(settings.media_folder)
    with on_disk_of(settings.home):
        copy = _hold(settings, media, stage)
        with engine_of(settings.store_url) as engine:
            check_photos(settings, media, engine)
        files, damaged = _check_held(copy, media, stage)
        if damaged and replaces:
            raise BackupError(f"The archive that is there stays, as {say_damaged(damaged)}.")
        photos = len(files)
        _stage_feed(settings.home / "feed", stage / "feed")
        rest = (p for p in sorted(stage.rglob("*")) if p.is_file())
        files |= {n: _entry(p) for p in rest if (n := p.relative_to(stage).as_posix()) not in files}
    facts = {
        "format": FORMAT,
        "program": f"ipl {__version__}",
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "store": copy.kind,
        "schema": copy.schema,
        "damaged": damaged,
        "files": files,
    }
    with on_disk_of(part.parent):
        _write_tar(part, json.dumps(facts, indent=1).encode(), stage, files)
    return Written(len(files), photos, sum(f["bytes"] for f in files.values()), tuple(damaged))


def say_damaged(damaged: Sequence[str]) -> str:
    """Which photos and values are damaged, and what to do, as the end of a sentence."""
    more = f" and {len(damaged) - MOST_NAMES} more" if len(damaged) > MOST_NAMES else ""
    return (
        f"something here is damaged: {', '.join(damaged[:MOST_NAMES])}{more}; look whether the photos' disk is mounted "
        "(IPL_MEDIA), or take it from an earlier archive (./ipl restore FILE --into DIR)"
    )


@contextmanager
def on_disk_of(folder: Path) -> Iterator[None]:
    """The error of a full disk in the block names the folder that lies on it."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OSError(error.errno, error.strerror, str(folder)) from error
        raise


def _hold(settings: Settings, media: Media, stage: Path) -> _Copy:
    """Copy the store and hold its photos."""
    url = make_url(settings.store_url)
    for last in (*(False for _ in range(RETRIES)), True):
        copy = _copy_sqlite(url, stage / SQLITE) if url.get_backend_name() == "sqlite" else _dump(url, stage / POSTGRES)
        shutil.rmtree(stage / "media", ignore_errors=True)
        gone = {i for i, _ in copy.photos if not _link_photo(media, i, stage)}
        with engine_of(settings.store_url) as engine:
            forgotten = bool(gone) and not gone <= photo_ids(engine)
        if last or not forgotten:  # where the store has forgotten one meanwhile, a newer copy is whole
            return copy
    raise AssertionError


def _copy_sqlite(url: URL, target: Path) -> _Copy:
    """Copy the database, in one moment and without what was deleted."""
    source, url = Path(url.database or ""), URL.create("sqlite", database=str(target))
    if log_is_torn(source):
        raise BackupError(
            f"The store's log {source}-wal is damaged in its middle, and opening the store would lose what was saved "
            f"last: copy both files first; then {REMEDY}."
        )
    target.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)) as store,
            closing(sqlite3.connect(target)) as copy,
        ):
            store.execute("BEGIN")
            store.execute("SELECT count(*) FROM sqlite_master").fetchone()  # waits for a lock, as backup() does not end
            store.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            check_pages(copy)
            copy.execute("VACUUM")
        with create_engine(url, poolclass=NullPool).connect() as connection:
            return _look_at("sqlite", connection)
    except DBAPIError as error:
        raise unusable(str(source), error.orig) from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, "disk full") from error
        raise unusable(str(source), error) from error


def _dump(url: URL, target: Path) -> _Copy:
    """Let pg_dump write the database as of one snapshot, in which the rows are read too."""
    program("pg_dump")  # first: without it nothing is asked of the database
    try:
        with (
            engine_of(url.render_as_string(hide_password=False)) as engine,
            engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        ):
            snapshot = str(connection.scalar(text("SELECT pg_export_snapshot()")))
            dump(url, snapshot, target)
            return _look_at("postgresql", connection)
    except DBAPIError as error:
        raise unusable(url.render_as_string(hide_password=True), error.orig) from error


def _look_at(kind: str, connection: Connection) -> _Copy:
    inspector = inspect(connection)
    if not {"photos", "alembic_version"} <= set(inspector.get_table_names()):
        raise BackupError("The database is no store of IPL: check IPL_STORE and IPL_HOME.")
    known = "sha256" in {c["name"] for c in inspector.get_columns("photos")}
    rows = connection.execute(text(f"SELECT id, {'sha256' if known else 'NULL'} FROM photos ORDER BY id"))  # noqa: S608
    photos = [(str(row[0]), row[1]) for row in rows]
    schema = str(connection.scalar(text("SELECT version_num FROM alembic_version")))
    return _Copy(kind, photos, schema, value_damage(connection))


def _link_photo(media: Media, photo_id: str, stage: Path) -> bool:
    """Hold a photo's file; False where there is none, or none that can be read: ``read_photo`` says why."""
    try:
        return _link(media.path(photo_id), _held_at(stage, photo_id))
    except IplError:  # no id
        return False
    except OSError as error:
        if error.errno in _FULL:
            raise
        return False


def _held_at(stage: Path, photo_id: str) -> Path:
    return stage / "media" / photo_id[:2] / f"{photo_id}.jpg"


def _check_held(copy: _Copy, media: Media, stage: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Read every photo that is held: (entries of those that are whole, what is damaged in the store and here)."""
    files, damaged = {}, list(copy.damaged)
    for photo_id, sha256 in copy.photos:
        there = _held_at(stage, photo_id)
        photo = read_photo(there if there.exists() else media.folder / photo_id[:2] / there.name, sha256)
        if photo.problem:
            there.unlink(missing_ok=True)
            damaged.append(f"{there.name} ({photo.problem})")
        else:
            files[there.relative_to(stage).as_posix()] = {"bytes": photo.bytes, "sha256": photo.sha256}
    return files, damaged


def _stage_feed(folder: Path, target: Path) -> None:
    """Projection and installed models; what is being installed at this moment (its name begins with a dot) is not."""
    knowledge = folder / "models" / "knowledge"
    for path in folder.rglob("*") if folder.is_dir() else ():
        inside = path.relative_to(folder)
        if path.parent == knowledge:  # its file changes in place: the store itself copies it
            continue
        if path.is_file() and not any(part.startswith(".") for part in inside.parts) and path.suffix != ".part":
            _link(path, target / inside, copy=path.name == APPENDED)
    if knowledge.is_dir():
        _stage_knowledge(knowledge, target / "models" / "knowledge")


def _stage_knowledge(folder: Path, target: Path) -> None:
    from recommend.data.knowledge import KnowledgeStore
    from recommend.data.parquet import DataError

    try:
        with KnowledgeStore(folder, readonly=True) as store:
            store.copy(target)
    except DataError as error:
        raise BackupError(str(error)) from error


def _link(source: Path, target: Path, *, copy: bool = False) -> bool:
    """Hold a file by a hard link, or by a copy where there are none; False when it is not there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not copy:
            try:
                os.link(source, target)
                return True
            except FileNotFoundError:
                return False
            except OSError:  # another file system, or one without links
                pass
        shutil.copyfile(source, target)
    except FileNotFoundError:
        return False
    return True


def _entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _write_tar(out: Path, manifest: bytes, stage: Path, files: Iterable[str]) -> None:
    """Write the archive into a new file that only its owner can read."""
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(_member(MANIFEST, len(manifest)), io.BytesIO(manifest))
        for name in files:
            with (stage / PurePosixPath(name)).open("rb") as file:
                tar.addfile(_member(name, os.fstat(file.fileno()).st_size), file)
        tar.close()
        raw.flush()
        os.fsync(raw.fileno())


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info
