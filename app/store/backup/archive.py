"""A backup: store, photos, feed models in one tar, taken while the server runs, with the SHA-256 of every file.

The store's copy is one moment (SQLite's ``VACUUM INTO``; a snapshot that PostgreSQL's pg_dump shares). A photo's file
never changes, it can only be deleted, and only after its row: so the photos of that moment are held by hard links, and
if one had gone already, the store is copied again. The index is derived from the store and is not copied.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import URL, make_url, text

from app import __version__
from app.settings import Settings
from app.store.backup.journal import settle
from app.store.backup.postgres import BackupError, program, run
from app.store.db import engine_of
from app.store.home_lock import at_work, working_folder
from app.store.media import Media, check_photos, photo_ids
from listing.errors import IplError
from listing.home import make_home, private_files

FORMAT = 1
MANIFEST = "manifest.json"
SQLITE, POSTGRES = "store.sqlite", "store.pgdump"
APPENDED = "events.jsonl"  # the one file of the feed's models that grows; all others are whole and stay as they are
RETRIES = 5


class TargetExists(IplError):
    """Something would be overwritten; the message says what."""

    code, exit_status = "target_exists", 2


@dataclass(frozen=True)
class Written:
    """What went into an archive. ``lost``: photos that the store names and whose file is nowhere."""

    files: int
    photos: int
    bytes: int
    lost: tuple[str, ...] = ()


def back_up(settings: Settings, out: Path, *, force: bool = False) -> Written:
    """Write the archive ``out``, whole or not at all, readable by its owner alone.

    Raises:
        TargetExists: ``out`` is there already. BackupError: there is no store, it is damaged, its program is missing,
            or photos are, where ``out`` is a good archive.
        StoreError: a restore runs, or the photos are those of another store.
    """
    if out.exists() and not force:
        raise TargetExists(f"{out} exists already: name another file, or add --force to replace it.")
    if not out.parent.is_dir():
        raise TargetExists(f"{out.parent} is no folder: make it, or name another file.")
    home, part = settings.home, out.with_name(f".{out.name}.{os.getpid()}.part")
    with private_files():
        make_home(home)
        with at_work(home):
            settle(settings)
            with working_folder(home, "backup", home, part) as stage:
                try:
                    written = _write(settings, stage, part, replaces=out.exists())
                    part.replace(out)
                finally:
                    part.unlink(missing_ok=True)
    return written


def _write(settings: Settings, stage: Path, part: Path, *, replaces: bool) -> Written:
    """Copy store, photos and feed into ``stage``, and write them into the archive ``part``."""
    media = Media(settings.media_folder)
    kind, photos, lost = _hold(settings, media, stage)
    with engine_of(settings.store_url) as engine:
        check_photos(settings, media, engine)
    if lost and replaces:
        raise BackupError(
            f"{len(lost)} photos have no file in {settings.media_folder}, {lost[0]} is one of them; the archive that "
            "is there is left as it is: look whether that folder is mounted (IPL_MEDIA), or name another file, into "
            "which the rest is saved."
        )
    _stage_feed(settings.home / "feed", stage / "feed")
    files = {p.relative_to(stage).as_posix(): _entry(p) for p in sorted(stage.rglob("*")) if p.is_file()}
    facts = {
        "format": FORMAT,
        "program": f"ipl {__version__}",
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "store": kind,
        "lost_photos": lost,
        "files": files,
    }
    _write_tar(part, json.dumps(facts, indent=1).encode(), stage, files)
    return Written(len(files), photos, sum(f["bytes"] for f in files.values()), tuple(lost))


def _hold(settings: Settings, media: Media, stage: Path) -> tuple[str, int, list[str]]:
    """Copy the store and hold its photos: (kind of store, photos held, photos whose file is nowhere)."""
    url = make_url(settings.store_url)
    kind = url.get_backend_name()
    for last in (*(False for _ in range(RETRIES)), True):
        ids = _copy_sqlite(url, stage / SQLITE) if kind == "sqlite" else _dump_postgres(url, stage / POSTGRES)
        shutil.rmtree(stage / "media", ignore_errors=True)
        gone = [i for i in ids if not _link(media.path(i), stage / "media" / i[:2] / f"{i}.jpg")]
        with engine_of(settings.store_url) as engine:
            forgotten = bool(gone) and not set(gone) <= photo_ids(engine)
        if last or not forgotten:  # where the store has forgotten one meanwhile, a newer copy is whole
            return kind, len(ids) - len(gone), gone
    raise AssertionError


def _copy_sqlite(url: URL, target: Path) -> list[str]:
    """Copy the database, in one moment and without what was deleted; returns the ids of its photos."""
    source = Path(url.database or "")
    if not url.database or not source.is_file():
        raise BackupError(f"There is no store at {source}: nothing has been published here; check IPL_HOME.")
    target.unlink(missing_ok=True)
    damage = damage_of(source)
    try:
        if not damage:
            with closing(sqlite3.connect(source, timeout=15)) as store:
                store.execute("VACUUM INTO ?", (str(target),))
            with closing(sqlite3.connect(target)) as copy:
                return [row[0] for row in copy.execute("SELECT id FROM photos ORDER BY id")]
    except sqlite3.DatabaseError as error:
        raise BackupError(f"The store at {source} cannot be copied ({error}); is it a store of IPL?") from error
    raise BackupError(
        f"The store at {source} is damaged ({damage}) and is not saved: stop the server and bring the last good "
        "archive back (./ipl restore FILE --force)."
    )


def damage_of(file: Path) -> str:
    """What SQLite finds damaged in a database, in a few words; empty when it is whole."""
    try:
        with closing(sqlite3.connect(file, timeout=15)) as connection:
            verdict = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    return "" if verdict == "ok" else " ".join(verdict.split())[:200]


def _dump_postgres(url: URL, target: Path) -> list[str]:
    """Let pg_dump write the database as of one snapshot, in which the photos' ids are read too."""
    pg_dump = program("pg_dump")
    with (
        engine_of(url.render_as_string(hide_password=False)) as engine,
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        ids = list(connection.scalars(text("SELECT id FROM photos ORDER BY id")))
        options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={target}"]
        run([pg_dump, *options], url)
    return ids


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
