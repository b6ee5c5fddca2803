"""Files for their owner's eyes, replaced whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path


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
