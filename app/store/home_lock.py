"""Who uses a home: one server at a time. The system frees the lock when its process ends, however it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from app.store.db import StoreError
from listing.home import make_home


class HomeInUse(StoreError):
    """Somebody else uses the home; the message says what to stop."""


@contextlib.contextmanager
def held(file: Path, otherwise: str) -> Iterator[None]:
    """Nobody else holds the lock ``file``. Raises HomeInUse with the sentence ``otherwise``."""
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
    """Nobody else serves from this home, which is made if missing. Raises HomeInUse."""
    make_home(home)
    otherwise = f"{home} is in use by a running ./ipl serve: stop that one first, or name another folder with IPL_HOME."
    with held(home / "home.lock", otherwise):
        yield
