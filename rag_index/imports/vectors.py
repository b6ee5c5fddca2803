"""What was encoded of a table before: its photos and texts are encoded once, whatever its mapping says later.

One SQLite file a table. It may be deleted at any time; then everything is encoded again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rag_index.imports.tables import ImportProblem

FORMAT = 1
BUSY_SECONDS = 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS vector (
    model TEXT, digest TEXT, listing TEXT, phash TEXT, numbers BLOB, PRIMARY KEY (model, digest)
) WITHOUT ROWID
"""


class Encoded(NamedTuple):
    """A vector; of a photo also its perceptual hash."""

    digest: str
    numbers: np.ndarray
    phash: str = ""


class VectorStore:
    """Vectors by model and by the digest of what they were made of; open it with ``vector_store``."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def find(self, model: str, digest: str) -> Encoded | None:
        """The vector of what has this digest, or None."""
        query = "SELECT phash, numbers FROM vector WHERE model = ? AND digest = ?"
        row = self._database.execute(query, (_key(model), digest)).fetchone()
        return None if row is None else Encoded(digest, np.frombuffer(row[1], np.float32), row[0])

    def put(self, model: str, listing: str, made: Encoded) -> None:
        """Store a vector; ``listing``: with whose removal it goes. It is on the disk after ``commit``."""
        values = (_key(model), made.digest, listing, made.phash, made.numbers.astype(np.float32).tobytes())
        self._database.execute("INSERT OR REPLACE INTO vector VALUES (?, ?, ?, ?, ?)", values)

    def commit(self) -> None:
        """Write what was put."""
        self._database.commit()

    def keep(self, used: Iterable[tuple[str, str]]) -> None:
        """Delete all vectors but these, by model and digest."""
        wanted = {(_key(model), digest) for model, digest in used}
        unused = [key for key in self._database.execute("SELECT model, digest FROM vector") if key not in wanted]
        self._database.executemany("DELETE FROM vector WHERE model = ? AND digest = ?", unused)
        self._database.commit()


@contextmanager
def vector_store(home: Path, table: Path) -> Iterator[VectorStore]:
    """The store of a table in the folder ``home``, made where there is none; ImportProblem: it cannot be used."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / f"{hashlib.sha256(str(table.resolve()).encode()).hexdigest()[:16]}.sqlite"
    with _explained(file), closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as database:
        database.execute("PRAGMA secure_delete=ON")
        database.execute(_TABLE)
        yield VectorStore(database)


def forget(home: Path, listing_ids: Iterable[str]) -> None:
    """Delete the vectors of listings from the stores of all tables."""
    ids = [(listing_id,) for listing_id in listing_ids]
    for file in home.glob("*.sqlite"):
        with _explained(file), closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as database:
            database.execute("PRAGMA secure_delete=ON")
            database.execute(_TABLE)
            database.executemany("DELETE FROM vector WHERE listing = ?", ids)
            database.commit()


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ImportProblem(f"{file} cannot be used ({error}): free some space, or delete it and try again.") from error


def _key(model: str) -> str:
    return f"{FORMAT}:{model}"
