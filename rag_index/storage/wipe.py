"""Leaving no trace of removed rows in the files of an embedded Chroma database.

Chroma keeps what it was given in a queue until its vectors are in files of their own, and SQLite keeps deleted rows in
free pages. A wipe empties the queue of texts, and of rows that later ones replace, and then writes the database anew
(VACUUM). SQLite's locks hold between processes, not between Chroma's copy of SQLite and Python's in the same process:
so the wipe is a program of its own (this file, on the standard library alone). Chroma's calls wait while it runs.

The files of vectors begin as a piece of this process's memory, whatever stood there: their unused places are zeroed.
"""

from __future__ import annotations

import logging
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

log = logging.getLogger(__name__)
DATABASE = "chroma.sqlite3"
WIPED = "wiped"  # this file lies beside a database that holds nothing of what was removed
GATHER_SECONDS = 4.0  # removals that follow each other are wiped together
SHARE = 0.02  # of the time at most is spent on wiping, but
LONGEST_SECONDS = 600.0  # never is there a longer pause
BUSY_SECONDS = 30.0
LIMIT_SECONDS = 900.0
QUIET_SECONDS = 1.0  # longest wait for the moment between two calls of Chroma
_HEADER = struct.Struct("<i6Q")  # of hnswlib: version, -, places, used places, bytes a place, -, -
# Up to the metadata segment's number, the queue is read again for ids and vectors alone.
_FORGET_TEXTS = """
UPDATE embeddings_queue SET metadata = NULL WHERE metadata IS NOT NULL AND seq_id <= (
    SELECT max_seq_id.seq_id FROM segments JOIN max_seq_id ON max_seq_id.segment_id = segments.id
    WHERE segments.scope = 'METADATA' AND embeddings_queue.topic LIKE '%/' || segments.collection)
"""
_FORGET_REPLACED = """
DELETE FROM embeddings_queue
WHERE seq_id NOT IN (SELECT MAX(seq_id) FROM embeddings_queue GROUP BY topic, id)
"""


class Gate:
    """Many pass at the same time, or one is alone; nobody passes twice at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside, self._closed = 0, False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Around a call of Chroma."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self, seconds: float) -> Iterator[bool]:
        """Wait that long until nobody is inside; True if it came to that. Whoever comes meanwhile waits."""
        with self._changed:
            self._closed = True
            empty = self._changed.wait_for(lambda: self._inside == 0, seconds)
        try:
            yield empty
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()


class Wiper:
    """When a generation's folder is wiped, and how; for any thread."""

    def __init__(self, folder: Path, gate: Gate) -> None:
        self.folder, self.gate = folder, gate
        self.changed = False  # by this process, since the last wipe
        self._changes = 0
        self._since = time.monotonic()
        self._next = 0.0
        self._zeroed: dict[Path, int] = {}  # when a file of vectors was written that has been looked at
        self._counting, self._wiping = threading.Lock(), threading.Lock()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Around a call that removes or replaces rows."""
        self._note()  # before: a kill in the middle is known at the next start
        try:
            yield
        finally:
            self._note()  # after: a wipe that ran meanwhile does not count

    def _note(self) -> None:
        with self._counting:
            if not self.changed:
                self._since = time.monotonic()
            self.changed = True
            self._changes += 1
            (self.folder / WIPED).unlink(missing_ok=True)

    def wipe(self, *, at_once: bool = False) -> bool:
        """Wipe if something was removed and it is time to; True when nothing of it is left afterwards."""
        with self._wiping:
            zeroed = self._zero()
            if (self.folder / WIPED).exists():
                return zeroed
            began = time.monotonic()
            if not at_once and began < max(self._since + GATHER_SECONDS, self._next):
                return False
            with self._counting:
                changes = self._changes
            done = self._run() and self._zero()
            took = time.monotonic() - began
            self._next = began + took + min(took / SHARE, LONGEST_SECONDS)
            with self._counting:
                if not done or changes != self._changes:
                    return False
                (self.folder / WIPED).touch(mode=0o600)
                self.changed = False
                return True

    def close(self) -> None:
        """After Chroma was closed: what this process removed is wiped, or one that was killed before it."""
        if self.folder.is_dir():
            left = self.changed or not (self.folder / WIPED).exists()
            _ = self.wipe(at_once=True) if left else self._zero()

    def _zero(self) -> bool:
        """Zero the unused places of the files of vectors that were written since the last time."""
        headers = list(self.folder.glob("*/header.bin"))
        if all(self._zeroed.get(header) == header.stat().st_mtime_ns for header in headers):
            return True
        with self.gate.alone(QUIET_SECONDS) as alone:
            if not alone:
                return False
            for header in headers:
                try:
                    zero_unused(header)
                except (OSError, struct.error) as error:
                    log.warning("the files of vectors beside %s are damaged and left as they are: %s", header, error)
                self._zeroed[header] = header.stat().st_mtime_ns
            return True

    def _run(self) -> bool:
        command = [sys.executable, "-I", __file__, str(self.folder / DATABASE)]
        try:
            # Ctrl-C in the terminal stops the server, which waits for this.
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS, start_new_session=True
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            log.warning("the index in %s could not be wiped, it is tried again: %s", self.folder, error)
            return False
        if done.returncode:
            detail = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            log.warning("the index in %s could not be wiped, it is tried again: %s", self.folder, detail[:300])
        return done.returncode == 0


def wipe_database(file: Path) -> None:
    """Write the database anew without anything that was removed. Raises sqlite3.Error; then it is as it was."""
    with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as here:
        here.execute("PRAGMA secure_delete=ON")
        here.execute("BEGIN IMMEDIATE")
        here.execute(_FORGET_TEXTS)
        here.execute(_FORGET_REPLACED)
        here.execute("COMMIT")
        here.execute("VACUUM")
        here.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def zero_unused(header: Path) -> None:
    """Overwrite what stands behind the used places in the files of vectors beside the header."""
    version, _, places, used, size, *_ = _HEADER.unpack_from(header.read_bytes())
    if version != 1 or used > places:
        log.warning("%s is of a format that is not known here; its unused places are left as they are", header)
        return
    for name, of_place in (("data_level0.bin", size), ("length.bin", 4)):
        path = header.with_name(name)
        behind = path.stat().st_size - used * of_place
        if behind > 0:
            with path.open("r+b") as file:
                file.seek(used * of_place)
                file.write(bytes(behind))


if __name__ == "__main__":
    wipe_database(Path(sys.argv[1]))
