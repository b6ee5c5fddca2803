"""Space that is held back beside a database of SQLite, which has to write before it can delete.

On a full disk it is given way for a deletion, and held back again from what that has freed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

SPARE_BYTES = 4 << 20  # a deletion writes each page that it changes, of 4 kB, into the write-ahead log first


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
                os.posix_fallocate(descriptor, held, more)
            finally:
                os.close(descriptor)


def give_way(database: Path) -> None:
    """Give the space free where the disk is nearly full."""
    spare = _spare(database)
    with contextlib.suppress(OSError):
        if spare.exists() and shutil.disk_usage(database.parent).free < SPARE_BYTES:
            spare.unlink()
