"""How long behaviour is kept: pages, events, keys past ``log_days`` go, bit by bit; listings and orders stay. Where the
clock jumps nothing goes as too old that is not, and nobody is signed out."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from app.feed.log import write_log
from app.store import clock, retention
from app.store.tables import (
    DraftRow,
    EventRow,
    FeedEventRow,
    FeedItemRow,
    FeedPageRow,
    FeedPostRow,
    FeedRow,
    KeyRow,
    ListingRow,
    MessageRow,
    OrderRow,
    now,
)
from app.web.server import keepers
from tests.app.support.clients import client_of, published
from tests.app.support.shop import buy, posted, report, seen

LOGS = (FeedPageRow, FeedRow, FeedEventRow, FeedPostRow, EventRow, MessageRow, KeyRow)
STAY = (ListingRow, OrderRow, FeedItemRow)


def count(services, table):
    return counts(services, [table])[table.__tablename__]


def counts(services, tables):
    with services.store.read() as session:
        return {t.__tablename__: session.scalar(select(func.count()).select_from(t)) for t in tables}


def tidy(services):
    """What the clock does every hour."""
    for keeper in keepers(services):
        for name in ("retiring old drafts", "sweeping photos", "forgetting behaviour"):
            keeper.works.get(name, int)()


def look(client):
    """A page on which everything was seen and clicked."""
    page = seen(client, "vera")
    for place in page["places"]:
        assert report(client, "vera", page, "click", place).status_code == 200
    return page


def use(client):
    listings = [published(client, price=n) for n in range(1, 8)]
    posted(client)
    client.get("/feed")
    client.post(f"/l/{listings[5]['id']}/ask", data={"text": "Is it warm?"})
    page = look(client)
    assert any(p["post"] for p in page["places"])
    order = buy(client, listings[0], page_id=page["id"]).json()
    client.post(f"/v1/orders/{order['id']}/refund")
    return listings, buy(client, listings[1], key="k2", page_id=page["id"]).json()


def age(services, days):
    """Everything that was logged becomes that many days older."""
    with services.store.write() as session:
        for table in (FeedPageRow, FeedEventRow, EventRow, MessageRow, KeyRow):
            session.execute(update(table).values(at=now() - timedelta(days=days)))


@pytest.mark.stores(both=True)
def test_behaviour_past_its_days_goes_alone(build, monkeypatch, tmp_path):
    monkeypatch.setattr(retention, "BATCH", 2)
    services = build(feed_per_second=1e6, log_days=100)
    with client_of(services) as client:
        listings, standing = use(client)
        with services.store.write() as session:
            nothing = {name: [] for name in ("item_id", "policy", "pctr", "bid", "rank", "shown")}
            page_id = session.scalars(select(FeedPageRow.id)).one()
            session.get(FeedPageRow, page_id).candidates = nothing
        before, stay = counts(services, LOGS), counts(services, STAY)
        assert all(before.values())
        age(services, 99)
        tidy(services)
        assert counts(services, LOGS) == before
        age(services, 101)
        fresh = look(client)  # made now: stays
        tidy(services)
        assert counts(services, [FeedPageRow, KeyRow]) == {"feed_pages": 1, "idempotency_keys": 1}
        assert counts(services, [EventRow, MessageRow]) == {"assistant_events": 0, "messages": 0}
        assert counts(services, STAY) == stay
        with services.store.read() as session:
            assert session.scalars(select(FeedPageRow.id)).all() == [fresh["id"]]
            assert set(session.scalars(select(FeedRow.page_id))) == {fresh["id"]}
            assert session.scalars(select(KeyRow.listing_id)).all() == [standing["listing_id"]]
            # Numbers of rows may be given again: an order must not point at somebody else's.
            assert set(session.scalars(select(OrderRow.row_id))) == {None}
        # The same buyer's wish with the same key is still the same order.
        assert buy(client, listings[1], key="k2").json()["id"] == standing["id"]
    written = write_log(services.store, tmp_path / "log")
    assert written.rows["impression"] == len(fresh["places"])
    assert written.rows["order"] == 0


def test_writers_come_between_steps_of_a_deletion(build, monkeypatch):
    services = build(feed_per_second=1e6, log_days=1)
    client = client_of(services)
    published(client)
    seen(client, "vera")
    with services.store.write() as session:
        one = session.scalars(select(FeedPageRow)).one()
        session.add_all(
            FeedPageRow(id=f"{n:032x}", visitor=one.visitor, at=now() - timedelta(days=9), known={}, models={})
            for n in range(3_000)
        )
    left: list[int] = []
    write = services.store.write

    @contextmanager
    def between():
        with write() as session:
            yield session
        with monkeypatch.context() as usual:
            usual.setattr(services.store, "write", write)
            seen(client, "vera")  # somebody's page, between two steps
        left.append(counts(services, [FeedPageRow])["feed_pages"])

    monkeypatch.setattr(services.store, "write", between)
    assert services.housekeeping.forget() == 3_000
    assert len({pages // 100 for pages in left}) > 2
    assert left[-1] == len(left) + 1


@pytest.fixture
def moved(monkeypatch):
    """Moves the clock of this process: ``moved(days=40)``; ``moved()`` sets it right again. ``moved.run(hours=1)``: so
    long a server runs, by the clock too."""
    real, ran = time.time, timedelta()

    class Moved(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(time.time(), tz)

    def move(**by):
        seconds = timedelta(**by).total_seconds()
        monkeypatch.setattr(time, "time", lambda: real() + seconds + ran.total_seconds())
        monkeypatch.setattr(clock, "datetime", Moved)

    def run(**more):
        nonlocal ran
        ran += timedelta(**more)
        monkeypatch.setattr(retention, "monotonic", lambda: time.monotonic() + ran.total_seconds())

    move.run = run
    return move


def left(services, me, photos):
    """A draft, a page of the feed, and a photo in the trash."""
    draft = list(services.draft_writer.start(me, photos))[-1]
    with client_of(services) as client:
        published(client)
        seen(client)
    stray = services.media.save("ab" * 16, b"stray")
    trash = services.media.folder / ".trash"
    trash.mkdir(exist_ok=True)
    stray.rename(trash / stray.name)
    return draft, trash / stray.name


JUMPS = {
    "40 days ahead, and two more a minute later": [40, 42],
    "40 days behind, right, 40 days ahead": [-40, 0, 40],
    "ahead and right by turns": [40, 0, 40, 0, 40],
    "further with each start": [40, 80, 120, 160],
    "23 hours further with each start": [n * 23 / 24 for n in range(1, 10)],
    "from 1970, and right": [-20_000, 0],
}


@pytest.mark.parametrize("jumps", JUMPS.values(), ids=JUMPS)
def test_however_the_clock_jumps_nothing_goes(build, photos, moved, jumps):
    services = build(log_days=20)
    draft, trashed = left(services, services.sellers.only().id, photos)
    files = set(services.media.ids())
    moved()
    moved.run(hours=23)
    tidy(services)
    for days in jumps:
        moved(days=days)
        services = build(log_days=20, index=services.index)
        tidy(services)
        assert count(services, DraftRow) == 2
        assert count(services, FeedPageRow) == 1
        assert set(services.media.ids()) == files >= {p.id for p in draft.photos}
        assert trashed.exists()


@pytest.mark.stores(both=True)
def test_what_is_old_goes_after_a_day_of_running(build, photos, moved, caplog):
    """A day in all: a home that is not in use, for a weekend or for nights, has not run."""
    services = build(log_days=20)
    draft, trashed = left(services, services.sellers.only().id, photos)
    moved()
    for days, hours in ((40, 23), (43, 8), (43.7, 8), (44.4, 7)):
        moved(days=days)
        with caplog.at_level(logging.WARNING):
            services = build(log_days=20, index=services.index)
        assert ("the clock is" in caplog.text) == (days < 43.5)
        caplog.clear()
        for _ in range(hours):
            moved.run(hours=1)
            tidy(services)
        assert count(services, DraftRow) == 2
        assert trashed.exists()
    moved.run(hours=2)
    tidy(services)
    assert count(services, DraftRow) == 1  # the published one
    assert count(services, FeedPageRow) == 0
    assert not trashed.exists()
    assert not {p.id for p in draft.photos} & set(services.media.ids())


def test_a_clock_that_goes_back_signs_nobody_out(people, moved):
    made = people("ann", page=True)
    with made.browser("ann") as browser:
        device = browser.cookies["ipl_device"]
        for by in ({"hours": -1}, {"days": -13}, {}):
            moved(**by)
            assert browser.get("/v1/listings").status_code == 200
            assert made.app.state.sessions.device(device, "ann")
        moved(days=15)
        assert browser.get("/v1/listings").status_code == 401
        moved(days=-15)  # no clock is that wrong by chance: a cookie has an end on either side
        assert browser.get("/v1/listings").status_code == 401
