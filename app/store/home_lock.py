"""Who uses a home: one server or one restore at a time, and the folders in which a backup or a restore works.

The system frees a lock when its process ends, however it ends; a folder whose lock is free was left by a dead process.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from app.store.db import JOURNAL, StoreError
from listing.home import make_home

LOCK = "home.lock"
NOTE = "note.json"  # in a working folder: whose it is, and the file that a backup was writing elsewhere
_WORKING = re.compile(r"\.(?:backup|restore)-\d+")


class HomeInUse(StoreError):
    """Somebody else uses the home; the message says what to stop."""


@contextlib.contextmanager
def only_user(home: Path) -> Iterator[None]:
    """Nobody else serves from this home, which is made if missing, or restores into it. Raises HomeInUse."""
    make_home(home)
    lock = _lock(home / LOCK)
    try:
        lock.acquire()
    except Timeout:
        raise HomeInUse(
            f"{home} is in use by a running ./ipl serve or restore: stop that one first, or name another folder with "
            "IPL_HOME."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _lock(file: Path) -> FileLock:
    return FileLock(file, timeout=0, thread_local=False, mode=0o600)


@contextlib.contextmanager
def working_folder(
    parent: Path,
    kind: Literal["backup", "restore"],
    home: Path,
    part: Path | None = None,
    keep: Callable[[], bool] = lambda: False,
) -> Iterator[Path]:
    """An empty folder in ``parent`` for a backup or a restore of ``home``; it goes at the end, unless ``keep()``.

    Args:
        part: the file that is written elsewhere meanwhile; ``clean_up`` removes it too when this process has died.

    Raises:
        HomeInUse: another one with this process id, of another container, is at work there.
    """
    folder = parent / f".{kind}-{os.getpid()}"
    lock = _lock(_lock_file(folder))
    try:
        lock.acquire()
    except Timeout:
        raise HomeInUse(f"Another {kind} is at work in {parent}; try again when it has ended.") from None
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        (folder / NOTE).write_text(json.dumps({"home": str(home), "part": str(part) if part else None}))
        files = folder / "files"
        files.mkdir(mode=0o700)
        yield files
    finally:
        if not keep():
            shutil.rmtree(folder, ignore_errors=True)
        _lock_file(folder).unlink(missing_ok=True)
        lock.release()


def _lock_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def working_folders(parent: Path) -> list[Path]:
    """The working folders in ``parent``, of the living and the dead, also such as have a lock and no folder yet."""
    names = {p.name.removesuffix(".lock") for p in parent.iterdir()} if parent.is_dir() else set()
    return [parent / name for name in sorted(names) if _WORKING.fullmatch(name)]


def note_of(folder: Path) -> dict[str, str | None]:
    """Whose a working folder is: ``home`` and ``part``; empty when it was left by an older version."""
    try:
        return dict(json.loads((folder / NOTE).read_text()))
    except (OSError, ValueError):
        return {}


def clean_up(parent: Path, home: Path) -> list[Path]:
    """Remove the working folders of dead backups and restores of ``home``; returns those of living ones.

    What a journal still needs stays.
    """
    living = []
    for folder in working_folders(parent):
        lock = _lock(_lock_file(folder))
        try:
            lock.acquire()
        except Timeout:
            living.append(folder)
            continue
        note = note_of(folder)
        needed = folder.name.startswith(".restore-") and (home / JOURNAL).exists()
        if note.get("home") in (None, str(home)) and not needed:
            if note.get("part"):
                Path(str(note["part"])).unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        _lock_file(folder).unlink(missing_ok=True)
        lock.release()
    return living
