"""The store on PostgreSQL: the same schema, the same story, the same behaviour of concurrent publishing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.ops.figures import Figures
from app.ops.impressions import window
from app.store.full_text import is_derived
from app.store.tables import Base, OrderRow
from app.views import AppError
from app.web.server import create_app
from listing.intake.photos import intake
from tests.fakes import jpeg

PATHS = (
    ("GET", "/l/%00"),
    ("GET", "/v1/orders/%00"),
    ("POST", "/v1/orders/%00/complete"),
    ("POST", "/v1/orders/%00/refund"),
    ("GET", "/v1/drafts/%00"),
    ("DELETE", "/v1/drafts/%00"),
    ("GET", "/v1/listings/%00"),
    ("GET", "/v1/photos/%00"),
    ("DELETE", "/v1/posts/%00"),
    ("GET", "/v1/feed/%00"),
)
BODIES = (
    ("/v1/orders", {"listing_id": "\0"}),
    ("/v1/orders", {"listing_id": "a", "page_id": "\0"}),
    ("/v1/orders", {"listing_id": "a", "buyer": "\0"}),
    ("/v1/events", {"events": [{"kind": "click", "page_id": "\0", "listing_id": "a"}]}),
    ("/v1/events", {"events": [{"kind": "click", "page_id": "a", "listing_id": "\0"}]}),
    ("/v1/events", {"events": [{"kind": "click", "page_id": "a", "post_id": "\0"}]}),
    ("/v1/events", {"visitor": "\0", "events": [{"kind": "click", "page_id": "a", "post_id": "b"}]}),
)


@pytest.mark.postgres
def test_the_store_on_postgresql(build, url, photos):
    services = build(store=url)
    with services.store.engine.connect() as connection:
        options = {"include_object": lambda _, name, *__: not is_derived(name or "")}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []
    me = services.sellers.named("me").id
    views = list(services.draft_writer.start(me, photos, "Größe fällt klein aus \x00 ok"))
    assert views[-1].state == "ready"
    draft = views[-1].draft_id
    services.drafts.edit(me, draft, "title", "Hoodie für Ärzte")
    services.drafts.edit(me, draft, "size", "M")
    with ThreadPoolExecutor(6) as pool:
        (listing,) = set(pool.map(lambda _: services.publisher.publish(me, draft, key="k").id, range(6)))
    assert [x.title for x in services.listings.own(me, text="ärzte nike")] == ["Hoodie für Ärzte"]
    assert services.publisher.change(me, listing, {"price": 3}).price == 3.0
    assert Figures(services, window()).measures["published"].interval.value == 1
    again = build(store=url, index=services.index)
    assert again.index.ids() == {listing}
    again.publisher.delete(me, listing)
    assert again.listings.own(me) == []
    assert list(again.media.ids()) == []


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_fifty_buyers_race_for_one_piece(build, url, database, request):
    """``--rounds 200`` runs it as often as the docs say; by default a few rounds."""
    # SQLite lets one writer in at a time, PostgreSQL thirty connections and the rest in line: both have to say who won.
    services = build(feed_per_second=1e6, **({"store": url} if database == "postgresql" else {}))
    me = services.sellers.named("me").id
    for round_ in range(request.config.getoption("--rounds")):
        views = list(services.draft_writer.start(me, intake([jpeg()])))
        services.drafts.edit(me, views[-1].draft_id, "price", "10")
        listing = services.publisher.publish(me, views[-1].draft_id, key=f"k{round_}")
        number = services.feed.listings.number(listing.id)
        assert number in services.feed.feed.catalog
        start = threading.Barrier(50)

        def buy(buyer, listing=listing, start=start, round_=round_):
            start.wait()
            try:
                services.orders.buy(f"b{buyer}", listing.id, f"{round_}", price=10)
            except AppError as error:
                return error.code
            return "bought"

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(buy, range(50)))
        assert sorted(answers) == ["bought"] + ["sold"] * 49
        assert number not in services.feed.feed.catalog
        with services.store.read() as session:
            orders = session.scalars(select(OrderRow).where(OrderRow.listing_id == listing.id)).all()
        assert len(orders) == 1


@pytest.mark.stores
def test_a_nul_is_no_error_of_the_server(services):
    """PostgreSQL cannot keep one: it is refused with a sentence, on any store."""
    with TestClient(create_app(services, page=False), base_url="http://localhost") as client:
        answers = [client.request(method, path) for method, path in PATHS]
        answers += [client.post(path, json=body) for path, body in BODIES]
        for answer in answers:
            assert answer.status_code < 500, (answer.url, answer.text)
            if answer.is_error and answer.url.path.startswith("/v1/"):  # the other one is a page for people
                assert set(answer.json()["error"]) == {"code", "message"}
        assert client.get("/v1/listings").status_code == 200
