"""While a store is away: clear answers at once, nothing that stops, and everything level again soon after."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text, update

from app.store import db, draft_repo, outbox
from app.store.tables import DraftRow, ListingRow, OutboxRow, now
from app.views import AppError, DraftState
from app.web.server import create_app
from listing.intake.photos import intake
from rag_index import IndexUnreachable
from rag_index.storage import location
from tests.app.support.clients import client_of, code, draft, published
from tests.app.support.shop import buy, seen
from tests.app.support.small_index import open_index, titles_in
from tests.fakes import FakeIndex, jpeg
from tests.servers import Postgres, Server

OPEN = {"/healthz": 200, "/metrics": 200, "/readyz": 503}


def every_call(app):
    """Method and path of every route of the schema, without a body: who asks is looked up first."""
    paths = app.openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


@pytest.mark.postgres
def test_without_postgresql_every_route_says_so_and_works_again_by_itself(build):
    server = Postgres(fsync=False)
    try:
        server.start()
        services = build(store=server.url(), feed_per_second=1e6)
        app = create_app(services, page=False)
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            listing = published(client)
            server.kill()
            for method, path in every_call(app):
                began = time.monotonic()
                answer = client.request(method, path.replace("{step}", "refund").replace("{", "").replace("}", ""))
                assert time.monotonic() - began < db.CONNECT_SECONDS + 30, (method, path)
                assert answer.status_code == OPEN.get(path, 503), (method, path, answer.text)
                if answer.status_code == 503:
                    assert code(answer) == (503, "store"), (method, path)
                    assert int(answer.headers["retry-after"]) >= 1
            assert 'ipl_errors_total{code="store"}' in client.get("/metrics").text
            assert client.get("/sign-in", follow_redirects=False).status_code == 303  # the page itself still opens
            server.start()
            assert client.get("/readyz").status_code == 200
            assert buy(client, listing).status_code == 201
            assert seen(client)["places"] == []
    finally:
        server.remove()


def test_the_page_says_it_in_a_sentence(services, monkeypatch):
    import gradio as gr

    from app.seller.page import SellerPage

    page = SellerPage(services, None)
    session = page.session.value
    here = gr.Request(username=None)
    assert page.enter(session, here)

    def away():
        raise db.store_away()

    monkeypatch.setattr(services.store, "read", away)
    monkeypatch.setattr(services.store, "write", away)
    event = gr.EventData(None, {"do": "page", "value": "mine"})
    for do in (lambda: page.enter(session, here), lambda: page.press(session, event, here)):
        with pytest.raises(gr.Error, match="The store does not answer"):
            do()
    monkeypatch.undo()
    assert page.enter(session, here)


def test_an_order_is_answered_though_the_store_leaves(services, monkeypatch):
    with client_of(services) as client:
        listing = published(client)

        def away():
            raise db.store_away()

        real = services.store.read
        who = services.sellers.named("vera").id
        monkeypatch.setattr(services.store, "read", away)
        assert services.orders.buy(who, listing["id"], "k", price=listing["price"]).listing_id == listing["id"]
        assert len(services.feed.feed.catalog) == 0
        with services.store.write() as session:
            assert len(session.scalars(select(OutboxRow).where(OutboxRow.topic == "index")).all()) == 1
        monkeypatch.setattr(services.store, "read", real)
        monkeypatch.setattr(outbox, "RETRY_SECONDS", 0.0)
        services.outbox.catch_up()
        with services.store.write() as session:
            assert session.scalars(select(OutboxRow).where(OutboxRow.topic == "index")).all() == []


@pytest.mark.slow
@pytest.mark.stores(both=True)
def test_a_draft_without_an_end_is_stopped_later(services, me, photos, monkeypatch):
    done = list(services.draft_writer.start(me, photos))[-1]
    run = services.draft_writer.start(me, intake([jpeg((9, 9, 9))]))
    view = next(run)
    real = services.store.write

    def away():
        raise db.store_away()

    monkeypatch.setattr(services.store, "write", away)
    with pytest.raises(AppError, match="does not answer"):
        list(run)
    assert len(services.queue) == 0
    monkeypatch.setattr(services.store, "write", real)
    assert services.housekeeping.stop_orphans(services.queue.names()) == 0  # it might still be written
    with services.store.write() as session:
        draft_repo.move(session.get(DraftRow, done.draft_id), DraftState.WORKING)
        session.execute(update(DraftRow).values(updated_at=now() - timedelta(hours=1)))
    assert services.housekeeping.stop_orphans([view.draft_id]) == 1
    assert services.drafts.get(me, done.draft_id).state == "ready"
    assert services.housekeeping.stop_orphans([]) == 1
    assert services.drafts.get(me, view.draft_id).state == "stopped"


def test_the_feed_goes_on_beside_a_broken_index(build, me):
    services = build(index=FakeIndex(fail=True), feed_per_second=1e6)
    with client_of(services) as client:
        first = published(client)
        for n in range(130):  # more than the outbox hands out at once
            services.publisher.change(me, first["id"], {"price": n})
        second = published(client)
        assert {p["listing"]["id"] for p in seen(client)["places"]} == {first["id"], second["id"]}
        client.patch(f"/v1/listings/{first['id']}", json={"status": "removed"})
        assert len(services.feed.feed.catalog) == 1


@pytest.mark.postgres
@pytest.mark.server
def test_a_chroma_server_that_goes_away_or_hangs_holds_up_nobody(build, url, tmp_path, monkeypatch):
    monkeypatch.setattr(location, "SERVER_SECONDS", 5.0)
    monkeypatch.setattr(location, "CONNECT_SECONDS", 5.0)
    monkeypatch.setattr(outbox, "RETRY_SECONDS", 0.0)
    chroma = Server(tmp_path / "chroma")
    chroma.start()
    try:
        services = build(store=url, index=open_index(chroma.url))
        titles = {}

        def publish(client):
            began = time.monotonic()
            listing = published(client)
            titles[listing["id"]] = listing["title"]
            assert listing["id"] in {p["listing"]["id"] for p in seen(client)["places"]}
            assert client.get("/readyz").status_code == 200
            assert len(client.get("/v1/listings", params={"q": "hoodie"}).json()["listings"]) == len(titles)
            return time.monotonic() - began

        with client_of(services) as client:
            publish(client)
            chroma.kill()
            publish(client)
            counted = client.get("/metrics").text
            assert "ipl_index_outbox 1.0" in counted
            assert 'ipl_errors_total{code="index"}' in counted
            chroma.start()
            publish(client)
            assert titles_in(services.index) == titles
            chroma.process.send_signal(signal.SIGSTOP)
            publish(client)  # the one that finds out
            assert publish(client) < 5.0 + draft_seconds(client)
            with pytest.raises(IndexUnreachable):
                open_index(chroma.url)
            chroma.process.send_signal(signal.SIGCONT)
            monkeypatch.setattr(services.index.past.index._place, "_hangs_until", 0.0)
            services.outbox.catch_up()
            assert titles_in(services.index) == titles
    finally:
        chroma.kill()


def draft_seconds(client) -> float:
    """How long this machine takes for three drafts."""
    began = time.monotonic()
    for _ in range(3):
        draft(client)
    return time.monotonic() - began


@pytest.mark.postgres
def test_a_lock_that_does_not_come_is_busy(build, url, monkeypatch):
    monkeypatch.setattr(db, "BUSY_SECONDS", 1)
    services = build(store=url)
    with client_of(services) as client:
        listing = published(client)
        with services.store.write() as session:
            session.execute(text("SELECT 1 FROM listings FOR UPDATE"))
            answer = client.patch(f"/v1/listings/{listing['id']}", json={"price": 1})
        assert code(answer) == (503, "busy")
        assert answer.headers["retry-after"] == "1"


@pytest.mark.postgres
def test_of_two_deadlocked_one_tries_again(build, url):
    services = build(store=url)
    with client_of(services) as client:
        ids = [published(client)["id"] for _ in range(2)]
    meet = threading.Barrier(2)

    def change(order):
        try:
            with services.store.write() as session:
                session.execute(update(ListingRow).where(ListingRow.id == order[0]).values(price=1))
                meet.wait()
                session.execute(update(ListingRow).where(ListingRow.id == order[1]).values(price=2))
        except AppError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(change, (ids, ids[::-1]))) == ["busy", "done"]


@pytest.mark.postgres
def test_too_few_connections_are_busy(build, url, monkeypatch):
    monkeypatch.setattr(db, "POOL_SECONDS", 0.2)
    services = build(store=url)
    held = [services.store.engine.connect() for _ in range(15)]
    try:
        with client_of(services) as client:
            assert code(client.get("/v1/listings")) == (503, "busy")
    finally:
        for connection in held:
            connection.close()
