"""Files of the store's folder: written for their owner's eyes, whole or not at all; and space held back beside SQLite.

A database of SQLite has to write before it can delete: on a full disk that space is free for a deletion, and held back
again from what the deletion has freed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

SPARE_BYTES = 4 << 20  # a deletion writes each page that it changes, of 4 kB, into the write-ahead log first


def replace_privately(path: Path, content: bytes) -> None:
    """Write a file (mode 0600) and put it in its place in one step; what a crash leaves is the old file or the new one.

    A file that was there keeps its owner and its group's right to read, so that a server goes on reading what another
    user changed.

    Raises:
        OSError: it cannot be written; the old file is untouched.
    """
    path = path.resolve()  # a link stays a link
    before = path.stat() if path.exists() else None
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if before is not None:
                if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(descriptor, before.st_uid, before.st_gid)
                os.fchmod(descriptor, 0o600 | stat.S_IMODE(before.st_mode) & 0o040)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync([path.parent])


def sync(folders: Iterable[Path]) -> None:
    """Write the folders' own entries to the disk."""
    for folder in folders:
        if folder.is_dir():
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _spare(database: Path) -> Path:
    return database.with_name(f"{database.name}-spare")  # as SQLite names its own files beside it


def hold_back(database: Path) -> None:
    """Hold the space back, or as much of it as there is; not on file systems that cannot."""
    spare = _spare(database)
    with contextlib.suppress(OSError):
        held = spare.stat().st_size if spare.exists() else 0
        more = min(SPARE_BYTES - held, shutil.disk_usage(database.parent).free)
        if more > 0:
            descriptor = os.open(spare, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(descriptor, held, more)
                else:  # macOS
                    os.pwrite(descriptor, bytes(more), held)
            finally:
                os.close(descriptor)


def give_way(database: Path) -> None:
    """Give the space free where the disk is nearly full."""
    spare = _spare(database)
    with contextlib.suppress(OSError):
        if spare.exists() and shutil.disk_usage(database.parent).free < SPARE_BYTES:
            spare.unlink()
