"""Copies of an embedded index for several processes that only read: a folder has one owner, each copy has its own."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rag_index.errors import IndexFailure, IndexMissing
from rag_index.storage.location import find_place

_PREFIX = "index-copies-"


@contextmanager
def still_copy(location: str, under: Path) -> Iterator[str]:
    """The location that ``own_copy`` takes: a server's address as it is, or a copy of the folder as it is now.

    The copies lie in a new folder below ``under`` and go with it at the end, or, after a kill, at the next call.

    Raises:
        IndexMissing, IndexBusy: see ``errors.py``.
    """
    if location.startswith(("http://", "https://")):
        yield location
        return
    if not (Path(location) / "manifest.json").is_file():
        raise IndexMissing(f"There is no index in {location}; make one with: ipl index build.")
    under.mkdir(parents=True, exist_ok=True)
    _sweep(under)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=under) as folder, FileLock(Path(folder) / "owner"):
        copy = Path(folder) / "still"
        place = find_place(location)  # nobody writes while it is ours
        try:
            generation = place.current().generation
            shutil.copytree(Path(location) / generation, copy / generation)
            shutil.copy(Path(location) / "manifest.json", copy)
        finally:
            place.close()
        yield str(copy)


def own_copy(still: str) -> str:
    """The location that this process alone may open, made of a still copy.

    Raises:
        IndexFailure: the still copy lies on another machine, or is gone.
    """
    if still.startswith(("http://", "https://")):
        return still
    copy = Path(still).parent / secrets.token_hex(8)
    try:
        shutil.copytree(still, copy)
    except (OSError, shutil.Error) as error:
        raise IndexFailure(
            f"{still} cannot be copied here; give every machine one index server "
            "(chroma run --path FOLDER, and IPL_INDEX with its address)."
        ) from error
    return str(copy)


def _sweep(under: Path) -> None:
    """Remove what killed processes left: folders that nobody holds."""
    for folder in under.glob(f"{_PREFIX}*"):
        try:
            with FileLock(folder / "owner", timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue
