"""Orders over HTTP: the price that was seen, own orders, refunds, and that no piece is sold twice."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import select

from app.store.tables import ListingRow, OrderRow
from app.views import AppError
from tests.app.support.clients import at_once, code, published
from tests.app.support.shop import bought, order, orders, pieces

pytestmark = [pytest.mark.stores, pytest.mark.slow]


def test_an_order_names_the_seen_price(client):
    listing = published(client, price=12.5)
    silent = order(client, listing, buyer="vera")
    assert code(silent) == (422, "price_missing")
    assert "price" in silent.json()["error"]["message"]
    client.patch(f"/v1/listings/{listing['id']}", json={"price": 80})
    late = order(client, listing, buyer="vera", price=12.5)
    assert code(late) == (409, "price_changed")
    assert "80.00 EUR" in late.json()["error"]["message"]
    assert code(order(client, listing, buyer="vera", price=80, currency="USD")) == (409, "price_changed")
    assert pieces(client, listing) == 1
    taken = order(client, listing, buyer="vera", price=80, currency="EUR")
    assert taken.status_code == 201
    assert (taken.json()["amount"], taken.json()["currency"]) == (80, "EUR")


def test_a_repeated_key_gives_the_same_order(client):
    listing = published(client, price=12.5)
    first = order(client, listing, buyer="vera", price=12.5)
    assert first.status_code == 201, first.text
    client.patch(f"/v1/listings/{listing['id']}", json={"price": 80})
    for more in ({}, {"price": 80}, {"price": 1}, {"price": 12.5, "currency": "USD"}):
        again = order(client, listing, buyer="vera", **more)
        assert (again.status_code, again.json()) == (201, first.json())


def test_a_listing_without_a_price_is_not_sold(client):
    listing = published(client, price=None)
    assert listing["price"] is None
    assert code(order(client, listing, buyer="vera")) == (409, "no_price")
    assert code(order(client, listing, buyer="vera", price=0)) == (409, "no_price")
    assert pieces(client, listing) == 1
    client.patch(f"/v1/listings/{listing['id']}", json={"price": 0})  # a present has a price
    assert order(client, listing, buyer="vera", price=0).status_code == 201


WAYS_BACK = [
    [{"stock": 1}],
    [{"status": "active", "stock": 1}],  # what "Sell again" sends
    [{"status": "active"}, {"stock": 1}],
    [{"status": "removed"}, {"status": "active", "stock": 1}],
    [{"status": "removed", "stock": 5}, {"status": "active"}],
    [{"status": "reserved"}, {"status": "active"}, {"stock": 1}],
    [{"stock": 0}, {"stock": 1}, {"status": "active"}],
]


def test_a_sold_piece_stays_sold(client):
    for n, changes in enumerate(WAYS_BACK):
        listing = published(client)
        bought(client, listing, f"k{n}")
        answers = [client.patch(f"/v1/listings/{listing['id']}", json=change) for change in changes]
        refused = [a for a in answers if a.status_code != 200]
        assert refused, changes
        assert {code(a) for a in refused} == {(409, "order_stands")}, changes
        assert "refund" in refused[0].json()["error"]["message"]
        assert pieces(client, listing) == 0
        assert code(order(client, listing, f"o{n}", buyer="otto", price=10)) in ((409, "sold"), (404, "not_found"))


def test_sell_again_waits_for_the_refund(services, me, client):
    listing = published(client)
    taken = bought(client, listing)
    with pytest.raises(AppError) as refused:
        services.publisher.relist(me, listing["id"])
    assert (refused.value.code, refused.value.http_status) == ("order_stands", 409)
    again = client.post("/v1/listings", json={"draft_id": listing["draft_id"], "price": 10})
    assert (again.json()["id"], again.json()["stock"], again.json()["status"]) == (listing["id"], 0, "sold")
    assert client.patch(f"/v1/listings/{listing['id']}", json={"title": "Still mine"}).status_code == 200
    assert client.post(f"/v1/orders/{taken['id']}/refund").status_code == 200
    assert pieces(client, listing) == 0  # it does not come back by itself
    assert services.publisher.relist(me, listing["id"]).stock == 1
    assert services.publisher.mark_sold(me, listing["id"]).stock == 0  # by hand: that can be taken back
    assert services.publisher.relist(me, listing["id"]).status == "active"
    other = bought(client, listing, "k2", "otto")
    refused = client.delete(f"/v1/listings/{listing['id']}")
    assert code(refused) == (409, "open_orders")
    assert "refund" in refused.json()["error"]["message"]
    assert client.get(f"/v1/listings/{listing['id']}").status_code == 200
    client.post(f"/v1/orders/{other['id']}/refund")
    assert client.delete(f"/v1/listings/{listing['id']}").status_code == 204


def test_pieces_that_are_left_may_become_more(services, me, client):
    listing = published(client)
    address = f"/v1/listings/{listing['id']}"
    client.patch(address, json={"stock": 2})
    bought(client, listing)
    assert client.patch(address, json={"stock": 3}).json()["stock"] == 3
    client.patch(address, json={"status": "reserved"})
    assert services.publisher.relist(me, listing["id"]).stock == 3  # those that are there, not one
    assert client.patch(address, json={"stock": 0}).json()["stock"] == 0
    assert code(client.patch(address, json={"stock": 1})) == (409, "order_stands")


def test_no_piece_is_sold_twice_in_a_race(services, me, client):
    """Buyers, "Sell again", changes, refunds and deleting race for single pieces: whatever is refused, each piece has
    at most one order that stands, and what stands has a listing."""

    def attempts(listing, first):
        wishes = [lambda n=n: services.orders.buy(f"b{n}", listing, f"{listing}{n}", price=10) for n in range(8)]
        return [
            *wishes,
            *[lambda: services.publisher.relist(me, listing)] * 3,
            *[lambda: services.publisher.change(me, listing, {"stock": 1})] * 2,
            lambda: services.publisher.change(me, listing, {"status": "removed"}),
            lambda: services.publisher.change(me, listing, {"status": "active"}),
            lambda: services.orders.refund(me, first),
            lambda: services.publisher.delete(me, listing),
        ]

    codes = set()
    for _ in range(6):
        listing = published(client)
        first = bought(client, listing, f"first {listing['id']}")
        codes |= {given for given in at_once(attempts(listing["id"], first["id"])) if isinstance(given, str)}
        with services.store.read() as session:
            standing = session.scalars(
                select(OrderRow).where(OrderRow.listing_id == listing["id"], OrderRow.refunded_at.is_(None))
            ).all()
            row = session.get(ListingRow, listing["id"])
        assert len(standing) <= 1
        assert not standing or (row is not None and row.stock == 0), "the listing was deleted, or its piece is on sale"
    assert codes <= {"sold", "not_found", "order_stands", "open_orders"}


def test_buyer_and_seller_list_their_own_orders(two):
    ann, bob, nobody = two
    hers = [published(ann, price=10 + n, title=f"Hoodie {n}") for n in range(3)]
    his = published(bob, price=5, title="Scarf")
    first, second = (bought(bob, x, x["id"], buyer="") for x in hers[:2])
    sale = bought(ann, his, "k", buyer="")
    assert [o["id"] for o in orders(bob)] == [sale["id"], second["id"], first["id"]]  # the newest first
    assert [o["role"] for o in orders(bob)] == ["seller", "buyer", "buyer"]
    assert [o["id"] for o in orders(bob, **{"as": "buyer"})] == [second["id"], first["id"]]
    assert [o["id"] for o in orders(bob, **{"as": "seller"})] == [sale["id"]]
    assert [o["id"] for o in orders(ann, **{"as": "seller", "limit": 1})] == [second["id"]]
    seen = orders(bob)[1]
    expected = {"listing_id": hers[1]["id"], "title": "Hoodie 1", "amount": 11, "currency": "EUR", "state": "open"}
    assert {name: seen[name] for name in expected} == expected
    assert (seen["at"], seen["refunded_at"], seen["completed_at"]) == (second["at"], None, None)
    assert bob.get(f"/v1/orders/{second['id']}").json() == seen == second
    assert ann.get(f"/v1/orders/{second['id']}").json() == {**seen, "role": "seller"}
    assert code(ann.get("/v1/orders/nothing")) == (404, "not_found")
    assert code(ann.get("/v1/orders", params={"as": "thief"}))[0] == 422
    assert code(ann.get("/v1/orders", params={"limit": 0}))[0] == 422
    assert code(nobody.get("/v1/orders")) == (401, "sign_in")
    assert code(nobody.get(f"/v1/orders/{second['id']}")) == (401, "sign_in")


def test_orders_of_others_are_not_there(people):
    ann, bob, cora = map(people("ann", "bob", "cora").signed, ("ann", "bob", "cora"))
    taken = bought(bob, published(ann), buyer="")
    assert orders(cora) == []
    for call in (
        cora.get(f"/v1/orders/{taken['id']}"),
        cora.post(f"/v1/orders/{taken['id']}/refund"),
        cora.post(f"/v1/orders/{taken['id']}/complete"),
        bob.post(f"/v1/orders/{taken['id']}/refund"),
        bob.post(f"/v1/orders/{taken['id']}/complete"),
    ):
        assert code(call) == (404, "not_found")
    assert orders(bob)[0]["state"] == "open"


def test_an_order_is_completed_and_refunded(client):
    listing = published(client)
    address = f"/v1/orders/{bought(client, listing)['id']}"
    done = client.post(f"{address}/complete")
    assert done.status_code == 200
    assert (done.json()["state"], done.json()["role"]) == ("completed", "seller")
    assert done.json()["completed_at"]
    assert client.post(f"{address}/complete").json() == done.json()
    assert code(client.patch(f"/v1/listings/{listing['id']}", json={"stock": 1})) == (409, "order_stands")
    back = client.post(f"{address}/refund")
    assert (back.json()["state"], back.json()["completed_at"]) == ("refunded", done.json()["completed_at"])
    assert client.post(f"{address}/refund").json() == back.json()
    assert code(client.post(f"{address}/complete")) == (409, "refunded")
    assert client.patch(f"/v1/listings/{listing['id']}", json={"status": "active", "stock": 1}).status_code == 200


def test_orders_outlive_their_listing_without_its_words(two):
    ann, bob, _ = two
    one, other = (published(ann, title=f"A secret hoodie {n}") for n in range(2))
    kept, returned = bought(bob, one, "k1", ""), bought(bob, other, "k2", "")
    assert ann.post(f"/v1/orders/{kept['id']}/complete").status_code == 200
    assert ann.post(f"/v1/orders/{returned['id']}/refund").status_code == 200
    for listing in (one, other):
        assert ann.delete(f"/v1/listings/{listing['id']}").status_code == 204
    for who in (ann, bob):
        assert [(o["id"], o["title"], o["state"], o["amount"]) for o in orders(who)] == [
            (returned["id"], None, "refunded", 10), (kept["id"], None, "completed", 10)]  # fmt: skip
    back = ann.post(f"/v1/orders/{kept['id']}/refund")  # a return, after the listing is gone
    assert (back.status_code, back.json()["state"]) == (200, "refunded")
    assert ann.post(f"/v1/orders/{kept['id']}/refund").json() == back.json()
    assert order(bob, one, "k1").json()["id"] == kept["id"]


def test_refund_and_handing_over_at_once_end_refunded(client):
    for n in range(4):
        address = f"/v1/orders/{bought(client, published(client), f'k{n}')['id']}"
        ends = ["refund", "complete"] * 4
        given = at_once([partial(client.post, f"{address}/{end}") for end in ends])
        answers = list(zip(ends, given, strict=True))
        assert {a.status_code for end, a in answers if end == "refund"} == {200}
        assert all(a.status_code == 200 or code(a) == (409, "refunded") for end, a in answers if end == "complete")
        last = client.get(address).json()
        assert last["state"] == "refunded"
        assert last["completed_at"] is None or last["completed_at"] <= last["refunded_at"]
