"""What stands below the services of a test: which database, which index. Each test gets an empty one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from app.store.db import open_store
from app.store.search_index import SearchIndex
from rag_index import build
from tests.app.support.small_index import SmallEncoders, open_index
from tests.fakes import FakeIndex
from tests.servers import Postgres, Server

TEMPLATE = "ipl_template"


@dataclass
class Backend:
    """Settings that name the store (none: SQLite in the test's folder), and the index, one for the whole test.

    location: folder or address of a real index; none: one in memory for each services, as quick as a test wants it.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    location: str | Path | None = None
    opened: SearchIndex | None = None

    def index(self) -> SearchIndex:
        """The index; a real one is opened once, as it has one owner."""
        if self.location is None:
            return FakeIndex()
        if self.opened is None:
            self.opened = open_index(self.location)
        return self.opened


class Databases:
    """A PostgreSQL server of the test run, and databases on it that are copies of a migrated one."""

    def __init__(self) -> None:
        self.server = Postgres(fsync=False)
        self._numbers = count()

    def start(self) -> None:
        """Start the server and make the database that is copied."""
        self.server.start()
        self._say(f"CREATE DATABASE {TEMPLATE}")
        open_store(self.server.url(TEMPLATE)).engine.dispose()

    @contextmanager
    def fresh(self, template: str = TEMPLATE) -> Iterator[str]:
        """The address of a database without rows, which is gone afterwards."""
        name = f"test_{next(self._numbers)}"
        self._say(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.server.url(name)
        finally:
            self._say(f"DROP DATABASE {name} WITH (FORCE)")

    def _say(self, sentence: str) -> None:
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(sentence)  # type: ignore[call-overload]


@contextmanager
def on_files(folder: Path) -> Iterator[Backend]:
    """SQLite and an embedded Chroma, both in the folder."""
    yield Backend(location=folder / "index")


@contextmanager
def on_servers(databases: Databases, chroma: Server) -> Iterator[Backend]:
    """PostgreSQL and a Chroma server."""
    build([], chroma.url, SmallEncoders().info)
    with databases.fresh() as url:
        yield Backend({"store": url}, chroma.url)
