"""Bringing a backup back into a new home: everything is unpacked and checked beside it, then renamed in one step.

An archive is input like any other: only files that its manifest names, with a name that a backup can have, of the
stated size and SHA-256, are taken; links, devices, absolute names and ``..`` are refused.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, Field, StrictInt, ValidationError
from sqlalchemy import inspect, make_url, select
from sqlalchemy.exc import DBAPIError

from app.settings import Settings
from app.store import listing_repo
from app.store.backup.archive import FORMAT, MANIFEST, POSTGRES, SQLITE, TargetExists, on_disk_of
from app.store.backup.checks import check_pages
from app.store.backup.postgres import load
from app.store.db import Store, engine_of, migrations, open_store, unusable
from app.store.files import sync
from app.store.media import Media, store_id
from app.store.tables import ListingRow
from listing.errors import IplError
from listing.home import private_files

MAX_MANIFEST_BYTES = 1 << 30
_BLOCK = 1 << 20
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_NAME = re.compile(rf"store\.sqlite|store\.pgdump|media/[0-9a-f]{{2}}/[0-9a-f]{{32}}\.jpg|feed(/{_PART}){{1,6}}")


class ArchiveError(IplError):
    """The archive cannot be trusted or read; the message is one sentence. Nothing was changed."""

    code, exit_status = "bad_archive", 2


class _Entry(BaseModel):
    bytes: StrictInt
    sha256: str


class _Manifest(BaseModel):
    format: Any
    store: Literal["sqlite", "postgresql"]
    schema_: str = Field("", alias="schema")  # archives of before say none
    files: dict[str, _Entry]


@dataclass(frozen=True)
class Restored:
    """What was brought back."""

    listings: int
    photos: int
    store: str


def restore(archive: Path, into: Path, settings: Settings) -> Restored:
    """Bring an archive back into the folder ``into``, a PostgreSQL store into the empty database of ``settings``.

    The folder is there when all is done, or stays as it was.

    Raises:
        ArchiveError: the archive is damaged, was changed, or is of a newer version. TargetExists: the folder or the
            database holds something. BackupError: the database cannot be loaded.
    """
    if into.is_symlink() or (into.exists() and not into.is_dir()):
        raise TargetExists(f"{into} is no folder: name a new one.")
    if into.is_dir() and any(into.iterdir()):
        raise TargetExists(f"{into} is not empty: name a new folder; what is there stays as it is.")
    with private_files(), on_disk_of(into.parent):
        into.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{into.name}.", suffix=".part", dir=into.parent))
        try:
            kind = _unpack(archive, stage, settings).store
            listings = _ready_sqlite(stage) if kind == "sqlite" else _load(stage, settings)
            photos = sum(1 for _ in stage.glob("media/??/*.jpg"))
            sync(Path(folder) for folder, *_ in os.walk(stage))
            _rename(stage, into)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return Restored(listings, photos, kind)


def _rename(stage: Path, into: Path) -> None:
    try:
        stage.rename(into)
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
            raise
        raise TargetExists(f"{into} is a mounted disk, or is in use: name a new folder inside it.") from error
    sync([into.parent])


def _ready_sqlite(stage: Path) -> int:
    """Check the unpacked store and bring it up to date; returns the number of its listings."""
    try:
        with closing(sqlite3.connect(stage / SQLITE)) as connection:
            check_pages(connection)
    except sqlite3.DatabaseError as error:
        raise ArchiveError(f"The store in the archive is damaged ({error}).") from error
    return _ready(open_store(f"sqlite:///{stage / SQLITE}"), stage)  # one of a newer version is refused here


def _load(stage: Path, settings: Settings) -> int:
    """Bring the unpacked dump into its database and up to date; returns the number of listings."""
    load(stage / POSTGRES, make_url(settings.store_url))
    listings = _ready(open_store(settings.store_url), stage)
    (stage / POSTGRES).unlink()
    return listings


def _ready(store: Store, stage: Path) -> int:
    """Note every listing for the index, whose texts may be those of another day, and to whom the photos belong."""
    try:
        with store.write() as session:
            ids = list(session.scalars(select(ListingRow.id)))
            for listing_id in ids:
                listing_repo.to_index_again(session, listing_id)
        Media(stage / "media").write_mark(store_id(store.engine) or "")
    finally:
        store.engine.dispose()
    return len(ids)


def _check_store(manifest: _Manifest, settings: Settings) -> None:
    """Whether this version can read the archive's store, and has an empty place for it."""
    if manifest.schema_ > max(migrations()[1]):
        raise ArchiveError(f"The archive is of a newer version of IPL (schema {manifest.schema_:.20}); update IPL.")
    if manifest.store == "sqlite":
        return
    if make_url(settings.store_url).get_backend_name() != "postgresql":
        raise ArchiveError(
            "The archive holds a store of postgresql: name an empty database with IPL_STORE=postgresql://... and run "
            "the command again."
        )
    with engine_of(settings.store_url) as engine:
        try:
            tables = inspect(engine).get_table_names()
        except DBAPIError as error:
            raise unusable(engine.url.render_as_string(hide_password=True), error.orig) from error
    if tables:
        raise TargetExists("The database that IPL_STORE names is not empty: name a new one; what is there stays.")


def _unpack(archive: Path, stage: Path, settings: Settings) -> _Manifest:
    """Unpack what the manifest names and check it; returns the manifest."""
    try:
        with tarfile.open(archive, "r:") as tar:
            manifest = _read_manifest(tar)
            _check_store(manifest, settings)
            files, left = manifest.files, set(manifest.files)
            for member in tar:
                if member.name == MANIFEST and member.offset == 0:
                    continue
                if member.name not in left:
                    raise ArchiveError(f"The archive holds {member.name[:200]!r}, which its manifest does not name.")
                left.discard(member.name)
                _unpack_one(tar, member, files[member.name], stage / PurePosixPath(member.name))
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
