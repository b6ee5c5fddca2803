"""Results worked out of a table before: photos and texts are encoded, scrubbed and checked once, whatever its mapping.

One SQLite file a table. It may be deleted at any time; then everything is worked out again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rag_index.imports.tables import ImportProblem

BUSY_SECONDS = 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS known (
    work TEXT, digest TEXT, listing TEXT, words TEXT, numbers BLOB, PRIMARY KEY (work, digest)
) WITHOUT ROWID
"""
Used = set[tuple[str, str]]


class Encoded(NamedTuple):
    """A vector, and the digest of what it was made of; of a photo also its perceptual hash."""

    digest: str
    numbers: np.ndarray
    phash: str = ""


class WorkStore:
    """Results by the work that made them (its name changes with the model or the code) and the digest of its input.

    listing: with whose removal a result goes. Results are on the disk after ``commit``.
    """

    def __init__(self, database: sqlite3.Connection, used: Used) -> None:
        self._database = database
        self._used = used

    def vector(self, work: str, digest: str) -> Encoded | None:
        """The vector of what has this digest, or None."""
        row = self._find(work, digest)
        return None if row is None else Encoded(digest, np.frombuffer(row[1], np.float32), row[0])

    def put(self, work: str, listing: str, encoded: Encoded) -> None:
        """Store a vector."""
        self._put(work, encoded.digest, listing, encoded.phash, encoded.numbers.astype(np.float32).tobytes())

    def once(self, work: str, listing: str, text: str, do: Callable[[str], str]) -> str:
        """``do(text)``, worked out once."""
        digest = digest_of(text)
        if (row := self._find(work, digest)) is not None:
            return row[0]
        result = do(text)
        self._put(work, digest, listing, result, b"")
        return result

    def commit(self) -> None:
        """Write what is new."""
        self._database.commit()

    def tidy(self) -> None:
        """Delete what is not in ``used``."""
        unused = [key for key in self._database.execute("SELECT work, digest FROM known") if key not in self._used]
        self._database.executemany("DELETE FROM known WHERE work = ? AND digest = ?", unused)
        self._database.commit()

    def _find(self, work: str, digest: str) -> tuple[str, bytes] | None:
        query = "SELECT words, numbers FROM known WHERE work = ? AND digest = ?"
        row: tuple[str, bytes] | None = self._database.execute(query, (work, digest)).fetchone()
        self._used.add((work, digest))
        return row

    def _put(self, work: str, digest: str, listing: str, words: str, numbers: bytes) -> None:
        values = (work, digest, listing, words, numbers)
        self._database.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?)", values)


def digest_of(text: str) -> str:
    """The digest that a text is stored under."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def open_work_store(home: Path, table: Path, used: Used) -> Iterator[WorkStore]:
    """The results for a table, in a file of the folder ``home``; ``used`` gets what is asked for and put.

    Raises:
        ImportProblem: the file cannot be used.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _opened(home / f"{digest_of(str(table.resolve()))[:16]}.sqlite") as database:
        yield WorkStore(database, used)


def forget(home: Path, listing_ids: Iterable[str]) -> None:
    """Delete the results for listings, of all tables."""
    ids = [(listing_id,) for listing_id in listing_ids]
    for file in home.glob("*.sqlite"):
        with _opened(file) as database:
            database.executemany("DELETE FROM known WHERE listing = ?", ids)
            database.commit()


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as database:
            database.execute("PRAGMA secure_delete=ON")
            database.execute(_TABLE)
            yield database
    except sqlite3.Error as error:
        raise ImportProblem(f"{file} cannot be used ({error}): free some space, or delete it and try again.") from error
