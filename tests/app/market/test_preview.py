"""A listing as buyers see it: a page that reads like one, and says nothing that a buyer should not know."""

from __future__ import annotations

import re

import pytest

from app.seller.desk import Painter
from tests.app.support.clients import draft
from tests.app.support.tabs import Tab
from tests.app.web.test_security import Tags, harmless
from tests.fakes import jpeg

BAD = '</title><script>alert(1)</script><img src=x onerror=alert(2)>" onclick="alert(3)'


@pytest.fixture
def listing(client):
    made = draft(client, 2).json()["id"]
    wish = {"draft_id": made, "price": 12.5, "facts": {"size": "M", "condition_grade": "very good"}}
    return client.post("/v1/listings", json=wish).json()


def test_it_shows_what_a_buyer_wants_to_know(client, listing):
    answer = client.get(f"/l/{listing['id']}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    html = answer.text
    for words in (listing["title"], "12.50 EUR", "Warm and soft fleece.", "very good", "Size", "M", "navy"):
        assert words in html, words
    assert "condition_grade" not in html
    assert "For sale" in html
    found = Tags(html)
    assert {f"/v1/photos/{p['id']}" for p in listing["photos"]} <= found.addresses
    for photo in listing["photos"]:
        assert client.get(f"/v1/photos/{photo['id']}").status_code == 200


def test_it_names_no_internal_ids_and_fetches_nothing(client, listing):
    answer = client.get(f"/l/{listing['id']}")
    without_pictures = re.sub(r"/v1/photos/[0-9a-f]{32}", "", answer.text)
    assert listing["seller_id"] not in answer.text
    assert listing["draft_id"] not in answer.text
    assert not re.search(r"[0-9a-f]{24}", without_pictures)
    assert harmless(answer.text)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("change", "words"),
    [({"status": "sold"}, "Sold"), ({"status": "reserved"}, "Reserved"), ({"status": "removed"}, "Not on sale")],
)
def test_it_says_when_it_cannot_be_bought(client, listing, change, words):
    assert client.patch(f"/v1/listings/{listing['id']}", json=change).status_code == 200
    html = client.get(f"/l/{listing['id']}").text
    assert words in html
    assert "For sale" not in html


def test_markup_is_text(client):
    made = draft(client).json()["id"]
    facts = {"brand": BAD[:70], "size": BAD[:70]}
    body = {"draft_id": made, "title": BAD, "description": BAD, "facts": facts}
    listing = client.post("/v1/listings", json=body).json()
    html = client.get(f"/l/{listing['id']}").text
    assert "&lt;script&gt;" in html
    assert harmless(html)


def test_own_listings_in_any_state_others_only_public_ones(people):
    ann, bob, nobody = map(people("ann", "bob").browser, ("ann", "bob", None))
    made = draft(ann).json()["id"]
    listing = ann.post("/v1/listings", json={"draft_id": made}).json()
    address = f"/l/{listing['id']}"
    assert (ann.get(address).status_code, bob.get(address).status_code) == (200, 200)
    asked = nobody.get(address)
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in")
    assert listing["title"] not in asked.text
    ann.patch(f"/v1/listings/{listing['id']}", json={"status": "removed"})
    assert ann.get(address).status_code == 200
    gone = bob.get(address)
    assert gone.status_code == 404
    assert listing["title"] not in gone.text
    missing = bob.get("/l/ipl-000000000000000000000000")
    assert (missing.status_code, missing.text) == (404, gone.text)
    assert "There is no such listing" in gone.text
    assert gone.headers["content-type"] == "text/html; charset=utf-8"


def test_the_sellers_page_leads_there(services, me, tmp_path):
    tab = Tab(services)
    tab.take(jpeg(), folder=tmp_path)
    tab.write()
    tab.press("publish")
    listing = services.listings.own(me)[0]
    painter = Painter(services)
    for html in (painter.draft(tab.desk, me), painter.mine(tab.desk, me)):
        assert f'href="/l/{listing.id}"' in html
        assert "/v1/listings/" not in html
