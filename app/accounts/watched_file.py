"""A small file that is read again while the server runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")
CHECK_SECONDS = 0.5


class Watched(Generic[T]):
    """Contents of a file, at most half a second old.

    A file that became unusable changes nothing: what it said before still holds, and a warning is logged.

    Args:
        read: reads the file; its errors go to the caller here, and only here.
    """

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        self._path, self._read = path, read
        self._lock = threading.Lock()
        self._warned = ""
        self._bytes = self._look()
        self._value = read(path)
        self._next = time.monotonic() + CHECK_SECONDS

    def get(self) -> T:
        """Contents of the file."""
        # Whoever comes while another thread reads takes what is known, and waits for nobody.
        if time.monotonic() >= self._next and self._lock.acquire(blocking=False):
            try:
                self._refresh()
                self._next = time.monotonic() + CHECK_SECONDS
            finally:
                self._lock.release()
        return self._value

    def put(self, write: Callable[[], None]) -> None:
        """Change the file by ``write`` and read it at once."""
        with self._lock:
            write()
            self._refresh()

    def _refresh(self) -> None:
        content = self._look()
        if content is not None and content == self._bytes:
            return
        try:
            self._value = self._read(self._path)
        except Exception as error:
            if str(error) != self._warned:
                self._warned = str(error)
                log.warning("%s Until then, what it said before holds.", error)
        else:
            self._warned = ""
        self._bytes = content

    def _look(self) -> bytes | None:
        """What the file holds; None where it cannot be read."""
        try:
            return self._path.read_bytes()
        except OSError:
            return None
