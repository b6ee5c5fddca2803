"""Listings as files for other marketplaces, against the fields that these publish as required (sources: ``FORMS``)."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from app.market import exports
from listing.schema import Listing, PhotoRef

BASE = "https://shop.example/"
# As published, on 2026-11-28; what a file needs to be taken.
PUBLISHED = {
    "ebay": {
        *("*Action", "*Category", "*ConditionID", "*Description", "*DispatchTimeMax", "*Duration", "*Format"),
        *("*Location", "*Quantity", "*ReturnsAcceptedOption", "*StartPrice", "*Title"),
    },
    "google": {"id", "title", "description", "link", "image_link", "availability", "price", "condition"},
    "facebook": {"id", "title", "description", "availability", "condition", "price", "link", "image_link", "brand"},
}
VALUES = {
    "ebay": {"*Format": {"FixedPrice", "Auction"}, "*ConditionID": {"1000", "1500", "3000", "7000"}},
    "google": {"availability": {"in_stock", "out_of_stock"}, "condition": {"new", "refurbished", "used"}},
    "facebook": {"availability": {"in stock", "out of stock"}, "condition": {"new", "refurbished", "used"}},
}


def made(number: int = 1, **fields: object) -> Listing:
    known = {
        "id": f"ipl-{number}",
        "seller_id": "me",
        "category": "Hoodie",
        "attributes": {"brand": "Wrangler", "colour": "navy", "size": "M", "condition_grade": "very good"},
        "title": 'Navy "HARBOUR" hoodie, size M',
        "description": "Warm.\nWorn twice.",
        "price": 15.5,
        "status": "active",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "photos": [PhotoRef(id=f"{number}{n}", width=9, height=9, phash="0" * 16) for n in range(2)],
    }
    return Listing.model_validate({**known, **fields})


@pytest.mark.parametrize("form", exports.FORMS)
def test_every_required_field_is_there_and_filled(form):
    wanted = exports.FORMS[form]
    assert set(wanted.required) == PUBLISHED[form]
    bare = made(2, attributes={}, condition="new with tag", title="x" * 90 + " end")
    for row in csv.DictReader(io.StringIO(exports.as_csv(form, [made(), bare], BASE))):
        filled = {name for name in wanted.required if row[name]}
        assert filled == PUBLISHED[form] - set(wanted.sellers)
        assert all(row[name] in values for name, values in VALUES[form].items())
        assert all(len(row[name]) <= most for name, most in wanted.most.items())


def test_what_stands_in_the_rows():
    (ebay,), (google,), (facebook,) = (exports.rows(form, [made()], BASE) for form in ("ebay", "google", "facebook"))
    assert (ebay["*StartPrice"], ebay["*ConditionID"], ebay["*Description"]) == (
        "15.50",
        "3000",
        "Warm.<br>Worn twice.",
    )
    assert ebay["PicURL"] == f"{BASE}l/ipl-1/photos/1|{BASE}l/ipl-1/photos/2"
    assert (google["price"], google["link"], google["condition"]) == ("15.50 EUR", f"{BASE}l/ipl-1", "used")
    assert facebook["image_link"] == f"{BASE}l/ipl-1/photos/1"
    assert exports.as_text(made()) == 'Navy "HARBOUR" hoodie, size M\n\nWarm.\nWorn twice.\n\n15.50 EUR'


def test_a_spreadsheet_computes_nothing():
    text = exports.as_csv("google", [made(title="=HYPERLINK(1)")], BASE)
    assert next(csv.DictReader(io.StringIO(text)))["title"] == "'=HYPERLINK(1)"


def test_the_file_over_the_api(client, services, me, photos):
    draft = list(services.draft_writer.start(me, photos))[-1]
    client.post("/v1/listings", json={"draft_id": draft.draft_id, "price": 12})
    answer = client.get("/v1/listings/export", params={"form": "google"})
    assert answer.headers["content-disposition"] == 'attachment; filename="listings-google.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["price"] == "12.00 EUR"
    assert client.get("/v1/listings/export", params={"form": "ebay", "as": "json"}).json()[0]["*StartPrice"] == "12.00"
    assert client.get("/v1/listings/export", params={"form": "amazon"}).status_code == 422
    unknown = {"form": "google", "listing": "ipl-0"}
    assert client.get("/v1/listings/export", params=unknown).status_code == 404
