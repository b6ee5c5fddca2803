"""What a buyer finds: by the meaning of words, by filters, by a photo; in which order, and what is said of it."""

from __future__ import annotations

import pytest

from app.market.search.conditions import Wish
from app.market.search.names import NARROWER, RELATED, SAME, WIDER, closeness, names_in
from app.market.search.ranking import fused
from app.store.clock import now
from app.store.search_index import Hit
from app.store.tables import ListingRow
from listing.intake.photos import intake
from tests.app.support.pictures import picture

GOODS = {
    "hoodie": ("Hoodie", "Navy hoodie with a zip", 30, {"colour": "navy", "size": "M", "brand": "Nike"}),
    "red": ("Outwear", "Rain jacket", 25, {"colour": "red, white", "size": "L", "audience": "kids"}),
    "parka": ("Outwear", "Winter parka", 60, {"colour": "green", "condition_grade": "new with tag"}),
    "jeans": ("Pants", "Slim jeans", 15, {"colour": "black", "size": "W32", "condition_grade": "good"}),
    "bag": ("Backpack", "Canvas rucksack", 40, {"colour": "beige"}),
}


@pytest.fixture
def shop(services, me):
    with services.store.write() as session:
        for name, (category, title, price, facts) in GOODS.items():
            about = {"category": category, "title": title, "description": "", "attributes": facts, "price": price}
            row = ListingRow(id=name, seller_id=me, currency="EUR", published_at=now(), **about)
            session.add(row)
    return services.shop


def ids(shop, text="", order="", **wish):
    return [listing.id for listing in shop.find(Wish(text=text, **wish), order=order).listings]


@pytest.mark.stores
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hodie", ["hoodie"]),
        ("sweatpants", ["jeans"]),
        ("anorak", ["parka", "red"]),
        ("rote Jacke", ["red"]),
        ("giacca verde", ["parka"]),
        ("mochila", ["bag"]),
        ("black jeans W32", ["jeans"]),
        ("jacket under 30", ["red"]),
        ("jacket over 30", ["parka"]),
        ("new jacket", ["parka"]),
        ("nike", ["hoodie"]),
        ("kids", ["red"]),
        ("canvs", ["bag"]),
    ],
)
def test_words_find_what_is_meant(shop, text, meant):
    matches = shop.find(Wish(text=text))
    assert {x.id for x in matches.listings} == set(meant)


def test_readings_are_limits_that_can_be_taken_off(shop):
    matches = shop.find(Wish(text="red jacket size L up to 40"))
    assert [x.id for x in matches.listings] == ["red"]
    assert matches.limits == {"colour": "red", "size": "size L", "price": "up to 40"}
    assert matches.whole
    off = shop.find(Wish(text="red jacket size L up to 40", off=frozenset({"colour", "size", "price"})))
    assert {x.id for x in off.listings} == {"red", "parka"}
    assert off.limits == {}


def test_where_nothing_fits_all_of_it_what_fits_most_comes_first(shop):
    matches = shop.find(Wish(text="purple jacket for kids"))
    assert not matches.whole
    assert matches.listings[0].id == "red"
    assert "bag" not in {x.id for x in matches.listings}


def test_filters_and_orders(shop):
    assert ids(shop, brand="nike") == ["hoodie"]
    assert ids(shop, condition="good") == ["jeans"]
    assert ids(shop, colour="white") == ["red"]
    assert ids(shop, "jacket", colour="green") == ["parka"]
    assert ids(shop, order="low") == ["jeans", "red", "hoodie", "bag", "parka"]
    assert ids(shop, "jacket", "high") == ["parka", "red"]
    assert ids(shop, "jacket", "low") == ["red", "parka"]


def test_the_values_to_filter_by_are_counted(shop):
    choices = shop.choices()
    assert choices.categories[0] == ("Outwear", 2)
    assert dict(choices.colours)["white"] == 1
    assert choices.brands == [("Nike", 1)]
    assert dict(choices.conditions) == {"new with tag": 1, "good": 1}


def test_a_photo_of_what_is_not_there_finds_the_same_kind_of_thing(shop, services, monkeypatch):
    photo = intake([picture(3)])[0]
    assert shop.find(Wish(), photo).count == 0
    near = [Hit("parka", 0.6), Hit("red", 0.5), Hit("jeans", 0.4)]
    monkeypatch.setattr(services.index, "nearest", lambda text, image, limit: near)
    matches = shop.find(Wish(), photo)
    assert ([x.id for x in matches.listings], matches.same_kind, matches.whole) == (["parka", "red"], "Outwear", False)
    monkeypatch.setattr(services.index, "search", lambda text, image, limit: [Hit("jeans", 0.9)])
    found = shop.find(Wish(), photo)
    assert ([x.id for x in found.listings], found.same_kind) == (["jeans"], "")
    monkeypatch.setattr(services.index, "search", lambda text, image, limit: [])
    monkeypatch.setattr(
        services.index, "nearest", lambda text, image, limit: [Hit("parka", 0.4), Hit("jeans", 0.4), Hit("bag", 0.4)]
    )
    assert shop.find(Wish(), photo).count == 0, "three kinds are none"


@pytest.mark.parametrize(
    ("name", "title", "fits"),
    [
        ("sneakers", "White trainers", SAME),
        ("jacket", "Navy hooded jacket with light buttons", SAME),
        ("hat", "Plain baseball cap", NARROWER),
        ("anorak", "Navy jacket", WIDER),
        ("cardigan", "Striped T-shirt", RELATED),
    ],
)
def test_names_are_compared(name, title, fits):
    assert closeness(name, names_in(title), 1.0) == fits
    assert closeness(name, names_in("Oak table"), 0.0) == 0.0


def test_lists_are_fused_by_reciprocal_ranks():
    scores = fused([["a", "b"], ["b", "c"]])
    assert sorted(scores, key=lambda i: -scores[i]) == ["b", "a", "c"]
    assert scores["b"] == pytest.approx(1 / 61 + 1 / 62)
