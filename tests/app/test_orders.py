"""Orders over HTTP: the price that was seen, own orders, refunds, and that no piece is sold twice."""

from __future__ import annotations

import pytest

from tests.app.test_api import client_of, code, published, two  # noqa: F401  # a fixture

pytestmark = pytest.mark.stores


@pytest.fixture
def client(services):
    with client_of(services) as client:
        yield client


def order(client, listing, key="k1", **body):
    body = {"listing_id": listing["id"], **body}
    return client.post("/v1/orders", json=body, headers={"Idempotency-Key": key})


def pieces(client, listing):
    return client.get(f"/v1/listings/{listing['id']}").json()["stock"]


def test_an_order_names_the_price_that_the_buyer_saw(client):
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


def test_a_repeated_key_gives_the_same_order_whatever_price_it_names(client):
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
