"""The live feed of a server: from publishing to a page, what is written down, orders, limits, a restart."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
import torch
from sqlalchemy import func, select

from app.feed import pages
from app.feed.items import CONTENT, Prices, Projection, category_code, condition_code
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow, now
from app.views import Busy
from recommend.features.counts import HOUR_MS
from recommend.features.feature_map import COUNTED
from tests.app.support.clients import client_of, code, published
from tests.app.support.shop import buy, seen


@pytest.mark.stores
def test_what_is_published_is_on_the_next_page_and_what_is_sold_on_none(client):
    assert seen(client)["places"] == []
    one, other = published(client, price=12.5), published(client, price=20)
    page = seen(client)
    assert {p["listing"]["id"] for p in page["places"]} == {one["id"], other["id"]}
    assert set(page["degraded"]) == {"pre_ranking", "ranking", "conversion", "ads"}
    assert buy(client, one, page_id=page["id"]).status_code == 201
    assert [p["listing"]["id"] for p in seen(client)["places"]] == [other["id"]]
    assert client.get(f"/v1/listings/{one['id']}").json()["status"] == "sold"
    client.patch(f"/v1/listings/{other['id']}", json={"status": "reserved"})
    assert seen(client)["places"] == []
    client.patch(f"/v1/listings/{other['id']}", json={"status": "active"})
    assert len(seen(client)["places"]) == 1
    client.delete(f"/v1/listings/{other['id']}")
    assert seen(client)["places"] == []


@pytest.mark.stores
def test_an_order_with_the_same_key_is_the_same_and_the_last_piece_goes_once(client):
    listing = published(client, price=12.5)
    first = buy(client, listing)
    assert first.json()["amount"] == 12.5
    assert buy(client, listing).json() == first.json()
    assert code(buy(client, listing, "otto", "k2")) == (409, "sold")
    another = published(client)
    assert code(buy(client, another)) == (409, "key_reused")
    assert code(buy(client, another, key="")) == (422, "no_key")
    assert code(buy(client, another, buyer="me")) == (422, "own")
    assert code(buy(client, {"id": "nothing"}, key="k9")) == (404, "not_found")


def test_a_token_acts_for_its_owner_alone(two):
    ann, bob, nobody = two
    assert code(nobody.get("/v1/feed/me"))[0] == 401
    assert code(ann.get("/v1/feed/bob")) == (403, "not_yours")
    assert ann.get("/v1/feed/me").status_code == 200
    listing = published(ann)
    body = {"listing_id": listing["id"], "buyer": "bob"}
    assert code(ann.post("/v1/orders", json=body, headers={"Idempotency-Key": "x"})) == (403, "not_yours")
    assert code(bob.put(f"/v1/listings/{listing['id']}/ad", json={"bid": 1})) == (404, "not_found")


@pytest.mark.stores
def test_events_count_once_and_only_on_the_page_where_they_happened(client, services):
    listing = published(client)
    page = seen(client)

    def event(kind, page_id=page["id"], listing_id=listing["id"]):
        return {"kind": kind, "page_id": page_id, "listing_id": listing_id}

    def send(*events, visitor="vera"):
        return client.post("/v1/events", json={"visitor": visitor, "events": list(events)})

    assert send(event("impression"), event("click"), event("cart")).json() == {"new": 3}
    assert send(event("click"), event("impression")).json() == {"new": 0}
    assert code(send(event("click"), visitor="otto")) == (404, "not_found")
    assert code(send(event("click", listing_id="other"))) == (404, "not_found")
    assert code(send({"kind": "purchase", "page_id": page["id"], "listing_id": listing["id"]}))[0] == 422
    row = services.feed.feed.catalog.live()
    assert services.feed.feed.catalog.get("impressions", row).tolist() == [1]
    assert services.feed.feed.catalog.get("clicks", row).tolist() == [1]
    with services.store.read() as session:
        assert session.scalar(select(func.count()).select_from(FeedEventRow)) == 2


def test_one_wrong_event_and_none_is_taken(client, services):
    listing = published(client)
    page = seen(client)
    good = {"kind": "click", "page_id": page["id"], "listing_id": listing["id"]}
    wrong = {**good, "listing_id": "gone"}
    assert client.post("/v1/events", json={"visitor": "vera", "events": [good, wrong]}).status_code == 404
    with services.store.read() as session:
        assert session.scalar(select(func.count()).select_from(FeedEventRow)) == 0


@pytest.mark.stores
def test_a_page_is_written_down_with_what_was_known_then(client, services):
    first = published(client, price=10)
    page = seen(client)
    click = {"kind": "click", "page_id": page["id"], "listing_id": first["id"]}
    client.post("/v1/events", json={"visitor": "vera", "events": [click]})
    published(client, price=30)
    seen(client)
    with services.store.read() as session:
        rows = session.scalars(select(FeedRow).order_by(FeedRow.id)).all()
        assert [r.known["price"] for r in rows][:1] == [10.0]
        assert {"item_id", "seller_id", "category", "price_bucket", "single", "stock", "item_age_h", "content"} <= set(
            rows[-1].known
        )
        assert len(rows[-1].known["content"]) == CONTENT
    visitor = services.feed.feed.visitors.ids()[0]
    assert [p.item_id for p in services.feed.feed.visitors.get(visitor).history] == [rows[0].known["item_id"]]


@pytest.mark.stores
def test_a_restarted_server_knows_what_is_on_sale_and_who_clicked(build):
    first = build()
    with client_of(first) as client:
        kept, sold = published(client), published(client)
        page = seen(client)
        click = {"kind": "click", "page_id": page["id"], "listing_id": kept["id"]}
        client.post("/v1/events", json={"visitor": "vera", "events": [click]})
        buy(client, sold, "otto")
    again = build(index=first.index)
    with client_of(again) as client:
        assert [p["listing"]["id"] for p in seen(client)["places"]] == [kept["id"]]
        feed = again.feed.feed
        assert feed.catalog.get("clicks", feed.catalog.live()).tolist() == [1]
        assert [len(feed.visitors.get(v).history) for v in feed.visitors.ids() if feed.visitors.get(v).history] == [1]


@pytest.mark.slow
def test_a_restarted_server_counts_what_one_that_ran_through_counts(build, monkeypatch):
    began = now()

    def at(hours):
        monkeypatch.setattr("app.feed.live_feed.now", lambda: began + timedelta(hours=hours))

    first = build()
    with client_of(first) as client:
        listings = [published(client, price=10 + n) for n in range(4)]
        for hours, visitor, clicked in ((0, "vera", [0, 1, 2]), (1, "otto", [0]), (2, "vera", [3])):
            at(hours)
            page = seen(client, visitor)["id"]
            if hours == 1:  # sold by the time that its page is reported
                buy(client, listings[1], "mia")
            events = [("impression", n) for n in range(4) if hours < 2 or n != 1] + [("click", n) for n in clicked]
            events = [{"kind": k, "page_id": page, "listing_id": listings[n]["id"]} for k, n in events]
            answer = client.post("/v1/events", json={"visitor": visitor, "events": events})
            assert answer.json() == {"new": len(events)}
    again = build(index=first.index)
    with client_of(again), first.store.read() as session:
        rows = [(r.known, who) for r, who in session.execute(
            select(FeedRow, FeedPageRow.visitor).join(FeedPageRow, FeedPageRow.id == FeedRow.page_id))]  # fmt: skip
        ids = {n: torch.tensor([known[n] for known, _ in rows]) for n in ("item_id", "category", "seller_id")}
        ids["user_id"] = torch.tensor([who for _, who in rows])
        for hours, shown, clicks in ((0, 0, 0), (1, 4, 3), (2, 8, 4), (3, 11, 5)):
            time_ms = first.feed.moment().time_ms + (hours - 2) * HOUR_MS
            ran, restarted = (s.feed.feed.catalog.counts(ids, time_ms) for s in (first, again))
            assert all(torch.equal(ran[f.column], restarted[f.column]) for f in COUNTED)
            of_seller = restarted["seller_id count"][0]
            assert of_seller[0] == pytest.approx(np.log1p(shown) / 4)
            mean = (clicks + 0.5) / (shown + 1)
            rate = (clicks + 10 * mean) / (shown + 10)
            assert of_seller[1] == pytest.approx(np.log(rate / (1 - rate)) - np.log(mean / (1 - mean)), abs=1e-5)


def test_an_ad_is_placed_bids_and_ends(client, services):
    listings = [published(client) for _ in range(5)]
    assert client.put(f"/v1/listings/{listings[0]['id']}/ad", json={"bid": 0.5}).status_code == 204
    ads = [p for p in seen(client)["places"] if p["reason"] == "ad"]
    assert [p["listing"]["id"] for p in ads] == [listings[0]["id"]]
    assert client.put(f"/v1/listings/{listings[0]['id']}/ad", json={"bid": 0}).status_code == 204
    assert not [p for p in seen(client)["places"] if p["reason"] == "ad"]
    assert code(client.put(f"/v1/listings/{listings[0]['id']}/ad", json={"bid": -1}))[0] == 422


def test_who_asks_too_often_is_told_when_to_come_again(build):
    with client_of(build(feed_per_second=2)) as client:
        answers = [client.get("/v1/feed/vera") for _ in range(8)]
        refused = [a for a in answers if a.status_code == 429]
        assert len(refused) >= 3
        assert refused[0].headers["Retry-After"] == "1"
        assert client.get("/v1/feed/otto").status_code == 200


def test_a_full_line_is_refused_instead_of_growing(build, monkeypatch):
    monkeypatch.setattr(pages, "WAITING", 1)
    services = build()
    real, refused = services.feed.feed.slate, []

    def slate(*arguments):
        try:
            services.feed.page("otto", 5)
        except Busy as error:
            refused.append(error)
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(services.feed.feed, "slate", slate)
        services.feed.page("vera", 5)
        services.feed.page("vera", 5)
    assert len(refused) == 2
    services.feed.page("vera", 5)


def test_content_vectors_keep_who_is_near(tmp_path):
    rng = np.random.default_rng(0)
    groups = rng.normal(size=(8, 200))
    vectors = groups.repeat(20, 0) + 0.1 * rng.normal(size=(160, 200))
    made = Projection.load(tmp_path / "p.safetensors", lambda: vectors.astype(np.float32))
    again = Projection.load(tmp_path / "p.safetensors", lambda: None)
    out = np.stack([again(v) for v in vectors])
    assert np.allclose(out, np.stack([made(v) for v in vectors]), atol=1e-4)
    near = ((out[:, None] - out[None]) ** 2).sum(-1)
    np.fill_diagonal(near, np.inf)
    assert (near.argmin(1) // 20 == np.arange(160) // 20).mean() > 0.95
    assert not again(None).any()


def test_prices_fall_into_deciles_of_their_category():
    prices = Prices.read([("Hat", float(p)) for p in range(1, 101)] + [("Shoes", 500.0)])
    assert [prices.bucket("Hat", p) for p in (1, 55, 100, 1000)] == [0, 5, 9, 9]
    assert prices.bucket("Shoes", 500) == 9
    assert prices.bucket("Hat", None) == 5
    assert category_code("Hat") != category_code("Shoes")
    assert [condition_code(g) for g in ("new with tag", "for parts", None)] == [0, 4, 3]
