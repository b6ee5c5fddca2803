"""Who uses a home: one server or one restore, and beside a server one backup; and the folders in which those work.

The system frees a lock when its process ends, however it ends; whoever has it next removes what the dead one left.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from app.store.db import JOURNAL, StoreError
from listing.home import make_home

NOTE = "note.json"  # in a working folder: whose it is, and the file that a backup was writing elsewhere
_WORKING = re.compile(r"\.(?:backup|restore)-(?:files|\d+(?:\.lock)?)")  # with a number: an earlier version's


class HomeInUse(StoreError):
    """Somebody else uses the home; the message says what to stop."""


@contextlib.contextmanager
def _held(file: Path, otherwise: str) -> Iterator[None]:
    lock = FileLock(file, timeout=0, thread_local=False, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise HomeInUse(otherwise) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def only_user(home: Path) -> Iterator[None]:
    """Nobody else serves from this home, which is made if missing, or restores into it. Raises HomeInUse."""
    make_home(home)
    otherwise = (
        f"{home} is in use by a running ./ipl serve or restore: stop that one first, or name another folder with "
        "IPL_HOME."
    )
    with _held(home / "home.lock", otherwise):
        yield


@contextlib.contextmanager
def at_work(home: Path) -> Iterator[None]:
    """No other backup or restore of this home is at work; what dead ones left there is removed. Raises HomeInUse."""
    with _held(home / "backup.lock", f"A backup or restore of {home} is at work: try again when it has ended."):
        clean_up(home, home)
        yield


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
    """
    folder = parent / f".{kind}-files"
    files = folder / "files"
    files.mkdir(mode=0o700, parents=True)
    (folder / NOTE).write_text(json.dumps({"home": str(home), "part": str(part) if part else None}))
    try:
        yield files
    finally:
        if not keep():
            shutil.rmtree(folder, ignore_errors=True)


def working_folders(parent: Path) -> list[Path]:
    """The working folders in ``parent``, of the living and the dead."""
    return sorted(p for p in parent.iterdir() if _WORKING.fullmatch(p.name)) if parent.is_dir() else []


def note_of(folder: Path) -> dict[str, str | None]:
    """Whose a working folder is: ``home`` and ``part``; empty when nothing is noted."""
    try:
        return dict(json.loads((folder / NOTE).read_text()))
    except (OSError, ValueError):
        return {}


def clean_up(parent: Path, home: Path) -> None:
    """Remove working folders of ``home``, whose lock the caller holds; what a journal still needs stays."""
    for folder in working_folders(parent):
        note = note_of(folder)
        needed = folder.name.startswith(".restore-") and (home / JOURNAL).exists()
        if note.get("home") in (None, str(home)) and not needed:
            if note.get("part"):
                Path(str(note["part"])).unlink(missing_ok=True)
            shutil.rmtree(folder) if folder.is_dir() else folder.unlink(missing_ok=True)
