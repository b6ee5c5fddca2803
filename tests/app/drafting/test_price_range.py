"""The price range of a draft: from what is on sale and sold, saying from how many, and in what they are similar."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from app.seller import words
from app.seller.draft_part import draft_html
from listing.pipeline import Pipeline
from listing.schema import PriceRange
from tests.fakes import picture
from tests.listing.stubs import StubBackend, parts

pytestmark = pytest.mark.slow

HOODIE = {"category": "hoodie", "colour": "navy", "closure": "zip"}


def drafted(client, number, note=""):
    files = [("photos", ("photo.jpg", picture(number), "image/jpeg"))]
    answer = client.post("/v1/drafts", files=files, data={"note": note})
    assert answer.status_code < 300, answer.text
    return answer.json()


def on_sale(client, number, price, note=""):
    wish = {"draft_id": drafted(client, number, note)["id"], "price": price, "title": f"Hoodie {number}"}
    answer = client.post("/v1/listings", json={**wish, "category": "Hoodie"})
    assert answer.status_code < 300, answer.text
    return answer.json()["id"]


@pytest.fixture
def market(people, backend):
    """Ann and Bob, whose drafts are made beside the index of what is on sale."""
    pipeline = Pipeline(parts(StubBackend(HOODIE), similar=backend.index().past))
    return people("ann", "bob", pipeline=pipeline)


@pytest.mark.stores
def test_a_draft_among_similar_ones_has_a_range(market):
    bob, ann = market.signed("bob"), market.signed("ann")
    ids = [on_sale(bob, n, 10 + n % 9, "Brand: Harbour." if n < 8 else "") for n in range(14)]
    own = on_sale(ann, 40, 900)
    price = drafted(ann, 50)["draft"]["price"]
    assert (price["count"], price["scope"], price["currency"]) == (14, "category", "EUR")
    assert 10 <= price["low"] < price["mid"] < price["high"] <= 18
    assert len(price["basis"]) == 12
    assert set(price["basis"]) <= set(ids)
    assert own not in price["basis"]
    assert price["oldest"] == price["newest"] is not None
    of_brand = drafted(ann, 51, "Brand: Harbour.")["draft"]["price"]
    assert (of_brand["count"], of_brand["scope"]) == (8, "category and brand")


@pytest.mark.stores
def test_only_public_listings_are_named(market):
    bob, ann = market.signed("bob"), market.signed("ann")
    gone, *ids = (on_sale(bob, n, 10 + n) for n in range(4))
    assert gone in drafted(ann, 50)["draft"]["price"]["basis"]
    bob.delete(f"/v1/listings/{gone}")
    bob.patch(f"/v1/listings/{ids[0]}", json={"status": "removed"})
    assert drafted(ann, 51)["draft"]["price"] is None, "two are left"
    bob.patch(f"/v1/listings/{ids[0]}", json={"status": "active"})
    assert sorted(drafted(ann, 52)["draft"]["price"]["basis"]) == sorted(ids)
    bob.patch(f"/v1/listings/{ids[0]}", json={"price": None})
    assert drafted(ann, 53)["draft"]["price"] is None, "a price that was taken off counts no more"


def test_what_the_seller_reads(build, photos):
    services = build()
    view = list(services.draft_writer.start(services.sellers.only().id, photos, ""))[-1]
    fields = {"low": 12.0, "mid": 15.0, "high": 18.0, "currency": "EUR", "basis": ["a", "b"]}
    for changes, sentence in (
        ({}, "From 2 listings that are similar."),
        ({"count": 27, "scope": "category and brand"}, "From 27 listings of the same kind and brand."),
        (
            {"count": 3, "scope": "category", "oldest": "2026-03-01", "newest": "2026-05-01"},
            "From 3 listings of the same kind. Listed from March 2026 to May 2026.",
        ),
        (
            {"count": 9, "scope": "group", "oldest": "2026-05-02", "newest": "2026-05-09"},
            "From 9 listings of related kinds, as too few of the same kind have a price. Listed in May 2026.",
        ),
    ):
        price = PriceRange.model_validate({**fields, **changes})
        similar = SimpleNamespace(title="Navy hoodie", price=15.0, currency="EUR")
        assert words.price_basis(price) == sentence
        changed = type(view)(**{**vars(view), "price": price})
        page = draft_html(changed, [(similar, None)], retrieval=True)
        assert sentence in page
        assert "Like these 1" in page
        assert "12 – 18 EUR is usual" in page
    none = type(view)(**{**vars(view), "price": None})
    assert "Fewer than three similar items have a price" in draft_html(none, [], retrieval=True)
    assert "Past listings are switched off" in draft_html(none, [], retrieval=False)
    alike = PriceRange.model_validate({**fields, "low": 15.0, "high": 15.0})
    assert words.usual_price(alike) == "15 EUR is usual"
