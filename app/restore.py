"""Bringing a backup back: everything is checked in a folder of its own before anything is put in its place.

An archive is input like any other: only files that its manifest names, with a name that a backup can have, of the
stated size and SHA-256, are taken; links, devices, absolute names and ``..`` are refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import inspect, make_url, select

from app import shelf
from app.backup import FORMAT, MANIFEST, POSTGRES, SQLITE, TargetExists, postgres_program, run_postgres
from app.db import open_engine, open_store
from app.settings import Settings
from app.tables import ListingRow

MOST_MANIFEST = 1 << 30
_BLOCK = 1 << 20
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_NAME = re.compile(rf"store\.sqlite|store\.pgdump|media/[0-9a-f]{{2}}/[0-9a-f]{{32}}\.jpg|feed(/{_PART}){{1,6}}")
_KEPT_ASIDE = ("store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "feed", "session.key")


class ArchiveError(ValueError):
    """The archive cannot be trusted or read; the message is one sentence. Nothing was changed."""


@dataclass(frozen=True)
class Restored:
    """What was brought back, and where what had been there lies now (None: nothing had been)."""

    listings: int
    photos: int
    store: str
    aside: Path | None


def restore(archive: Path, settings: Settings, *, force: bool = False) -> Restored:
    """Bring an archive back into ``settings.home`` (photos into its media folder, PostgreSQL into ``IPL_STORE``).

    With ``force`` what is there is moved aside, into a folder of the home; a PostgreSQL database is emptied.

    Raises:
        ArchiveError: the archive is damaged, was changed, or is of a newer version. TargetExists: the home holds data.
    """
    occupied = _occupied(settings)
    if occupied and not force:
        names = ", ".join(str(p) for p in occupied)
        raise TargetExists(
            f"There is data already ({names}): stop the server and add --force, which moves it aside, or name an empty "
            "folder with --home."
        )
    settings.home.mkdir(parents=True, exist_ok=True)
    stage = settings.home / f".restore-{os.getpid()}"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(mode=0o700)
    try:
        manifest = _unpack(archive, stage)
        kind = str(manifest["store"])
        _check_target(kind, settings, force)
        if kind == "sqlite":
            _check_sqlite(stage / SQLITE)
        aside = _move_aside(occupied, settings.home)
        url = settings.store_url
        if kind == "sqlite":
            listings = _index_again(f"sqlite:///{stage / SQLITE}")
        else:
            program = postgres_program("pg_restore")
            options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
            clean = ["--clean", "--if-exists"] if force else []
            run_postgres(program, make_url(url), [*options, *clean, str(stage / POSTGRES)])
            (stage / POSTGRES).unlink()
            listings = _index_again(url)
        photos = _put_in_place(stage, settings)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return Restored(listings, photos, kind, aside)


def _occupied(settings: Settings) -> list[Path]:
    """What would be overwritten. Models, wheels, index and logs of the set-up are none of it."""
    wanted = [*(settings.home / name for name in _KEPT_ASIDE), settings.media_folder]
    return [p for p in wanted if (any(p.iterdir()) if p.is_dir() else p.exists())]


def _check_target(kind: str, settings: Settings, force: bool) -> None:
    backend = make_url(settings.store_url).get_backend_name()
    if kind != backend or (kind == "sqlite" and settings.store):
        wanted = "unset IPL_STORE" if kind == "sqlite" else "name the database with IPL_STORE=postgresql://..."
        raise ArchiveError(f"The archive holds a store of {kind}: {wanted} and run the command again.")
    if kind == "sqlite":
        return
    postgres_program("pg_restore")
    engine = open_engine(settings.store_url)
    try:
        with engine.connect() as connection:
            if inspect(connection).get_table_names() and not force:
                raise TargetExists(
                    "The database that IPL_STORE names holds tables already: add --force to replace them."
                )
    finally:
        engine.dispose()


def _unpack(archive: Path, stage: Path) -> dict[str, Any]:
    """Unpack what the manifest names and check it; returns the manifest."""
    try:
        with tarfile.open(archive, "r:") as tar:
            manifest = _read_manifest(tar)
            files, left = manifest["files"], set(manifest["files"])
            for member in tar:
                if member.name == MANIFEST and member.offset == 0:
                    continue
                if member.name not in left:
                    raise ArchiveError(f"The archive holds {member.name[:200]!r}, which its manifest does not name.")
                left.discard(member.name)
                _unpack_one(tar, member, files[member.name], stage)
    except FileNotFoundError as error:
        raise ArchiveError(f"{archive} is not there; name the file that ./ipl backup wrote.") from error
    except (tarfile.TarError, EOFError, IsADirectoryError) as error:
        raise ArchiveError(f"{archive} is no whole archive of ./ipl backup ({error}).") from error
    if left:
        raise ArchiveError(
            f"The archive is cut off: {len(left)} files are missing, {sorted(left)[0]!r} is one of them."
        )
    return manifest


def _read_manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    file = tar.extractfile(first) if first is not None and first.isreg() and first.size <= MOST_MANIFEST else None
    if first is None or file is None or first.name != MANIFEST:
        raise ArchiveError("This is no archive of ./ipl backup: it does not begin with a manifest.")
    try:
        manifest = json.loads(file.read())
        files = manifest["files"]
        whole = isinstance(files, dict) and all(
            isinstance(f, dict) and isinstance(f.get("bytes"), int) and isinstance(f.get("sha256"), str)
            for f in files.values()
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ArchiveError("The archive's manifest cannot be read.") from error
    if manifest.get("format") != FORMAT:
        raise ArchiveError(
            f"The archive has format {manifest.get('format')!r:.20}, this program reads {FORMAT}; update it."
        )
    if not whole or manifest.get("store") not in ("sqlite", "postgresql"):
        raise ArchiveError("The archive's manifest cannot be read.")
    for name in files:
        if not _NAME.fullmatch(name) or ".." in PurePosixPath(name).parts:
            raise ArchiveError(
                f"The archive holds {name[:200]!r}, which is no name of a backup; it was not made by ./ipl."
            )
    if {SQLITE: "sqlite", POSTGRES: "postgresql"}.get(next((n for n in files if n.startswith("store.")), "")) != (
        manifest["store"]
    ):
        raise ArchiveError("The archive holds no store.")
    return dict(manifest)


def _unpack_one(tar: tarfile.TarFile, member: tarfile.TarInfo, entry: Mapping[str, Any], stage: Path) -> None:
    if not member.isreg() or member.size != entry["bytes"]:
        raise ArchiveError(f"{member.name} in the archive is not the file that its manifest describes.")
    target = stage / PurePosixPath(member.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None
    found = hashlib.sha256()
    with target.open("xb") as file:
        while block := source.read(_BLOCK):
            found.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if found.hexdigest() != entry["sha256"]:
        raise ArchiveError(f"{member.name} in the archive is damaged or was changed: its checksum differs.")


def _check_sqlite(file: Path) -> None:
    try:
        with closing(sqlite3.connect(file)) as connection:
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said = str(error)
    if said != "ok":
        raise ArchiveError(f"The store in the archive is damaged ({str(said)[:200]}).")
    open_store(f"sqlite:///{file}").engine.dispose()  # migrated; one of a newer version is refused here


def _index_again(url: str) -> int:
    """Note every listing for the index, whose texts may be those of another day; returns how many there are."""
    store = open_store(url)
    try:
        with store.write() as session:
            ids = list(session.scalars(select(ListingRow.id)))
            for listing_id in ids:
                shelf.to_index_again(session, listing_id)
    finally:
        store.engine.dispose()
    return len(ids)


def _move_aside(occupied: list[Path], home: Path) -> Path | None:
    if not occupied:
        return None
    aside = home / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    aside.mkdir(mode=0o700)
    for path in occupied:
        shutil.move(path, aside / path.name)
    return aside


def _put_in_place(stage: Path, settings: Settings) -> int:
    """Move what was unpacked to where the server looks for it; returns the number of photos."""
    photos = sum(1 for _ in (stage / "media").glob("??/*.jpg"))
    if (stage / "media").is_dir():
        if settings.media_folder.is_dir():
            settings.media_folder.rmdir()  # empty, or it would have been moved aside
        settings.media_folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(stage / "media", settings.media_folder)
    for name in ("feed", SQLITE):
        if (stage / name).exists():
            if (settings.home / name).is_dir():
                (settings.home / name).rmdir()
            shutil.move(stage / name, settings.home / name)
    return photos
