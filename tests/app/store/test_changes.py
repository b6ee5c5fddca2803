"""Two servers on one store: what one publishes, sells or withdraws is in the other one's feed within seconds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.store import outbox
from app.store.outbox import Changes
from app.store.tables import OutboxRow, now
from tests.app.support.clients import client_of, published
from tests.app.support.leftovers import wait_until
from tests.app.support.shop import buy, seen
from tests.fakes import FakeIndex


@pytest.fixture
def both(build):
    """Two servers on the same store and index, with their clients; nobody's clock runs."""
    index = FakeIndex()
    servers = [build(index=index) for _ in range(2)]
    return servers, [client_of(server) for server in servers]


def shown(client):
    return {p["listing"]["id"] for p in seen(client)["places"]}


def story(first, second, here, there):
    """Published, changed, advertised, sold, withdrawn, deleted by one server; seen by the other after one look."""
    one, two = published(here, price=10)["id"], published(here, price=20)["id"]
    assert shown(there) == set()
    assert second.feed.catch_up() > 0
    assert shown(there) == {one, two}
    catalog = second.feed.feed.catalog

    def known(listing_id, name):
        return catalog.get(name, catalog.rows([second.feed.listings.number(listing_id)]))[0]

    of_first = first.feed.feed.catalog
    assert set(catalog.get("item_id", catalog.live())) == set(of_first.get("item_id", of_first.live()))
    here.patch(f"/v1/listings/{one}", json={"price": 12.5})
    here.put(f"/v1/listings/{two}/ad", json={"bid": 0.5})
    second.feed.catch_up()
    assert (known(one, "price"), known(two, "bid")) == (12.5, 0.5)
    assert buy(here, {"id": one}, "otto", key=one, price=12.5).status_code == 201
    second.feed.catch_up()
    assert shown(there) == {two}
    here.patch(f"/v1/listings/{two}", json={"status": "reserved"})
    second.feed.catch_up()
    assert len(catalog) == 0
    here.patch(f"/v1/listings/{two}", json={"status": "active"})
    second.feed.catch_up()
    assert shown(there) == {two}
    here.delete(f"/v1/listings/{two}")
    second.feed.catch_up()
    assert len(catalog) == 0
    assert second.feed.catch_up() == 0


def test_a_second_server_follows_the_first(both):
    (first, second), (here, there) = both
    story(first, second, here, there)
    story(second, first, there, here)


@pytest.mark.postgres
def test_it_holds_on_postgresql(build, url):
    index = FakeIndex()
    first, second = (build(index=index, store=url) for _ in range(2))
    story(first, second, client_of(first), client_of(second))
    assert second.housekeeping.forget_changes() == 0


@pytest.mark.slow
def test_both_follow_each_other_while_they_serve(both):
    _, (here, there) = both
    with here, there:  # their clocks run
        listing = published(here)
        wait_until(lambda: shown(there) == {listing["id"]})
        assert buy(here, listing, "otto").status_code == 201
        wait_until(lambda: shown(there) == set())


def test_the_content_that_the_index_gets_later_comes_to_the_other_server_too(build):
    index = FakeIndex(fail=True)
    first, second = (build(index=index) for _ in range(2))
    published(client_of(first))
    second.feed.catch_up()
    catalog = second.feed.feed.catalog
    assert not catalog.content(catalog.live()).any()
    index.fail = False
    first.outbox._failed_at = -60.0
    first.outbox.follow()
    asked = []
    index.vectors = lambda ids: asked.append(list(ids)) or {i: [1.0] * 1280 for i in ids}
    assert second.feed.catch_up() == 1
    assert len(asked) == 1
    assert catalog.content(catalog.live()).any()


def test_a_number_committed_late_is_not_missed(services, monkeypatch):
    at, sequence = [0.0], Changes(services.store)
    monkeypatch.setattr(outbox.time, "monotonic", lambda: at[0])

    def write(number):
        with services.store.write() as session:
            session.add(OutboxRow(id=number, topic="change", key=f"l{number}"))

    def look():
        with services.store.read() as session:
            news = sequence.news(session)
        sequence.mark(news)
        return list(news)

    sequence.start()
    write(7)
    assert look() == [7]
    write(5)  # drawn before 7, committed after it
    assert look() == [5]
    assert look() == []
    at[0] = outbox.SETTLED_S + 1
    write(9)
    assert look() == [9]
    write(8)
    write(6)  # so late that no transaction can be: what has settled is not looked at again
    assert look() == [8]


def test_a_change_that_failed_is_read_again(both, monkeypatch):
    (_, second), (here, there) = both

    def failing(listings):
        raise RuntimeError("the store went away")

    listing = published(here)
    with monkeypatch.context() as patch:
        patch.setattr(second.feed.listings, "put", failing)
        with pytest.raises(RuntimeError, match="went away"):
            second.feed.catch_up()
    assert second.feed.catch_up() > 0
    assert shown(there) == {listing["id"]}


def test_a_listing_sold_meanwhile_leaves_the_feed(both):
    (first, second), (here, _) = both
    listing = published(here)
    stale = first.feed.explain("vera", 5)[1]
    assert buy(here, listing, "otto").status_code == 201
    second.feed.listings.put(list(stale.values()))  # read before it was sold
    assert len(second.feed.feed.catalog) == 0


def test_numbers_of_deleted_changes_are_not_reused(services):
    with services.store.write() as session:
        session.add_all(
            [OutboxRow(topic="change", key="l", at=now() - age) for age in (timedelta(days=2), timedelta(hours=1))]
        )
    assert services.housekeeping.forget_changes() == 1
    with services.store.write() as session:
        last = session.scalar(select(func.max(OutboxRow.id)))
        session.execute(OutboxRow.__table__.delete())
    with services.store.write() as session:
        session.add(row := OutboxRow(topic="change", key="l"))
        session.flush()
        assert row.id == last + 1


class Interrupted(FakeIndex):
    """Just before it first takes something in, something else happens."""

    meanwhile = staticmethod(lambda: None)

    def put(self, listing, photos):
        then, self.meanwhile = self.meanwhile, lambda: None
        then()
        super().put(listing, photos)


@pytest.mark.postgres
def test_a_late_server_never_indexes_an_older_text(build, url):
    index = Interrupted()
    first, second = (build(index=index, store=url) for _ in range(2))
    here, there = client_of(first), client_of(second)
    listing = published(here, title="Blue hoodie")["id"]
    index.meanwhile = lambda: there.patch(f"/v1/listings/{listing}", json={"title": "Navy hoodie"})
    here.patch(f"/v1/listings/{listing}", json={"title": "Black hoodie"})
    assert index.entries[listing].title == "Navy hoodie"
