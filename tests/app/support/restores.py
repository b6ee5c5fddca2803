"""Homes with data, real servers on them, and what a restore brings back."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path

from sqlalchemy import select

from app.services import Services
from app.store.tables import Base, OutboxRow
from listing.intake.photos import intake
from tests.app.support import slow_server
from tests.fakes import FakeIndex, FakePipeline, jpeg
from tests.forked import Forked

FEED = Path("feed") / "feed.yaml"


def start(settings):
    return Services(settings, pipeline=FakePipeline(), index=FakeIndex())


def publish_some(services, count, color, key=""):
    me = services.sellers.only().id
    ids = []
    for n in range(count):
        draft = list(services.draft_writer.start(me, intake([jpeg((40 * n, color, 9))])))[-1]
        ids.append(services.publisher.publish(me, draft.draft_id, key=f"{key}{n}").id)
    return ids


def write_feed(home, said):
    (home / FEED).parent.mkdir(parents=True, exist_ok=True)
    (home / FEED).write_text(said)


WIDTH = {"store_identity": 1}  # columns; behind them it notes the time that servers run


def rows_of(store):
    """Every row of every table but the outbox, in which a restore asks for the index, and the sequence of changes, in
    which it then says that the index has followed."""
    with store.engine.connect() as connection:
        return {
            table.name: [
                tuple(row)[: WIDTH.get(table.name)]
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in Base.metadata.sorted_tables
            if table.name != OutboxRow.__tablename__
        } | {"outbox": waiting_of(connection)}


def waiting_of(connection):
    """Notices and files of photos that wait."""
    query = select(OutboxRow.topic, OutboxRow.key, OutboxRow.body).order_by(OutboxRow.id)
    return connection.execute(query.where(OutboxRow.topic.in_(["notice", "photo"]))).all()


def photos_of(services):
    return {i: services.media.path(i).read_bytes() for i in services.media.ids()}


def damage(home, table):
    """Overwrite the root page of a table of a store on SQLite that nobody has open."""
    file = home / "store.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    with file.open("r+b") as opened:
        opened.seek((root - 1) * size)
        opened.write(b"\xa5" * size)


def state(settings):
    """Everything that a backup holds, as the next start of a server finds it."""
    services = start(settings)
    try:
        return rows_of(services.store), photos_of(services), (settings.home / FEED).read_text()
    finally:
        services.close()


def leftovers(*folders):
    """What a killed backup or restore left in homes and beside archives."""
    return [str(p) for folder in folders for pattern in (".*.part", ".backup/[!l]*") for p in folder.glob(pattern)]


@contextlib.contextmanager
def server(home, seconds=0.0, **environment):
    """A real server on a home, whose model waits ``seconds`` before each event; yields its address and its process."""
    process = Forked(slow_server.main, str(home), seconds, **{"IPL_LOG_JSON": "1", **environment})
    try:
        found = re.search(r"http://\S+?(?=/)", process.line_with("http://"))
        yield found[0] if found else "", process
    finally:
        process.kill()
