"""How long behaviour is kept: pages, events, keys past ``log_days`` go, bit by bit; listings and orders stay."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.feed.log import write_log
from app.settings import SettingsError, load_settings
from app.store.tables import (
    EventRow,
    FeedCandidatesRow,
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
from app.web import server
from tests.app.feed.test_feed import buy, seen
from tests.app.market.test_posts import posted, report
from tests.app.support.clients import client_of, published

LOGS = (FeedPageRow, FeedRow, FeedEventRow, FeedCandidatesRow, FeedPostRow, EventRow, MessageRow, KeyRow)
STAY = (ListingRow, OrderRow, FeedItemRow)


def counts(services, tables):
    with services.store.read() as session:
        return {t.__tablename__: session.scalar(select(func.count()).select_from(t)) for t in tables}


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


def wait_for(true, seconds=120):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.stores
def test_behaviour_past_its_days_goes_by_the_clock_and_what_people_have_stays(build, monkeypatch, tmp_path):
    monkeypatch.setattr(server, "TIDY_SECONDS", 0.5)
    services = build(feed_per_second=1e6, log_days=100)
    with client_of(services) as client:
        listings, standing = use(client)
        with services.store.write() as session:
            nothing = {name: [] for name in ("item_id", "policy", "pctr", "bid", "rank", "shown")}
            page_id = session.scalars(select(FeedPageRow.id)).one()
            session.add(FeedCandidatesRow(page_id=page_id, columns=nothing))
        before, stay = counts(services, LOGS), counts(services, STAY)
        assert all(before.values())
        age(services, 99)
        time.sleep(2)
        assert counts(services, LOGS) == before
        age(services, 101)
        fresh = look(client)  # made now: stays
        keys = 1  # of the listing whose order stands
        wait_for(lambda: counts(services, [FeedPageRow, KeyRow]) == {"feed_pages": 1, "idempotency_keys": keys})
        wait_for(lambda: counts(services, [EventRow, MessageRow]) == {"assistant_events": 0, "messages": 0})
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


def test_many_pages_go_in_small_steps_and_writers_come_in_between(build, monkeypatch):
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


def test_the_setting_has_a_default_and_a_least_value(monkeypatch):
    monkeypatch.delenv("IPL_LOG_DAYS", raising=False)
    assert load_settings().log_days == 180
    monkeypatch.setenv("IPL_LOG_DAYS", "0")
    with pytest.raises(SettingsError, match="IPL_LOG_DAYS is unusable"):
        load_settings()
